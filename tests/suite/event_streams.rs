//! Streams of events as connections: bounded, patient with those who wait, impatient with those who do not read.

use crate::events::listen;
use crate::keys::{KEYS, new_key};
use crate::support::client::answer;
use crate::support::ground::{Carrier, Ground, PATIENCE, Running, eventually};
use crate::support::listener::Listener;
use crate::support::pictures;
use crate::support::process::output;
use crate::support::raw::{Raw, request};
use darkroom::app::Role;
use reqwest::Method;
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;

/// So many events of a thousand bytes each, numbered by the relay as all others.
async fn flood(ground: &Ground, count: usize) {
    let sql = format!(
        "insert into event_outbox (image_id, kind, original_name, status)
         select 1, 'status', repeat('x', 900), 'processing' from generate_series(1, {count}); notify darkroom_images, '1'"
    );
    ground.database.run(&sql).await;
}

/// A connection that buffers next to nothing.
async fn narrow(app: &Running, path: &str) -> Raw {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8192).unwrap();
    let mut raw = Raw(socket.connect(app.client.address().parse().unwrap()).await.unwrap());
    raw.send(request("GET", path, "")).await;
    raw
}

#[tokio::test]
async fn refusals_name_what_is_wrong() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start(Role::Standalone, &[]).await;
    let id = app.client.upload("a.jpg", &pictures::jpeg(40, 30)).await;
    let of_one = format!("/api/images/{id}/events");
    for path in ["/api/events", of_one.as_str()] {
        for last in ["abc", "-1", "1.5", "", "99999999999999999999", "\u{e9}"] {
            let asked = app.client.request(Method::GET, path).header("Last-Event-ID", last.as_bytes());
            assert_eq!(answer(asked).await.refusal(), (400, "malformed_request"), "{last:?}");
        }
        let asked = app.client.get(&format!("{path}?last_event_id=x")).await;
        assert_eq!(asked.refusal(), (400, "malformed_request"));
        assert_eq!(
            answer(app.client.request(Method::POST, path)).await.refusal(),
            (405, "method_not_allowed")
        );
    }
    for path in ["/api/images/77/events", "/api/images/0/events", "/api/images/abc/events"] {
        assert_eq!(app.client.get(path).await.refusal(), (404, "not_found"));
    }
    app.client.settled(id).await;
    let mut by_parameter = listen(&app, "/api/events?last_event_id=1", None).await;
    assert_eq!(by_parameter.event().await.id, 2);
    let mut by_both = listen(&app, "/api/events?last_event_id=1", Some(2)).await;
    assert_eq!(by_both.event().await.id, 3, "the header is the later one");
    app.stop().await;
}

#[tokio::test]
async fn clients_beyond_the_bound_are_refused_until_others_leave() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start(Role::Standalone, &[("DARKROOM_LIMITS__MAX_EVENT_CLIENTS", "2")]).await;
    // HEAD is answered like GET, and takes no place.
    for _ in 0..5 {
        let head = app.client.request(Method::HEAD, "/api/events").send().await.unwrap();
        assert_eq!(
            (head.status().as_u16(), &head.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        assert!(head.bytes().await.unwrap().is_empty());
    }
    let first = listen(&app, "/api/events", None).await;
    let _second = listen(&app, "/api/events", Some(0)).await;
    let refused = app.client.get("/api/events").await;
    assert_eq!(refused.refusal(), (503, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(app.client.get("/api/images").await.status, 200, "all else goes on");
    drop(first);
    eventually("a place is free", || async {
        let request = app.client.request(Method::GET, "/api/events");
        Listener::try_open(request, None).await.ok().map(drop)
    })
    .await;
    app.stop().await;
}

#[tokio::test]
async fn a_key_has_a_share_of_the_places() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start(Role::Standalone, &[KEYS, ("DARKROOM_LIMITS__MAX_EVENT_CLIENTS", "5")]).await;
    let keys = [
        new_key(&ground, &["greedy", "--scope", "read"]).await,
        new_key(&ground, &["modest", "--scope", "read"]).await,
    ];
    let with = |key: &str| app.client.request(Method::GET, "/api/events").header("X-API-Key", key);
    let first = Listener::open(with(&keys[0]), None).await;
    let refused = answer(with(&keys[0])).await;
    assert_eq!(refused.refusal(), (429, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    let _other = Listener::open(with(&keys[1]), None).await;
    drop(first);
    eventually("its place is free", || async {
        Listener::try_open(with(&keys[0]), None).await.ok().map(drop)
    })
    .await;
    app.stop().await;
}

#[tokio::test]
async fn a_stream_on_which_nothing_happens_stays_open() {
    let ground = Ground::new(Carrier::InProcess).await;
    let own = [
        ("DARKROOM_HTTP__UPLOAD_IDLE_SECONDS", "1"),
        ("DARKROOM_HTTP__KEEP_ALIVE_SECONDS", "1"),
        ("DARKROOM_HTTP__REQUEST_SECONDS", "1"),
    ];
    let app = ground.start(Role::Standalone, &own).await;
    let mut listener = listen(&app, "/api/events", None).await;
    listener.comment().await;
    app.client.upload("a.jpg", &pictures::jpeg(40, 30)).await;
    assert_eq!(listener.event().await.kind, "status");
    app.stop().await;
}

// The client that reads shall not be slow for want of a thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_take_what_happens_is_cut_and_the_others_go_on() {
    let ground = Ground::new(Carrier::InProcess).await;
    let own = [("DARKROOM_LIMITS__MAX_EVENT_CLIENTS", "2"), ("DARKROOM_HTTP__UPLOAD_IDLE_SECONDS", "6")];
    let app = ground.start(Role::Standalone, &own).await;
    let mut deaf = narrow(&app, "/api/events").await;
    assert_eq!(deaf.head().await.status, 200);
    let mut listener = listen(&app, "/api/events", None).await;
    // More than the buffers of both sides and the memory of the server hold.
    const COUNT: usize = 12_000;
    flood(&ground, COUNT).await;
    let heard = listener.events(COUNT).await;
    assert!(heard.iter().zip(1..).all(|(event, number)| event.id == number), "each once, in order");
    eventually("its place is free", || async {
        let request = app.client.request(Method::GET, "/api/events");
        Listener::try_open(request, None).await.ok().map(drop)
    })
    .await;
    app.stop().await;
}

#[tokio::test]
async fn who_lags_behind_is_given_everything_from_the_rows() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start(Role::Standalone, &[]).await;
    let mut listener = listen(&app, "/api/events", None).await;
    const COUNT: usize = 12_000;
    flood(&ground, COUNT).await;
    // It begins to read when the server holds none of the first ones in its memory any more.
    eventually("all are numbered", || async {
        (ground.database.number("select newest from event_log").await == COUNT as i64).then_some(())
    })
    .await;
    let heard = listener.events(COUNT).await;
    assert!(heard.iter().zip(1..).all(|(event, number)| event.id == number), "each once, in order");
    app.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_key_that_opened_it() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start(Role::Standalone, &[KEYS]).await;
    let keys = [
        new_key(&ground, &["lent", "--scope", "read"]).await,
        new_key(&ground, &["own", "--scope", "admin"]).await,
    ];
    let with = |key: &str| app.client.request(Method::GET, "/api/events").header("X-API-Key", key);
    let mut lent = Listener::open(with(&keys[0]), None).await;
    let mut own = Listener::open(with(&keys[1]), None).await;
    let (revoked, _, said) = output(&ground, &["--revoke-key", "lent"], &[]).await;
    assert!(revoked, "{said}");
    let ended = tokio::time::timeout(PATIENCE, lent.next()).await;
    assert_eq!(ended.expect("it should end in time"), None);
    assert_eq!(answer(with(&keys[0])).await.refusal(), (401, "unauthorized"));
    let sent =
        answer(app.client.upload_request("k.jpg", &pictures::jpeg(64, 64)).bearer_auth(&keys[1])).await;
    assert_eq!(sent.status, 202);
    assert_eq!(own.event().await.kind, "status");
    app.stop().await;
}

#[tokio::test]
async fn a_stop_ends_streams_at_once() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start(Role::Standalone, &[("DARKROOM_HTTP__GRACE_SECONDS", "25")]).await;
    let id = app.client.upload("a.jpg", &pictures::jpeg(40, 30)).await;
    app.client.settled(id).await;
    let mut all = listen(&app, "/api/events", None).await;
    let mut one = listen(&app, &format!("/api/images/{id}/events"), None).await;
    one.events(4).await;
    let begun = Instant::now();
    app.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for the end of the grace time");
    // It may have been told of the last stages.
    while all.next().await.is_some() {}
    assert_eq!(one.next().await, None);
}

#[tokio::test]
async fn streams_outlast_an_absence_of_postgres() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start(Role::Standalone, &[]).await;
    let mut listener = listen(&app, "/api/events", None).await;
    let mut expected = 0;
    for number in 0..3 {
        ground.database.admit(false).await;
        ground.database.terminate_connections().await;
        eventually("the database is missed", || async {
            (app.client.get("/readyz").await.status == 503).then_some(())
        })
        .await;
        // One that comes back now is patient, too.
        let mut returning = listen(&app, "/api/events", Some(expected)).await;
        ground.database.admit(true).await;
        let id = eventually("uploads are taken again", || async {
            let sent = app.client.send("a.jpg", &pictures::unlike(pictures::jpeg(40, 30), number)).await;
            (sent.status == 202).then(|| sent.data()["image_id"].as_i64().unwrap())
        })
        .await;
        app.client.settled(id).await;
        let heard = listener.events(4).await;
        assert_eq!(
            heard.iter().map(|event| event.id).collect::<Vec<_>>(),
            (expected + 1..=expected + 4).collect::<Vec<_>>()
        );
        assert_eq!(returning.events(4).await, heard);
        expected += 4;
    }
    app.stop().await;
}
