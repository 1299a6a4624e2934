//! An object store that refuses, fails, hangs and breaks off: each is told, bounded in time, and loses nothing.

use super::bucket::on;
use crate::support::fake_s3::{FakeS3, Whim};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::output;
use crate::support::proxy::{Flow, Proxy};
use darkroom::app::Role;
use std::time::{Duration, Instant};

fn large() -> Vec<u8> {
    let mut large = pictures::jpeg(640, 480);
    large.resize(11_000_000, 7);
    large
}

fn prefix(ground: &Ground) -> &str {
    ground.bucket.as_ref().unwrap().prefix()
}

/// Nothing of an upload is left: neither a row, nor an object, nor parts of one.
async fn nothing_is_left(ground: &Ground, store: &FakeS3, images: i64) {
    assert_eq!(ground.database.number("select count(*) from images").await, images);
    assert_eq!(store.unfinished(), 0);
    ground.assert_files_match_rows().await;
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_stays_is_told() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[]).await;
    // A store that is asked too much says so, and takes it the third time.
    store.next("PUT", [Whim::Refuse(503, "SlowDown"), Whim::Refuse(500, "InternalError")]);
    app.client.upload("a.jpg", &pictures::jpeg(30, 20)).await;
    nothing_is_left(&ground, &store, 1).await;

    store.always("PUT", Whim::Refuse(503, "SlowDown"));
    for picture in [pictures::jpeg(40, 20), large()] {
        let refused = app.client.send("b.jpg", &picture).await;
        assert_eq!(refused.refusal(), (503, "overloaded"));
        assert!(refused.header("retry-after").is_some());
        nothing_is_left(&ground, &store, 1).await;
    }
    store.always("PUT", Whim::Refuse(507, "XMinioStorageFull"));
    assert_eq!(app.client.send("b.jpg", &large()).await.refusal(), (507, "storage_full"));
    nothing_is_left(&ground, &store, 1).await;

    // The second part alone, for good; then it was begun, and cannot be completed.
    let given_up = || store.asked(&format!("DELETE /photos/{}/originals/", prefix(&ground)));
    for (number, of) in ["partNumber=2", "POST"].into_iter().enumerate() {
        store.always("", Whim::Obey);
        store.always(of, Whim::Refuse(400, "InvalidPart"));
        store.next("?uploads", [Whim::Obey]);
        let before = given_up();
        assert_eq!(app.client.send("c.jpg", &large()).await.status, 503, "{of}");
        assert_eq!((given_up() - before, store.asked("POST")), (1, [3, 5][number]), "{of}");
        nothing_is_left(&ground, &store, 1).await;
    }
    store.always("", Whim::Obey);
    app.client.upload("c.jpg", &large()).await;
    nothing_is_left(&ground, &store, 2).await;
    app.stop().await;
}

/// The client is not told that it was too slow, and what it sent is not kept behind its back.
#[tokio::test]
async fn a_store_that_hangs_over_a_part_is_told_and_leaves_nothing() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::RabbitMq).await;
    let own = [
        ("DARKROOM_HTTP__UPLOAD_TOTAL_SECONDS", "5"),
        ("DARKROOM_FILES__S3_WRITE_SECONDS", "8"),
        ("DARKROOM_FILES__S3_CALL_SECONDS", "120"),
        ("DARKROOM_LIMITS__MAX_UPLOADS_IN_HAND", "1"),
    ];
    let app = ground.start(Role::Server, &own).await;
    store.always("partNumber=2", Whim::Hang);
    assert_eq!(app.client.send("a.jpg", &large()).await.refusal(), (503, "overloaded"));
    let another = app.client.send("b.jpg", &pictures::jpeg(30, 20)).await;
    assert_eq!(
        (another.status, store.unfinished()),
        (429, 1),
        "the answer did not wait, and the file is still there"
    );
    eventually("it is broken off", || async { (store.unfinished() == 0).then_some(()) }).await;
    nothing_is_left(&ground, &store, 0).await;
    store.always("", Whim::Obey);
    eventually("there is a place", || async {
        (app.client.send("a.jpg", &large()).await.status == 202).then_some(())
    })
    .await;
    app.stop().await;
}

/// The time of an image is that of its pixels.
#[tokio::test]
async fn a_store_that_hangs_over_thumbnails_fails_no_image() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::InProcess).await;
    let app = ground.start_all(&[("DARKROOM_WORKER__IMAGE_SECONDS", "4")]).await;
    store.next("/thumbnails/", [Whim::Hang]);
    let id = app.client.upload("a.jpg", &pictures::jpeg(300, 200)).await;
    assert_eq!(app.client.settled(id).await["status"], "success");
    let attempt = "select attempt::bigint from jobs where kind = 'image'";
    assert!(ground.database.number(attempt).await > 1);
    app.stop().await;
}

#[tokio::test]
async fn removing_is_tried_once_more_and_what_is_gone_is_removed() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::RabbitMq).await;
    // Another process that starts has removed the trial of this one.
    store.next("DELETE", [Whim::Refuse(404, "NoSuchKey")]);
    let app = ground.start(Role::Server, &[("DARKROOM_FILES__S3_CALL_SECONDS", "1")]).await;
    let id = app.client.upload("a.jpg", &pictures::jpeg(30, 20)).await;
    store.next("DELETE", [Whim::Hang]);
    assert_eq!(app.client.delete(id).await, 204);
    let is_original = |name: &String| name.starts_with("originals/");
    eventually("it is gone", || async { (!ground.files().iter().any(is_original)).then_some(()) }).await;
    app.stop().await;
}

/// What an answer that may pass says of a file is nothing.
#[tokio::test]
async fn what_passes_damages_no_file() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[]).await;
    app.client.upload("a.jpg", &pictures::jpeg(30, 20)).await;
    let original = format!("/photos/{}/originals/", prefix(&ground));
    let busy = Whim::Refuse(503, "SlowDown");
    // Longer than the library tries.
    store.next(&original, vec![busy.clone(); 5]);
    let (sound, said, log) = output(&ground, &["--fsck"], &[]).await;
    assert!(sound && said.contains("1 files are sound, 0 missing, 0 damaged"), "{said}{log}");
    store.always(&original, busy);
    let (sound, said, log) = output(&ground, &["--fsck"], &[]).await;
    assert!(!sound && !said.contains("damaged") && log.contains("overloaded"), "{said}{log}");
    store.always("", Whim::Obey);
    app.stop().await;
}

#[tokio::test]
async fn an_object_whose_answer_was_lost_belongs_to_nobody_and_is_swept() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[("DARKROOM_FILES__SWEEP_EVERY_SECONDS", "0.2")]).await;
    store.always("POST", Whim::Forget);
    store.next("POST", [Whim::Obey]);
    assert_eq!(app.client.send("a.jpg", &large()).await.status, 503);
    store.always("", Whim::Obey);
    assert_eq!(store.unfinished(), 0);
    let [orphan] = &Vec::from_iter(ground.files())[..] else { panic!("{:?}", ground.files()) };
    store.age(&format!("{}/{orphan}", ground.bucket.as_ref().unwrap().prefix()), Duration::from_secs(7200));
    eventually("it is swept", || async { ground.files().is_empty().then_some(()) }).await;
    app.stop().await;
}

#[tokio::test]
async fn a_store_that_refuses_access_is_told_without_a_path() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let id = app.client.upload("a.jpg", &pictures::jpeg(30, 20)).await;
    app.client.settled(id).await;
    store.always("photos", Whim::Refuse(403, "AccessDenied"));
    let ready = eventually("it is not ready", || async {
        let ready = app.client.get("/readyz").await;
        (ready.status == 503).then_some(ready)
    })
    .await;
    let said = ready.data()["checks"]["volume"].as_str().unwrap().to_owned();
    assert!(said.contains("the object store refuses access"), "{said}");
    assert!(!said.contains("photos") && !said.contains("http"), "{said}");
    assert_eq!(app.client.send("b.jpg", &pictures::jpeg(40, 20)).await.status, 503);
    assert_eq!(app.client.get(&format!("/api/images/{id}/original")).await.status, 503);
    let (success, _, log) = output(&ground, &["--fsck"], &[]).await;
    assert!(!success && log.contains("refuses access") && !log.contains("s3cret"), "{log}");
    store.always("", Whim::Obey);
    app.client.upload("b.jpg", &pictures::jpeg(40, 20)).await;
    app.stop().await;
}

/// Otherwise images would fail for good whenever somebody mistypes a bucket.
#[tokio::test]
async fn a_bucket_that_is_gone_is_not_taken_for_missing_files() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::InProcess).await;
    let app = ground.start_all(&[("DARKROOM_WORKER__MAX_ATTEMPTS", "100")]).await;
    for method in ["GET", "HEAD"] {
        store.always(method, Whim::Refuse(404, "NoSuchBucket"));
    }
    let id = app.client.upload("a.jpg", &pictures::jpeg(300, 200)).await;
    assert_eq!(app.client.get(&format!("/api/images/{id}/original")).await.status, 503);
    eventually("it is tried again", || async {
        (ground.database.number("select max(attempt)::bigint from jobs").await > 1).then_some(())
    })
    .await;
    store.always("", Whim::Obey);
    assert_eq!(app.client.settled(id).await["status"], "success");

    // One that is really missing.
    store.always("GET", Whim::Refuse(503, "SlowDown"));
    let id = app.client.upload("b.jpg", &pictures::jpeg(200, 300)).await;
    let key = format!("select original_key from images where id = {id}");
    let key: String = ground.database.rows(&key).await[0].get(0);
    ground.remove_file(&key);
    store.always("", Whim::Obey);
    let failed = app.client.settled(id).await;
    assert_eq!((&failed["status"], &failed["error_code"]), (&"failed".into(), &"file_missing".into()));
    app.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_or_hangs_is_bounded_in_time_and_loses_nothing() {
    let store = FakeS3::start();
    let proxy = Proxy::before(store.address()).await;
    let ground = on(&store, Carrier::InProcess).await;
    let through = format!("http://{}", proxy.address);
    let own = [
        ("DARKROOM_FILES__S3_CALL_SECONDS", "2"),
        ("DARKROOM_FILES__S3_ENDPOINT", through.as_str()),
        ("DARKROOM_HTTP__REQUEST_SECONDS", "3"),
        ("DARKROOM_WORKER__MAX_ATTEMPTS", "50"),
    ];
    let app = ground.start_all(&own).await;
    let mut kept = vec![app.client.upload("a.jpg", &pictures::jpeg(300, 200)).await];
    app.client.settled(kept[0]).await;

    for hangs in [false, true] {
        if hangs {
            proxy.flow(Flow::Lost, Flow::Open);
        } else {
            proxy.cut();
        }
        let begun = Instant::now();
        for picture in [pictures::jpeg(40, 20), large()] {
            assert_eq!(app.client.send("b.jpg", &picture).await.refusal(), (503, "overloaded"));
        }
        for path in ["original", "thumbnails/small"] {
            assert_eq!(app.client.get(&format!("/api/images/{}/{path}", kept[0])).await.status, 503);
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        proxy.heal();
        // What hung arrives late, and may leave what nobody waits for.
        kept.push(app.client.upload("c.jpg", &pictures::jpeg(300, 200)).await);
    }
    for id in &kept {
        assert_eq!(app.client.settled(*id).await["status"], "success");
    }
    assert_eq!(ground.database.number("select count(*) from images").await, 3);
    app.stop().await;
}

#[tokio::test]
async fn an_original_that_breaks_off_is_read_on_where_it_broke() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[]).await;
    let large = large();
    let id = app.client.upload("a.jpg", &large).await;
    let path = format!("/api/images/{id}/original");
    store.next("GET", [Whim::Break, Whim::Break]);
    assert!(app.client.raw(&path).await.bytes().await.unwrap() == large);
    // If it always breaks, so does the answer: half an original is never taken for a whole one.
    store.always("GET", Whim::Break);
    assert!(app.client.raw(&path).await.bytes().await.is_err());
    store.always("", Whim::Obey);
    app.stop().await;
}

#[tokio::test]
async fn a_store_that_lets_nobody_in_at_the_start_is_waited_for() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::InProcess).await;
    store.always("PUT", Whim::Refuse(403, "AccessDenied"));
    let process = crate::support::process::Process::start(&ground, &["--standalone"], &[]);
    eventually("it says what it waits for", || async {
        let log = process.log();
        (log.contains("waiting for the volume") && log.contains("the object store refuses access"))
            .then_some(())
    })
    .await;
    assert!(!process.log().contains("s3cret"), "{}", process.log());
    store.always("", Whim::Obey);
    let client = process.client().await;
    let id = client.upload("a.jpg", &pictures::jpeg(30, 20)).await;
    assert_eq!(client.settled(id).await["status"], "success");
}
