//! Files in a bucket: the whole way of a picture, and what is swept.

use crate::support::bucket::Bucket;
use crate::support::fake_s3::FakeS3;
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::output;
use darkroom::app::Role;
use std::collections::BTreeSet;
use std::time::Duration;

pub async fn on(store: &FakeS3, carrier: Carrier) -> Ground {
    Ground::in_bucket(carrier, Bucket::at(&store.address(), "photos")).await
}

#[tokio::test]
async fn a_picture_goes_its_whole_way() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let small = pictures::jpeg(640, 480);
    let id = client.upload("small.jpg", &small).await;
    let image = client.settled(id).await;
    assert_eq!(image["status"], "success", "{image}");
    for size in ["small", "medium"] {
        client.picture(&format!("/api/images/{id}/thumbnails/{size}")).await;
    }
    assert_eq!(store.asked("uploads"), 0, "what fits into a part is one request");
    // Two parts and a bit.
    let mut large = small.clone();
    large.resize(11_000_000, 7);
    let second = client.upload("large.jpg", &large).await;
    assert_eq!(client.settled(second).await["status"], "success");
    assert_eq!(store.asked("partNumber="), 3);

    let path = format!("/api/images/{second}/original");
    let original = client.raw(&path).await;
    assert_eq!(original.headers()["content-length"], "11000000");
    assert!(original.bytes().await.unwrap() == large);
    for (range, status, part) in [
        ("bytes=0-9", 206, &large[..10]),
        ("bytes=5242879-5242881", 206, &large[5_242_879..=5_242_881]),
        ("bytes=-7", 206, &large[10_999_993..]),
        ("bytes=11000000-", 416, &[]),
    ] {
        let request = client.request(reqwest::Method::GET, &path).header("Range", range);
        let answered = request.send().await.unwrap();
        assert_eq!(answered.status(), status, "{range}");
        if status == 206 {
            assert!(answered.bytes().await.unwrap() == part, "{range}");
        }
    }
    ground.assert_files_match_rows().await;
    assert_eq!(store.unfinished(), 0);
    let (sound, said, log) = output(&ground, &["--fsck", "--contents"], &[]).await;
    assert!(sound && said.starts_with("checked: 2 images; 6 files are sound"), "{said}{log}");
    for id in [id, second] {
        assert_eq!(client.delete(id).await, 204);
    }
    assert_eq!(ground.files(), BTreeSet::new());
    app.stop().await;
}

#[tokio::test]
async fn what_is_refused_or_broken_off_never_reaches_the_bucket() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::InProcess).await;
    let app = ground.start_all(&[("DARKROOM_LIMITS__MAX_UPLOAD_BYTES", "7000000")]).await;
    assert_eq!(app.client.send("x.jpg", b"no picture").await.status, 415);
    assert_eq!(app.client.send("x.jpg", b"\xff\xd8\xff\xe0 no picture").await.status, 422);
    assert_eq!(app.client.send("x.jpg", &pictures::padded(8_000_000)).await.status, 413);
    assert_eq!((store.asked("PUT /photos/"), store.asked("/originals/")), (2, 0), "the trial and the mark");
    assert_eq!(ground.files(), BTreeSet::new());
    app.stop().await;
}

#[tokio::test]
async fn where_uploads_cannot_come_in_nobody_is_ready() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::InProcess).await;
    let folder = tempfile::tempdir().unwrap();
    let incoming = folder.path().join("incoming");
    let app = ground.start_all(&[("DARKROOM_FILES__DIR", incoming.to_str().unwrap())]).await;
    eventually("it is ready", || async { (app.client.get("/readyz").await.status == 200).then_some(()) })
        .await;
    std::fs::remove_dir_all(&incoming).unwrap();
    std::fs::write(&incoming, b"no folder").unwrap();
    let said = eventually("it is not ready", || async {
        let ready = app.client.get("/readyz").await;
        (ready.status == 503).then(|| ready.data()["checks"]["volume"].to_string())
    })
    .await;
    assert!(said.contains("making the folder failed"), "{said}");
    app.stop().await;
}

#[tokio::test]
async fn the_sweep_removes_what_no_row_names_over_all_pages() {
    let store = FakeS3::start();
    let ground = on(&store, Carrier::RabbitMq).await;
    let app = ground.start(Role::Server, &[("DARKROOM_FILES__SWEEP_EVERY_SECONDS", "0.2")]).await;
    let kept = app.client.upload("kept.jpg", &pictures::jpeg(30, 20)).await;
    let bucket = ground.bucket.as_ref().unwrap();
    let orphan = |number: u128| format!("originals/ab/{:032x}.jpg", 0xab << 120 | number);
    let young = orphan(99);
    for number in 0..10 {
        bucket.write(&orphan(number), b"x");
    }
    // Neither of these stands for a key, and the one that the library cannot name keeps nobody from the shelves after it.
    let backup = young.replace("/ab/", "/ab/backup/");
    let strays =
        ["originals/stray", "originals//stray", "originals/ab/NOTES", "originals/12//stray", &backup];
    for name in strays.into_iter().chain([young.as_str()]) {
        bucket.write(name, b"x");
    }
    let (young_key, mark) =
        (format!("{}/{young}", bucket.prefix()), format!("{}/installation", bucket.prefix()));
    for key in store.keys().iter().filter(|key| **key != young_key && **key != mark) {
        store.age(key, Duration::from_secs(7200));
    }
    eventually("the orphans are gone", || async {
        let files = ground.files();
        (0..10).all(|number| !files.contains(&orphan(number))).then_some(())
    })
    .await;
    let left = ground.files();
    assert!(strays.iter().all(|name| left.contains(*name)) && left.contains(&young), "{left:?}");
    assert_eq!(left.len(), strays.len() + 2, "the image keeps its original: {left:?}");
    assert_eq!(app.client.image(kept).await["status"], "processing");
    app.stop().await;
}

#[tokio::test]
async fn prefixes_share_a_bucket_and_installations_share_no_prefix() {
    let store = FakeS3::start();
    let (one, other) = (on(&store, Carrier::InProcess).await, on(&store, Carrier::InProcess).await);
    let (app, beside) = (one.start_all(&[]).await, other.start_all(&[]).await);
    for running in [&app, &beside] {
        let id = running.client.upload("mine.jpg", &pictures::jpeg(30, 20)).await;
        running.client.settled(id).await;
    }
    one.assert_files_match_rows().await;
    other.assert_files_match_rows().await;
    beside.stop().await;
    let url = one.bucket.as_ref().unwrap().url();
    let (success, _, log) = output(&other, &["--standalone"], &[("DARKROOM_FILES__URL", &url)]).await;
    assert!(!success && log.contains("belongs to installation") && log.contains("files.url"), "{log}");
    app.stop().await;
}
