//! Who may be told: which callback URLs are taken, and which addresses are called.

use crate::full_tables::store;
use crate::support::client::{Answer, answer};
use crate::support::fake_server::{FakeServer, Reply};
use crate::support::ground::{Carrier, Ground, Running, eventually};
use crate::support::pictures;
use crate::support::process::output;
use crate::webhooks::{codes, deliveries, ended, secret, start, upload};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// An upload whose parts are these, in this order; `file` stands for the picture.
async fn send(app: &Running, parts: &[(&'static str, &str)], key: Option<&str>) -> Answer {
    let mut form = Form::new();
    for (name, text) in parts {
        form = match *name {
            "file" => form.part("file", Part::bytes(pictures::jpeg(64, 48)).file_name((*text).to_owned())),
            name => form.text(name, (*text).to_owned()),
        };
    }
    let mut request = app.client.request(Method::POST, "/api/images").multipart(form);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    answer(request).await
}

#[tokio::test]
async fn a_callback_url_is_taken_before_and_after_the_file() {
    let ground = Ground::new(Carrier::InProcess).await;
    let receiver = FakeServer::start(Reply::new(200, "")).await;
    let app = start(&ground, &[]).await;
    let (url, other) = (receiver.url("/one"), receiver.url("/two"));
    for parts in [
        &[("callback_url", url.as_str()), ("file", "a.jpg")][..],
        &[("file", "a.jpg"), ("callback_url", &url)],
        &[("note", "hello"), ("file", "a.jpg"), ("note", "more"), ("callback_url", &url), ("x", "")],
    ] {
        let sent = send(&app, parts, None).await;
        assert_eq!(sent.status, 202, "{sent:?}");
        let image = sent.data()["image_id"].as_i64().unwrap();
        ended(&app.client, image, "delivered").await;
        assert_eq!(app.client.image(image).await["callback_url"], url.as_str());
    }
    // An empty field of a form names nobody.
    let sent = send(&app, &[("file", "a.jpg"), ("callback_url", "")], None).await;
    let image = sent.data()["image_id"].as_i64().unwrap();
    assert!(app.client.settled(image).await["callback_url"].is_null());

    let first = send(&app, &[("file", "a.jpg"), ("callback_url", &url)], Some("order-7")).await;
    let again = send(&app, &[("file", "a.jpg"), ("callback_url", &other)], Some("order-7")).await;
    assert_eq!(first.data()["image_id"], again.data()["image_id"], "the key decides");
    let image = first.data()["image_id"].as_i64().unwrap();
    ended(&app.client, image, "delivered").await;
    assert_eq!(app.client.image(image).await["callback_url"], url.as_str());
    app.stop().await;
}

#[tokio::test]
async fn a_callback_url_that_cannot_be_called_leaves_nothing_behind() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = start(&ground, &[("DARKROOM_WEBHOOKS__ALLOW_PRIVATE", "false")]).await;
    let long = format!("https://example.com/{}", "a".repeat(2040));
    let longer = format!("https://example.com/{}", "a".repeat(500_000));
    for (url, named) in [
        ("nonsense", "no URL"),
        ("ftp://example.com/", "http://"),
        ("https://user:word@example.com/", "password"),
        ("https://example.com:0/", "port 0"),
        ("https://", "no URL"),
        ("https://exa mple.com/", "no URL"),
        ("https://ex\0ample.com/", "no URL"),
        (&long, "2048 bytes"),
        (&longer, "2048 bytes"),
        ("http://127.0.0.1/", "loopback"),
        ("http://0x7f.1:8080/", "loopback"),
        ("http://[::1]/", "loopback"),
        ("http://[::ffff:10.0.0.1]/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
    ] {
        for parts in [[("callback_url", url), ("file", "a.jpg")], [("file", "a.jpg"), ("callback_url", url)]]
        {
            let sent = send(&app, &parts, None).await;
            assert_eq!(sent.refusal(), (400, "malformed_request"), "{sent:?}");
            let sentence = sent.body["error"].as_str().unwrap();
            assert!(sentence.contains("callback_url") && sentence.contains(named), "{sentence}");
            assert!(!sentence.contains("word@"), "{sentence}");
        }
    }
    let fine = "https://example.com/";
    for parts in [
        &[("callback_url", fine), ("file", "a.jpg"), ("callback_url", fine)][..],
        &[("file", "a.jpg"), ("callback_url", fine), ("callback_url", fine)],
    ] {
        assert_eq!(send(&app, parts, None).await.refusal(), (400, "malformed_request"), "which of the two?");
    }
    assert_eq!(send(&app, &[("callback_url", fine)], None).await.refusal(), (400, "no_file"));
    assert_eq!(ground.database.number("select count(*) from images").await, 0);
    assert!(ground.files().is_empty(), "{:?}", ground.files());
    app.stop().await;
}

#[tokio::test]
async fn without_a_secret_nobody_can_be_told_and_settings_say_so() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let refused = send(&app, &[("callback_url", "https://example.com/"), ("file", "a.jpg")], None).await;
    assert_eq!(refused.refusal(), (400, "malformed_request"));
    assert!(refused.body["error"].as_str().unwrap().contains("webhooks.secret"), "{refused:?}");
    app.stop().await;
    let secret = secret();
    for (settings, named) in [
        (&[("DARKROOM_WEBHOOKS__SECRET", "whsec_c2hvcnQ=")][..], "webhooks.secret"),
        (&[("DARKROOM_WEBHOOKS__URL", "https://example.com/")], "webhooks.url"),
        (
            &[("DARKROOM_WEBHOOKS__URL", "http://10.1.2.3/"), ("DARKROOM_WEBHOOKS__SECRET", &secret)],
            "webhooks.url",
        ),
    ] {
        let (success, _, said) = output(&ground, &["--standalone"], settings).await;
        assert!(!success && said.contains(named), "{said}");
        assert!(!said.contains("c2hvcnQ") && !said.contains(&secret), "{said}");
    }
}

#[tokio::test]
async fn a_name_that_stands_for_a_private_address_is_not_called() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let counting = tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let app = start(&ground, &[("DARKROOM_WEBHOOKS__ALLOW_PRIVATE", "false")]).await;
    let image = upload(&app.client, &pictures::jpeg(64, 48), &format!("http://localhost:{port}/")).await;
    let delivery = ended(&app.client, image, "failed").await;
    assert_eq!(codes(&delivery), ["webhook_address_refused"], "{delivery}");
    let sentence = delivery["attempts"][0]["error"].as_str().unwrap();
    assert!(!sentence.contains("127.0.0.1") && !sentence.contains("::1"), "{sentence}");
    // A row that another process has let in.
    ground.database.run(&format!("update images set callback_url = 'http://127.0.0.1:{port}/'")).await;
    ground
        .database
        .run(&format!("update webhook_events set url = 'http://[::ffff:127.0.0.1]:{port}/'"))
        .await;
    let path = format!("/api/images/{image}/deliveries/{}/replay", delivery["delivery_id"]);
    assert_eq!(answer(app.client.request(Method::POST, &path)).await.status, 202);
    eventually("the replay has failed", || async {
        let all = deliveries(&app.client, image).await;
        (all.len() == 2 && all[0]["status"] == "failed").then(|| {
            assert_eq!(codes(&all[0]), ["webhook_address_refused"]);
        })
    })
    .await;
    assert_eq!(connections.load(Ordering::SeqCst), 0, "somebody connected");
    app.stop().await;

    // The same name, where it is allowed.
    let app = start(&ground, &[("DARKROOM_WEBHOOKS__CALL_SECONDS", "1")]).await;
    upload(&app.client, &pictures::jpeg(64, 48), &format!("http://localhost:{port}/")).await;
    eventually("it is called", || async { (connections.load(Ordering::SeqCst) > 0).then_some(()) }).await;
    app.stop().await;
    counting.abort();
}

#[tokio::test]
async fn what_was_told_is_kept_in_bounds_and_forgotten() {
    let ground = Ground::new(Carrier::InProcess).await;
    let receiver = FakeServer::start(Reply::new(200, "")).await;
    let app = start(&ground, &[]).await;
    let image = upload(&app.client, &pictures::jpeg(64, 48), &receiver.url("/hook")).await;
    let first = ended(&app.client, image, "delivered").await;
    let mut newest = first["delivery_id"].clone();
    for _ in 0..25 {
        let path = format!("/api/images/{image}/deliveries/{newest}/replay");
        let replayed = answer(app.client.request(Method::POST, &path)).await;
        newest = replayed.data()["delivery_id"].clone();
        ended(&app.client, image, "delivered").await;
    }
    assert_eq!(deliveries(&app.client, image).await.len(), 21, "twenty, and the one that came last");
    app.stop().await;

    let (database, store) = (&ground.database, store(&ground.database));
    let (day, jobs) = (Duration::from_secs(86_400), "select count(*) from jobs where kind = 'webhook'");
    assert!(!store.forget_webhook_events(30 * day).await.unwrap());
    assert_eq!(database.number(jobs).await, 21, "they are younger than that");
    database.run("update webhook_events set created_at = created_at - interval '31 days'").await;
    database
        .run("update jobs set state = 'queued', finished_at = null where id = (select max(id) from jobs)")
        .await;
    assert!(!store.forget_webhook_events(30 * day).await.unwrap());
    assert_eq!(database.number(jobs).await, 21, "one is still being told");
    database
        .run("update jobs set state = 'failed', finished_at = now() where id = (select max(id) from jobs)")
        .await;
    assert!(!store.forget_webhook_events(30 * day).await.unwrap());
    for table in ["webhook_events", "webhook_attempts", "jobs where kind = 'webhook'"] {
        assert_eq!(database.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    assert_eq!(database.number("select count(*) from jobs").await, 1, "the image has its own");
    assert_eq!(store.stats().await.unwrap().webhooks.delivered, 0, "only what is kept counts");
}
