//! How many rows the store reads when tables and queues are full, as Postgres itself counts them. Nothing is timed.

use crate::support::database::Database;
use darkroom::domain::{FindingCode, ImageFormat, ImageId, ImageStatus, JobKind, Sha256};
use darkroom::settings::Settings;
use darkroom::store::{ListFilter, Position, Similar, Sort, SortValue, Span, Store};
use std::future::Future;
use std::time::Duration;

const IMAGES: i64 = 20_000;
const BACKLOG: i64 = 5_000;

/// Whether Postgres knows the tables: after a restore it does not for a while.
const KNOWN: [&str; 2] = ["select 1", "vacuum analyze"];

/// A page of fifty is its images and their thumbnails.
const PAGE: i64 = 300;

/// Often enough that Postgres stops to plan a statement anew for its values.
const OFTEN: i64 = 8;

const LEASE: Duration = Duration::from_secs(30);

/// A database with finished images and a backlog, of which Postgres has no statistics yet.
async fn full_database() -> Database {
    let database = Database::create().await;
    store(&database).migrate().await.unwrap();
    let sizes = format!("set darkroom.images = {IMAGES}; set darkroom.backlog = {BACKLOG};");
    database.run(&(sizes + include_str!("../../benches/store/fill.sql"))).await;
    database
}

pub fn store(database: &Database) -> Store {
    let variables = [("DARKROOM_DATABASE__URL".to_owned(), database.url())];
    let database = Settings::load(None, variables).unwrap().database;
    Store::new(database.url.as_ref().unwrap(), &database).unwrap()
}

/// Rows and entries of indexes that one call reads, when it is made often over one connection.
async fn rows_read<F: Future<Output = ()>>(database: &Database, call: impl Fn(Store) -> F) -> i64 {
    let read = "select (select sum(seq_tup_read) from pg_stat_user_tables)::bigint
                     + (select sum(idx_tup_read) from pg_stat_user_indexes)::bigint";
    database.all_closed().await;
    let before = database.number(read).await;
    let store = store(database);
    for _ in 0..OFTEN {
        call(store.clone()).await;
    }
    drop(store);
    database.all_closed().await;
    (database.number(read).await - before) / OFTEN
}

#[tokio::test]
async fn a_page_of_a_list_reads_a_page_of_rows() {
    let database = full_database().await;
    let status = |status| ListFilter { status: Some(status), ..ListFilter::default() };
    let name = |text: &str| ListFilter { name_contains: Some(text.to_owned()), ..ListFilter::default() };
    let failed = || status(ImageStatus::Failed);
    let deep = || Some(Position { value: SortValue::Absent, id: ImageId::new(IMAGES / 2) });
    let lists = [
        ("all", ListFilter::default(), None, PAGE),
        ("all, deep", ListFilter::default(), deep(), PAGE),
        // None of the newest is a success: they are the backlog.
        ("success", status(ImageStatus::Success), None, PAGE),
        ("success, deep", status(ImageStatus::Success), deep(), PAGE),
        ("failed", failed(), None, PAGE),
        ("processing, none", status(ImageStatus::Processing), deep(), PAGE),
        ("bytes", ListFilter { sha256: Some(Sha256::new([7; 32])), ..ListFilter::default() }, None, PAGE),
        (
            "a format of none",
            ListFilter { format: Some(ImageFormat::Png), ..ListFilter::default() },
            None,
            PAGE,
        ),
        ("no position", ListFilter { has_gps: Some(false), ..ListFilter::default() }, None, PAGE),
        ("a name of many", name("img"), None, 2000 + PAGE),
        ("a name of many, failed", ListFilter { status: failed().status, ..name("img") }, None, 2000 + PAGE),
    ];
    for known in KNOWN {
        database.run(known).await;
        for (list, filter, after, most) in &lists {
            let read = rows_read(&database, |store| async move {
                drop(store.images(filter, Sort::Newest, after.as_ref(), 50).await.unwrap());
            });
            let read = read.await;
            assert!(read <= *most, "{list}, {known}: {read} rows were read, {most} allowed");
        }
    }
}

#[tokio::test]
async fn any_order_reads_a_page_of_rows_at_any_place() {
    let database = full_database().await;
    let all = ListFilter::default();
    for known in KNOWN {
        database.run(known).await;
        for sort in
            [Sort::Oldest, Sort::TakenNewest, Sort::TakenOldest, Sort::Largest, Sort::Smallest, Sort::Name]
        {
            let first = store(&database).images(&all, sort, None, 50).await.unwrap();
            let absent = Position { value: SortValue::Absent, id: ImageId::new(IMAGES + 100) };
            for after in [None, first.next, Some(absent)] {
                if sort == Sort::Name && after.as_ref().is_some_and(|at| at.value == SortValue::Absent) {
                    continue;
                }
                let (after, all) = (after.as_ref(), &all);
                let read = rows_read(&database, |store| async move {
                    let page = store.images(all, sort, after, 50).await.unwrap();
                    assert_eq!(page.images.len(), 50);
                });
                let read = read.await;
                assert!(read <= PAGE, "{sort:?} behind {after:?}, {known}: {read} rows were read");
            }
        }
    }
}

#[tokio::test]
async fn what_few_images_pass_is_found_by_the_index_of_the_filter() {
    let database = full_database().await;
    // None of the newest is among them: they are the backlog.
    let all = ListFilter::default;
    let day: time::PrimitiveDateTime =
        database.rows("select taken_at from images where id = 7001").await[0].get(0);
    let minutes = |minutes| Some(day + time::Duration::minutes(minutes));
    let lists = [
        (
            "an hour",
            ListFilter { taken: Span { from: minutes(0), before: minutes(60) }, ..all() },
            Sort::Newest,
        ),
        (
            "an hour, by size",
            ListFilter { taken: Span { from: minutes(0), before: minutes(60) }, ..all() },
            Sort::Largest,
        ),
        ("bytes", ListFilter { bytes: Span { from: None, before: Some(2_000_500) }, ..all() }, Sort::Newest),
        (
            "pixels",
            ListFilter { pixels: Span { from: Some(11_990_000), before: None }, ..all() },
            Sort::Newest,
        ),
        ("a camera", ListFilter { camera_contains: Some("LEICA".to_owned()), ..all() }, Sort::Newest),
        ("a finding", ListFilter { finding: Some(FindingCode::DataAfterEnd), ..all() }, Sort::Newest),
        ("failed, by name", ListFilter { status: Some(ImageStatus::Failed), ..all() }, Sort::Name),
        ("a format of none, by name", ListFilter { format: Some(ImageFormat::Png), ..all() }, Sort::Name),
    ];
    for known in KNOWN {
        database.run(known).await;
        for (list, filter, sort) in &lists {
            let read = rows_read(&database, |store| async move {
                let page = store.images(filter, *sort, None, 200).await.unwrap();
                assert_eq!(page.images.is_empty(), list.contains("none"), "{list}");
            });
            // The first two thousand, and each of the few a few times.
            let read = read.await;
            assert!(read <= 2000 + 5000, "{list}, {known}: {read} rows were read");
        }
    }
}

#[tokio::test]
async fn a_search_for_similar_images_reads_few_hashes() {
    let database = full_database().await;
    for known in KNOWN {
        database.run(known).await;
        for (distance, most) in [(0, 100), (8, 3_000), (15, 10_000)] {
            let read = rows_read(&database, |store| async move {
                // One of a cluster; its hundred members are the tenths of a thousand, and differ in two bits.
                let similar = store.similar(ImageId::new(7010), distance, None, 200).await.unwrap();
                let Similar::Found(found, None) = similar else { panic!("{similar:?}") };
                // Every twentieth of them has failed.
                assert!(distance == 0 || found.len() >= 94, "{distance}: {}", found.len());
            });
            let read = read.await;
            assert!(read <= most, "{distance}, {known}: {read} rows were read");
        }
    }
}

#[tokio::test]
async fn a_page_whose_images_are_far_away_is_bounded_and_leads_on() {
    // More than one page may look at, and all that pass are at the end.
    const FAR: i64 = 230_000;
    let database = Database::create().await;
    store(&database).migrate().await.unwrap();
    database
        .run(&format!(
            "set session_replication_role = replica;
             insert into images (original_name, format, sha256, size_bytes, original_key, status, completed_at, width, height,
                                 exif, has_gps, taken_at)
             select n || '.jpg', 'jpg', sha256(n::text::bytea), 1000 - (n <= 6000)::integer, n, 'success', now(), 3, 2, '{{}}',
                    n % 2 = 0, '2026-01-01'::timestamp + n * interval '1 second'
             from generate_series(1, {FAR}) n; analyze"
        ))
        .await;
    let store = store(&database);
    let filter = ListFilter { bytes: Span { from: None, before: Some(1000) }, ..ListFilter::default() };
    let empty = store.images(&filter, Sort::Newest, None, 50).await.unwrap();
    assert!(empty.images.is_empty());
    let page = store.images(&filter, Sort::Newest, empty.next.as_ref(), 50).await.unwrap();
    let ids: Vec<_> = page.images.iter().map(|image| image.id.get()).collect();
    assert_eq!(ids, Vec::from_iter((5951..=6000).rev()));

    // Of the end of the list, nothing is left out.
    let (mut found, mut after) = (0, None);
    loop {
        let page = store.images(&filter, Sort::TakenNewest, after.as_ref(), 200).await.unwrap();
        found += page.images.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, 6000);
}

#[tokio::test]
async fn a_rare_name_is_found_by_its_index_or_at_least_found() {
    let database = full_database().await;
    database.run("update images set original_name = 'Quagga.jpg' where id in (5, 7000); analyze").await;
    let quagga = ListFilter { name_contains: Some("quagga".to_owned()), ..ListFilter::default() };
    let find = |store: Store| {
        let filter = quagga.clone();
        async move { store.images(&filter, Sort::Newest, None, 1).await.unwrap() }
    };
    let page = find(store(&database)).await;
    let next = page.next.map(|next| next.id);
    assert_eq!((page.images[0].id, next), (ImageId::new(7000), Some(ImageId::new(7000))));
    let read = rows_read(&database, |store| async move { drop(find(store).await) }).await;
    assert!(read <= 2000 + PAGE, "{read} rows were read");

    // A server without the extension: the same answer.
    database
        .run("drop extension pg_trgm cascade; drop index if exists images_by_name, images_by_camera")
        .await;
    assert_eq!(find(store(&database)).await.images[0].id, ImageId::new(7000));
}

#[tokio::test]
async fn the_migrations_do_without_the_extension_for_searches() {
    let database = Database::create().await;
    // Where the search path does not lead to it, it is as good as absent.
    database.run("create schema elsewhere; create extension pg_trgm schema elsewhere").await;
    store(&database).migrate().await.unwrap();
    let index = "select count(*) from pg_indexes where indexname in ('images_by_name', 'images_by_camera')";
    assert_eq!(database.number(index).await, 0);
    let filter = ListFilter { name_contains: Some("x".to_owned()), ..ListFilter::default() };
    assert!(store(&database).images(&filter, Sort::Newest, None, 50).await.unwrap().images.is_empty());
}

#[tokio::test]
async fn statistics_and_details_do_not_read_tables() {
    let database = full_database().await;
    for known in KNOWN {
        database.run(known).await;
        let read = rows_read(&database, |store| async move { drop(store.stats().await.unwrap()) }).await;
        // A thousand runs of each of three stages.
        assert!(read <= 3200, "{known}: {read} rows were read for the statistics");
        let read = rows_read(&database, |store| async move {
            let waiting: i64 =
                store.backlog().await.unwrap().iter().map(|kind| kind.announced + kind.unannounced).sum();
            assert_eq!(waiting, BACKLOG);
        });
        let read = read.await;
        assert!(read <= BACKLOG + 100, "{known}: {read} rows were read to count what waits");
        let read = rows_read(&database, |store| async move {
            assert!(store.image(ImageId::new(IMAGES / 2)).await.unwrap().is_some());
        });
        let read = read.await;
        assert!(read <= 30, "{known}: {read} rows were read for an image");
    }
}

#[tokio::test]
async fn the_relay_and_the_reaper_read_a_batch_of_any_backlog() {
    let database = full_database().await;
    for known in KNOWN {
        database.run(known).await;
        let read = rows_read(&database, |store| async move {
            assert!(store.next_announcement(JobKind::Image).await.unwrap().is_some());
            for kind in JobKind::ALL {
                assert!(store.requeue_expired(*kind, 5).await.unwrap().is_empty());
                assert!(store.expired_for_good(*kind, 5).await.unwrap().is_empty());
                assert_eq!(store.reannounce(*kind, false, LEASE).await.unwrap(), 0);
            }
        });
        let read = read.await;
        assert!(read <= 100, "{known}: {read} rows were read in a round without work");
        let read = rows_read(&database, |store| async move {
            let (lease, due) = store.due_jobs(JobKind::Image, 64, LEASE).await.unwrap().unwrap();
            let jobs: Vec<_> = due.iter().map(|due| due.job).collect();
            assert_eq!(jobs.len(), 64);
            store.mark_announced(lease, &jobs).await.unwrap();
        });
        let read = read.await;
        assert!(read <= 64 * 8, "{known}: {read} rows were read for a batch");
    }
}

#[tokio::test]
async fn a_renewal_reads_its_job_and_no_other() {
    let database = full_database().await;
    // Planned while no job runs, when an index of the running ones looks smallest.
    database.run("vacuum analyze jobs").await;
    let store = store(&database);
    let oldest = "select min(id) from jobs where state = 'queued'";
    let job = darkroom::domain::JobId::new(database.number(oldest).await);
    let lease = store.claim(job, 7, LEASE).await.unwrap().unwrap().lease;
    database
        .run(
            "update jobs set state = 'running', lease_until = now() + interval '1 hour', announce_at = null
             where state = 'queued'",
        )
        .await;
    drop(store);
    let read = rows_read(&database, |store| async move {
        assert!(store.renew(lease, LEASE).await.unwrap());
    });
    let read = read.await;
    assert!(read <= 10, "{read} rows were read");
}

#[tokio::test]
async fn a_retry_in_bulk_reads_its_images_and_no_others() {
    let database = full_database().await;
    for (known, first) in KNOWN.into_iter().zip([200, 10_200]) {
        database.run(known).await;
        // Every two-hundredth image has failed.
        let failed: Vec<_> = (0..10).map(|nth| ImageId::new(first + nth * 200)).collect();
        let read = rows_read(&database, |store| {
            let failed = failed.clone();
            async move { drop(store.retry_all(JobKind::Image, &failed).await.unwrap()) }
        });
        let read = read.await;
        assert!(read <= 200, "{known}: {read} rows were read");
    }
    assert_eq!(database.number("select count(*) from jobs where superseded").await, 20);
}
