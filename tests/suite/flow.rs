//! The main flow, from upload to answer, over both carriers.

use crate::support::ground::{Carrier, Ground};
use crate::support::pictures;
use darkroom::app::Role;
use image::GenericImageView;
use serde_json::Value;
use std::collections::BTreeSet;

/// Each test runs over each carrier.
macro_rules! over_both_carriers {
    ($($test:ident),+ $(,)?) => {
        mod over_rabbitmq {
            $(#[tokio::test] async fn $test() { super::$test(super::Carrier::RabbitMq).await; })+
        }
        mod in_process {
            $(#[tokio::test] async fn $test() { super::$test(super::Carrier::InProcess).await; })+
        }
    };
}

over_both_carriers![
    an_upload_becomes_thumbnails_metadata_and_timings,
    many_uploads_at_once_are_each_processed_once,
    a_broken_picture_fails_with_a_reason_and_can_be_retried,
    deleting_leaves_nothing_behind,
    what_waits_when_a_process_ends_is_done_by_the_next,
];

async fn an_upload_becomes_thumbnails_metadata_and_timings(carrier: Carrier) {
    let ground = Ground::new(carrier).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;

    let id = client.upload("../holiday/me.jpg", &pictures::camera_jpeg(1600, 1200, 6)).await;
    let image = client.settled(id).await;
    assert_eq!(image["status"], "success", "{image}");
    assert_eq!(image["original_name"], "me.jpg");
    assert!(image["error"].is_null() && image["completed_at"].is_string() && image["caption"].is_null());
    let metadata = &image["metadata"];
    assert_eq!((&metadata["width"], &metadata["height"]), (&1200.into(), &1600.into()), "as displayed");
    assert_eq!((&metadata["format"], &metadata["orientation"]), (&"jpg".into(), &6.into()));
    assert_eq!(metadata["datetime"], "2026-05-04T12:13:14");
    assert!(!metadata["exif"]["Make"].as_str().unwrap().contains('\0'), "{metadata}");

    for (size, bounds) in [("small", (96, 128)), ("medium", (384, 512))] {
        let path = image["thumbnails"][size].as_str().unwrap();
        let picture = client.picture(path).await;
        assert_eq!(picture.dimensions(), bounds, "{size}");
        // Orientation 6: the red quarter, upper left as stored, is upper right as displayed.
        let red = picture.get_pixel(bounds.0 * 3 / 4, bounds.1 / 4).0;
        assert!(red[0] > 180 && red[1] < 80 && red[2] < 80, "{size}: {red:?}");
    }
    for stage in image["stages"].as_array().unwrap() {
        let caption = stage["name"] == "caption";
        assert_eq!(stage["status"], if caption { "skipped" } else { "success" }, "{stage}");
        assert_eq!(stage["run_ms"].is_null(), caption, "{stage}");
    }

    let stats = client.get("/api/stats").await;
    let stats = stats.data();
    assert_eq!(
        (&stats["total_images"], &stats["successful"], &stats["processing"]),
        (&1.into(), &1.into(), &0.into())
    );
    assert_eq!((&stats["success_rate"], &stats["queue_depth"]), (&100.0.into(), &0.into()));
    assert!(stats["average_processing_time_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(stats["stages"]["thumbnails"]["count"], 1);
    ground.assert_files_match_rows().await;
    app.stop().await;
}

async fn many_uploads_at_once_are_each_processed_once(carrier: Carrier) {
    const COUNT: usize = 40;
    let ground = Ground::new(carrier).await;
    let app = ground.start_all(&[("DARKROOM_LIMITS__MAX_UPLOADS_IN_HAND", "64")]).await;
    let client = &app.client;
    let kinds = [pictures::jpeg(640, 480), pictures::png(300, 200), pictures::transparent_png(200, 300)];
    let uploads = (0..COUNT).map(|number| {
        let file = pictures::unlike(kinds[number % kinds.len()].clone(), number as u64);
        async move { client.upload(&format!("{number}.jpg"), &file).await }
    });
    let ids: BTreeSet<i64> = futures_util::future::join_all(uploads).await.into_iter().collect();
    assert_eq!(ids.len(), COUNT);
    for id in &ids {
        let image = client.settled(*id).await;
        assert_eq!(image["status"], "success", "{image}");
    }
    let database = &ground.database;
    let rows: BTreeSet<i64> =
        database.rows("select id from images").await.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, ids, "the ids answered are the rows");
    assert_eq!(
        database.number("select count(*) from jobs where state = 'succeeded' and attempt = 1").await,
        COUNT as i64
    );
    assert_eq!(database.number("select count(*) from jobs").await, COUNT as i64);
    let stats = client.get("/api/stats").await;
    assert_eq!(stats.data()["successful"], COUNT);
    assert_eq!(stats.data()["stages"]["metadata"]["count"], COUNT);
    let bytes = database.number("select (select sum(size_bytes) from images)::bigint + (select sum(size_bytes) from thumbnails)::bigint");
    assert_eq!(stats.data()["stored_bytes"], bytes.await);
    ground.assert_files_match_rows().await;
    app.stop().await;
    if let Some(broker) = &ground.broker {
        for queue in ["image", "caption", "webhook", "dead"] {
            assert_eq!(broker.ready(queue).await, 0, "{queue}");
        }
    }
}

async fn a_broken_picture_fails_with_a_reason_and_can_be_retried(carrier: Carrier) {
    let ground = Ground::new(carrier).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let whole = pictures::jpeg(800, 600);
    let id = client.upload("half.jpg", &whole[..whole.len() / 2]).await;
    let failed = client.settled(id).await;
    assert_eq!(
        (&failed["status"], &failed["error_code"]),
        (&"failed".into(), &"truncated".into()),
        "{failed}"
    );
    assert!(failed["error"].as_str().is_some_and(|text| text.len() > 10), "{failed}");
    assert!(failed["thumbnails"]["small"].is_null());
    assert_eq!(stage(&failed, "thumbnails")["status"], "failed");
    assert_eq!(stage(&failed, "thumbnails")["attempts"], 1, "what is permanent is not tried again");
    assert_eq!(client.get(&format!("/api/images/{id}/thumbnails/small")).await.refusal(), (404, "not_found"));

    let retried = client.retry(id).await;
    assert_eq!(retried.status, 202, "{retried:?}");
    assert_eq!(client.settled(id).await["status"], "failed");
    let stats = client.get("/api/stats").await;
    assert_eq!((&stats.data()["failed"], &stats.data()["failures"]["truncated"]), (&1.into(), &1.into()));
    assert_eq!(ground.database.number("select count(*) from jobs where state = 'failed'").await, 2);

    let good = client.upload("good.jpg", &whole).await;
    assert_eq!(client.settled(good).await["status"], "success");
    assert_eq!(client.retry(good).await.refusal(), (409, "conflict"));
    app.stop().await;
}

async fn deleting_leaves_nothing_behind(carrier: Carrier) {
    let ground = Ground::new(carrier).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let settled = client.upload("a.jpg", &pictures::jpeg(640, 480)).await;
    client.settled(settled).await;
    assert_eq!(client.delete(settled).await, 204);
    assert_eq!(client.delete(settled).await, 404);
    assert_eq!(client.get(&format!("/api/images/{settled}")).await.refusal(), (404, "not_found"));
    // While they are being processed, too.
    for number in 0..20 {
        let id = client.upload("b.jpg", &pictures::unlike(pictures::jpeg(900, 700), number)).await;
        assert_eq!(client.delete(id).await, 204);
    }
    // Everything in hand ends before the examination.
    app.stop().await;
    assert_eq!(ground.files(), BTreeSet::new());
    for table in ["images", "jobs", "thumbnails", "stage_runs"] {
        assert_eq!(ground.database.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    let left = ground
        .database
        .rows("select name, n from tally_totals where n <> 0 and name not like 'stages.%'")
        .await;
    assert!(left.is_empty(), "{:?}", left.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>());
}

async fn what_waits_when_a_process_ends_is_done_by_the_next(carrier: Carrier) {
    let ground = Ground::new(carrier).await;
    // A worker so slow that jobs wait: one at a time, and more jobs than it can do before it is told to stop. Its leases
    // outlast whatever else the machine is doing, so that only a stop could cost an attempt.
    let own = [("DARKROOM_WORKER__CONCURRENCY", "1"), ("DARKROOM_WORKER__LEASE_SECONDS", "20")];
    let app = ground.start_all(&own).await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(app.client.upload("c.jpg", &pictures::unlike(pictures::jpeg(1200, 900), number)).await);
    }
    app.stop().await;
    let app = ground.start_all(&own[1..]).await;
    for id in ids {
        assert_eq!(app.client.settled(id).await["status"], "success");
    }
    assert_eq!(
        ground.database.number("select max(attempt)::bigint from jobs").await,
        1,
        "no attempt is burnt by a stop"
    );
    ground.assert_files_match_rows().await;
    app.stop().await;
}

#[tokio::test]
async fn a_server_without_workers_says_what_waits() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let server = ground.start(Role::Server, &[]).await;
    let client = &server.client;
    let id = client.upload("w.png", &pictures::png(100, 50)).await;
    let refused = client.get(&format!("/api/images/{id}/thumbnails/medium")).await;
    assert_eq!(refused.refusal(), (404, "not_ready"));
    assert!(refused.header("retry-after").is_some());
    let waiting = client.get(&format!("/api/images/{id}?wait=0.3")).await;
    assert_eq!(waiting.data()["status"], "processing");
    assert_eq!(stage(waiting.data(), "metadata")["status"], "waiting");
    assert_eq!(client.get("/api/stats").await.data()["queue_depth"], 1);

    // The answer to a waiting request comes with the end of the work, not with the end of the wait.
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.get(&format!("/api/images/{id}?wait=60")).await }
    });
    let worker = ground.start(Role::Worker(darkroom::domain::JobKind::ALL.to_vec()), &[]).await;
    let answered = tokio::time::timeout(crate::support::ground::PATIENCE, asking).await.unwrap().unwrap();
    assert_eq!(answered.data()["status"], "success");
    worker.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_stop_answers_those_who_wait() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let server = ground.start(Role::Server, &[("DARKROOM_HTTP__GRACE_SECONDS", "60")]).await;
    let id = server.client.upload("w.png", &pictures::png(100, 50)).await;
    let client = server.client.clone();
    let asking = tokio::spawn(async move { client.get(&format!("/api/images/{id}?wait=60")).await });
    // It has begun to wait when a second, shorter wait at the same server is over.
    server.client.get(&format!("/api/images/{id}?wait=0.3")).await;
    server.stop().await;
    let answered = asking.await.unwrap();
    assert_eq!((answered.status, &answered.data()["status"]), (200, &"processing".into()));
}

#[tokio::test]
async fn the_sweep_removes_what_no_row_names_and_nothing_else() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[("DARKROOM_FILES__SWEEP_EVERY_SECONDS", "0.2")]).await;
    let id = app.client.upload("kept.jpg", &pictures::jpeg(300, 200)).await;
    app.client.settled(id).await;
    let orphan = format!("originals/ab/{:032x}.jpg", 0xab << 120 | 1_u128);
    let young = format!("originals/ab/{:032x}.jpg", 0xab << 120 | 2_u128);
    std::fs::create_dir_all(ground.volume().join("originals/ab")).unwrap();
    for name in [&orphan, &young, "tmp/left.part", "originals/stray", "originals/ab/NOTES"] {
        std::fs::write(ground.volume().join(name), "x").unwrap();
    }
    // Everything is two hours old but one file, which may be that of an upload under way.
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
    for name in ground.files().iter().filter(|name| **name != young) {
        let file = std::fs::File::options().append(true).open(ground.volume().join(name)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    crate::support::ground::eventually("the orphans are gone", || async {
        let files = ground.files();
        (!files.contains(&orphan) && !files.contains("tmp/left.part")).then_some(())
    })
    .await;
    let left = ground.files();
    assert!(left.contains(&young) && left.contains("originals/stray") && left.contains("originals/ab/NOTES"));
    assert_eq!(left.len(), 6, "the image keeps its original and both thumbnails: {left:?}");
    app.stop().await;
}

#[tokio::test]
async fn a_volume_is_not_shared_with_another_database() {
    let (one, other) = (Ground::new(Carrier::InProcess).await, Ground::new(Carrier::InProcess).await);
    let app = one.start_all(&[]).await;
    let id = app.client.upload("mine.jpg", &pictures::jpeg(30, 20)).await;
    app.client.settled(id).await;
    let elsewhere = one.files_environment();
    let elsewhere: Vec<_> = elsewhere.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut refused = crate::support::process::Process::start(&other, &["--standalone"], &elsewhere);
    assert!(!refused.ended().await.success());
    let log = refused.log();
    assert!(log.contains("belongs to installation") && log.contains("files.dir"), "{log}");
    one.assert_files_match_rows().await;
    app.stop().await;
}

#[tokio::test]
async fn lists_are_newest_first_filtered_and_paged() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let mut ids = Vec::new();
    for number in 0..5 {
        let name = if number % 2 == 0 { "even_100%.jpg" } else { "odd.jpg" };
        ids.push(client.upload(name, &pictures::unlike(pictures::jpeg(64, 64), number)).await);
    }
    for id in &ids {
        client.settled(*id).await;
    }
    ids.reverse();
    let listed = |list: &Value| {
        list["images"].as_array().unwrap().iter().map(|i| i["image_id"].as_i64().unwrap()).collect::<Vec<_>>()
    };

    let mut seen = Vec::new();
    let mut path = "/api/images?limit=2".to_owned();
    loop {
        let part = client.get(&path).await;
        seen.extend(listed(part.data()));
        match part.data()["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/images?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    assert_eq!(listed(client.get("/api/images?q=EVEN_100%25").await.data()).len(), 3);
    assert_eq!(listed(client.get("/api/images?q=n_1_0").await.data()).len(), 0, "no wildcard gets through");
    assert_eq!(listed(client.get("/api/images?status=success").await.data()).len(), 5);
    assert_eq!(listed(client.get("/api/images?status=failed").await.data()).len(), 0);
    let sha256 = client.image(ids[0]).await["sha256"].as_str().unwrap().to_owned();
    assert_eq!(listed(client.get(&format!("/api/images?sha256={sha256}")).await.data()), [ids[0]]);
    app.stop().await;
}

#[tokio::test]
async fn pictures_are_served_for_caches_and_ranges() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let file = pictures::transparent_png(700, 300);
    let id = client.upload("ünïcode \"x\".png", &file).await;
    client.settled(id).await;

    let path = format!("/api/images/{id}/thumbnails/medium");
    let thumbnail = client.raw(&path).await;
    assert_eq!(thumbnail.headers()["content-type"], "image/png", "transparent pixels");
    assert_eq!(thumbnail.headers()["cache-control"], "private, max-age=31536000, immutable");
    let tag = thumbnail.headers()["etag"].clone();
    let again =
        client.request(reqwest::Method::GET, &path).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.content_length()), (304, Some(0)));
    let head = client.request(reqwest::Method::HEAD, &path).send().await.unwrap();
    assert_eq!((head.status().as_u16(), &head.headers()["etag"]), (200, &tag));

    let path = format!("/api/images/{id}/original");
    let original = client.raw(&path).await;
    assert_eq!(original.headers()["x-content-type-options"], "nosniff");
    assert!(
        original.headers()["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"")
    );
    assert_eq!(original.headers()["content-length"], file.len().to_string());
    assert_eq!(original.bytes().await.unwrap(), file);
    let part =
        client.request(reqwest::Method::GET, &path).header("range", "bytes=10-19").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], format!("bytes 10-19/{}", file.len()));
    assert_eq!(part.bytes().await.unwrap(), file[10..20]);
    let outside = crate::support::client::answer(
        client.request(reqwest::Method::GET, &path).header("range", "bytes=9999999-"),
    );
    assert_eq!(outside.await.refusal(), (416, "range_not_satisfiable"));
    app.stop().await;
}

pub fn stage<'a>(image: &'a Value, name: &str) -> &'a Value {
    image["stages"].as_array().unwrap().iter().find(|stage| stage["name"] == name).unwrap()
}

/// By polling it would be found after all tests have given up. The first upload may be, since a relay looks when it begins.
#[tokio::test]
async fn an_upload_wakes_the_relay() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start(Role::Standalone, &[("DARKROOM_RELAY__POLL_SECONDS", "3600")]).await;
    for name in ["first.jpg", "second.jpg"] {
        let id = app.client.upload(name, &pictures::jpeg(40, 30)).await;
        assert_eq!(app.client.settled(id).await["status"], "success", "{name}");
    }
}
