//! How many rows the store reads when tables and queues are full, as Postgres itself counts them. Nothing is timed.

use crate::support::database::Database;
use crate::support::ground::eventually;
use darkroom::domain::{ImageId, ImageStatus, JobKind, Sha256};
use darkroom::settings::Settings;
use darkroom::store::{ListFilter, Store};
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
    // A connection reports what it read when it ends.
    let all_closed = || {
        eventually("all connections are closed", || async {
            let open = "select count(*) from pg_stat_activity
                        where datname = current_database() and backend_type = 'client backend'";
            // But the one that asks.
            (database.number(open).await == 1).then_some(())
        })
    };
    all_closed().await;
    let before = database.number(read).await;
    let store = store(database);
    for _ in 0..OFTEN {
        call(store.clone()).await;
    }
    drop(store);
    all_closed().await;
    (database.number(read).await - before) / OFTEN
}

#[tokio::test]
async fn a_page_of_a_list_reads_a_page_of_rows() {
    let database = full_database().await;
    let status = |status| ListFilter { status: Some(status), ..ListFilter::default() };
    let before = Some(ImageId::new(IMAGES / 2));
    let name = |text: &str| Some(text.to_owned());
    for known in KNOWN {
        database.run(known).await;
        let lists = [
            ("all", ListFilter::default(), PAGE),
            ("all, deep", ListFilter { before, ..ListFilter::default() }, PAGE),
            // None of the newest is a success: they are the backlog.
            ("success", status(ImageStatus::Success), PAGE),
            ("success, deep", ListFilter { before, ..status(ImageStatus::Success) }, PAGE),
            ("failed", status(ImageStatus::Failed), PAGE),
            ("processing, none", ListFilter { before, ..status(ImageStatus::Processing) }, PAGE),
            ("bytes", ListFilter { sha256: Some(Sha256::new([7; 32])), ..ListFilter::default() }, PAGE),
            (
                "a name of many",
                ListFilter { name_contains: name("img"), ..ListFilter::default() },
                2000 + PAGE,
            ),
            (
                "a name of many, failed",
                ListFilter { name_contains: name("img"), ..status(ImageStatus::Failed) },
                2000 + PAGE,
            ),
        ];
        for (list, filter, most) in lists {
            let read = rows_read(&database, |store| {
                let filter = filter.clone();
                async move { drop(store.images(&filter, 50).await.unwrap()) }
            })
            .await;
            assert!(read <= most, "{list}, {known}: {read} rows were read, {most} allowed");
        }
    }
}

#[tokio::test]
async fn a_rare_name_is_found_by_its_index_or_at_least_found() {
    let database = full_database().await;
    database.run("update images set original_name = 'Quagga.jpg' where id in (5, 7000); analyze").await;
    let quagga = ListFilter { name_contains: Some("quagga".to_owned()), ..ListFilter::default() };
    let find = |store: Store| {
        let filter = quagga.clone();
        async move { store.images(&filter, 1).await.unwrap() }
    };
    let page = find(store(&database)).await;
    assert_eq!((page.images[0].id, page.next), (ImageId::new(7000), Some(ImageId::new(7000))));
    let read = rows_read(&database, |store| async move { drop(find(store).await) }).await;
    assert!(read <= 2000 + PAGE, "{read} rows were read");

    // A server without the extension: the same answer.
    database.run("drop extension pg_trgm cascade; drop index if exists images_by_name").await;
    assert_eq!(find(store(&database)).await.images[0].id, ImageId::new(7000));
}

#[tokio::test]
async fn the_migrations_do_without_the_extension_for_searches() {
    let database = Database::create().await;
    // Where the search path does not lead to it, it is as good as absent.
    database.run("create schema elsewhere; create extension pg_trgm schema elsewhere").await;
    store(&database).migrate().await.unwrap();
    let index = "select count(*) from pg_indexes where indexname = 'images_by_name'";
    assert_eq!(database.number(index).await, 0);
    let filter = ListFilter { name_contains: Some("x".to_owned()), ..ListFilter::default() };
    assert!(store(&database).images(&filter, 50).await.unwrap().images.is_empty());
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
