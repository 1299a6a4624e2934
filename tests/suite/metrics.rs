//! Metrics: what was done is what is counted, and whatever is away, the rest is told.

mod families;
mod named;

use crate::captions;
use crate::keys::{KEYS, new_key};
use crate::support::client::Client;
use crate::support::exposition::Exposition;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::fake_server::{FakeServer, Reply};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::Process;
use crate::support::proxy::Proxy;
use crate::webhooks;
use darkroom::app::Role;
use futures_util::future::join_all;
use reqwest::Method;
use std::time::{Duration, Instant};

/// Waits until a sum is this.
async fn reaches(client: &Client, name: &str, labels: &[(&str, &str)], expected: f64) -> Exposition {
    eventually(&format!("{name} {labels:?} is {expected}"), || async {
        let told = Exposition::of(client).await;
        (told.sum(name, labels) == expected).then_some(told)
    })
    .await
}

#[tokio::test]
async fn uploads_jobs_stages_and_calls_are_counted() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Refuse(503, "later")).await;
    let receiver = FakeServer::start(Reply::new(204, "")).await;
    let (url, secret) = (captioner.url(), webhooks::secret());
    let own = [
        &captions::settings(&url)[..],
        &webhooks::settings(&secret, &[]),
        &[("DARKROOM_CAPTIONER__BREAKER_FAILURES", "50")],
    ]
    .concat();
    let app = ground.start_all(&own).await;
    let client = &app.client;

    let good = pictures::jpeg(300, 200);
    let first = webhooks::upload(client, &good, &receiver.url("/hook")).await;
    let again = |number| client.upload_request("a.jpg", &pictures::unlike(good.clone(), number));
    for _ in 0..2 {
        assert_eq!(again(1).header("Idempotency-Key", "k").send().await.unwrap().status(), 202);
    }
    let mut torn = pictures::jpeg(300, 200);
    torn.truncate(torn.len() / 2);
    client.upload("torn.jpg", &torn).await;
    assert_eq!(client.send("a.gif", b"GIF89a....").await.status, 415);
    let retried = [("kind", "caption"), ("reason", "captioner_unavailable")];
    eventually("the caption is tried again", || async {
        (Exposition::of(client).await.sum("darkroom_job_retries_total", &retried) >= 1.0).then_some(())
    })
    .await;
    captioner.set(Mode::Caption("A wall."));
    client.settled(first).await;
    let delivered = [("kind", "webhook"), ("outcome", "succeeded")];
    reaches(client, "darkroom_jobs_total", &delivered, 1.0).await;
    reaches(client, "darkroom_jobs_total", &[("kind", "caption"), ("outcome", "succeeded")], 2.0).await;
    reaches(client, "darkroom_jobs_running", &[], 0.0).await;
    // A family is told after the other, so that what happens meanwhile may be in one of them and not yet in another.
    let told = Exposition::of(client).await;

    let uploads = |outcome| told.sum("darkroom_uploads_total", &[("outcome", outcome)]);
    assert_eq!((uploads("accepted"), uploads("repeated"), uploads("unsupported_type")), (3.0, 1.0, 1.0));
    assert_eq!(told.sum("darkroom_uploads_total", &[]), 5.0);
    let bytes = good.len() + pictures::unlike(good.clone(), 1).len() + torn.len();
    assert_eq!(told.sum("darkroom_upload_bytes_total", &[]), bytes as f64);
    let jobs = |kind, outcome| told.sum("darkroom_jobs_total", &[("kind", kind), ("outcome", outcome)]);
    assert_eq!((jobs("image", "succeeded"), jobs("image", "truncated")), (2.0, 1.0));
    let attempts = |kind| told.sum("darkroom_job_attempts_total", &[("kind", kind)]);
    let retries = told.sum("darkroom_job_retries_total", &retried);
    assert_eq!((attempts("image"), attempts("webhook")), (3.0, 1.0));
    assert!(attempts("caption") >= 2.0 + retries, "{} attempts, {retries} retries", attempts("caption"));
    for kind in ["image", "caption", "webhook"] {
        let waits = told.sum("darkroom_job_wait_seconds_count", &[("kind", kind)]);
        assert_eq!(waits, attempts(kind), "{kind}: each attempt has waited");
        let lag = told.sum("darkroom_announcement_lag_seconds_count", &[("kind", kind)]);
        let confirmed = [("kind", kind), ("outcome", "confirmed")];
        assert_eq!(lag, told.sum("darkroom_announcements_total", &confirmed), "{kind}");
        assert!(lag >= attempts(kind), "{kind}: {lag}");
    }
    let ran = |stage| told.sum("darkroom_stage_run_seconds_count", &[("stage", stage)]);
    assert_eq!((ran("metadata"), ran("thumbnails"), ran("caption")), (3.0, 3.0, attempts("caption")));
    let calls = |outcome| {
        told.sum("darkroom_captioner_calls_total", &[("provider", "openai_chat"), ("outcome", outcome)])
    };
    let asked = captioner.asked().len() as f64;
    assert_eq!(calls("succeeded") + calls("captioner_unavailable"), asked);
    assert_eq!(told.sum("darkroom_captioner_call_seconds_count", &[]), asked);
    assert_eq!(told.sum("darkroom_webhook_calls_total", &[("outcome", "succeeded")]), 1.0);
    assert_eq!(told.sum("darkroom_webhook_call_seconds_count", &[]), 1.0);
    app.stop().await;
}

#[tokio::test]
async fn requests_are_counted_under_the_patterns_of_their_paths() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    for number in 0..30 {
        assert_eq!(client.get(&format!("/api/images/{}", 1000 + number)).await.status, 404);
        assert_eq!(client.get(&format!("/made/up/{number}")).await.status, 404);
    }
    client.request(Method::from_bytes(b"BREW").unwrap(), "/api/images").send().await.unwrap();
    let stream = client.raw("/api/events").await;
    let told = reaches(client, "darkroom_event_clients", &[], 1.0).await;
    let requests = |route, method, status| {
        let labels = [("route", route), ("method", method), ("status", status)];
        told.sum("darkroom_http_requests_total", &labels)
    };
    assert_eq!(requests("/api/images/{id}", "GET", "404"), 30.0);
    assert_eq!(requests("other", "GET", "404"), 30.0);
    assert_eq!(requests("/api/images", "other", "405"), 1.0);
    assert_eq!(requests("/api/events", "GET", "200"), 1.0);
    let durations = told.sum("darkroom_http_request_duration_seconds_count", &[("route", "other")]);
    assert_eq!(durations, 30.0);
    drop(stream);
    app.stop().await;
}

#[tokio::test]
async fn lost_leases_and_workers_that_vanish_are_counted() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Hang).await;
    let url = captioner.url();
    let own = [&captions::settings(&url)[..], &[("DARKROOM_WORKER__LISTEN", "127.0.0.1:0")]].concat();
    let server = ground.start(Role::Server, &own).await;
    let worker = Process::start(&ground, &["--worker"], &own);
    let health = worker.client().await;
    let id = server.client.upload("k.jpg", &pictures::jpeg(300, 200)).await;
    reaches(&health, "darkroom_jobs_running", &[("kind", "caption")], 1.0).await;
    server.client.delete(id).await;
    reaches(&health, "darkroom_leases_lost_total", &[("kind", "caption")], 1.0).await;

    let id = server.client.upload("k.jpg", &pictures::jpeg(300, 201)).await;
    reaches(&health, "darkroom_jobs_running", &[("kind", "caption")], 1.0).await;
    worker.signal("-KILL");
    captioner.set(Mode::Caption("Rescued."));
    let retried = [("kind", "caption"), ("reason", "worker_lost")];
    reaches(&server.client, "darkroom_jobs_found_lost_total", &[("kind", "caption")], 1.0).await;
    reaches(&server.client, "darkroom_job_retries_total", &retried, 1.0).await;
    let next = Process::start(&ground, &["--worker"], &own);
    assert_eq!(server.client.settled(id).await["caption"], "Rescued.");
    drop((worker, next));
    server.stop().await;
}

#[tokio::test]
async fn what_waits_is_told_by_kind_and_where() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let proxy = Proxy::before(ground.broker().address()).await;
    let url = ground.broker().url_through(proxy.address);
    let server = ground.start(Role::Server, &[("DARKROOM_AMQP__URL", &url)]).await;
    let client = &server.client;
    for number in 0..3 {
        client.upload("a.jpg", &pictures::unlike(pictures::jpeg(64, 64), number)).await;
    }
    let image = [("kind", "image")];
    let told = reaches(client, "darkroom_jobs_unannounced", &image, 0.0).await;
    assert_eq!(told.sum("darkroom_jobs_waiting", &image), 3.0);
    proxy.cut();
    client.upload("b.jpg", &pictures::jpeg(65, 64)).await;
    let told = reaches(client, "darkroom_jobs_waiting", &image, 4.0).await;
    assert!(told.sum("darkroom_oldest_waiting_seconds", &image) > 0.0);
    eventually("it waits for the broker", || async {
        let told = Exposition::of(client).await;
        let failed = [("kind", "image"), ("outcome", "failed")];
        let unannounced = told.sum("darkroom_jobs_unannounced", &image) == 1.0;
        (unannounced && told.sum("darkroom_announcements_total", &failed) >= 1.0).then_some(())
    })
    .await;
    let due = "update jobs set due_at = due_at + interval '1 day', announce_at = due_at + interval '1 day'
               where announce_at is not null";
    ground.database.run(due).await;
    let told = reaches(client, "darkroom_jobs_postponed", &image, 1.0).await;
    assert_eq!(told.sum("darkroom_jobs_waiting", &image), 3.0);
    proxy.heal();
    server.stop().await;
}

#[tokio::test]
async fn a_database_that_is_away_takes_only_its_own_figures_along() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let proxy = Proxy::before(ground.database.address()).await;
    let url = ground.database.url_through(proxy.address);
    let app = ground.start_all(&[("DARKROOM_DATABASE__URL", &url)]).await;
    let client = &app.client;
    let id = client.upload("a.jpg", &pictures::jpeg(64, 64)).await;
    client.settled(id).await;
    let told = reaches(client, "darkroom_database_up", &[], 1.0).await;
    assert!(told.samples.iter().any(|sample| sample.name == "darkroom_jobs_waiting"));
    proxy.cut();
    let told = reaches(client, "darkroom_database_up", &[], 0.0).await;
    assert!(!told.samples.iter().any(|sample| sample.name == "darkroom_jobs_waiting"));
    assert_eq!(told.sum("darkroom_volume_up", &[]), 1.0);
    // A bucket has no end.
    assert!(ground.bucket.is_some() || told.sum("darkroom_volume_free_bytes", &[]) > 0.0);
    assert_eq!(told.sum("darkroom_jobs_total", &[("kind", "image"), ("outcome", "succeeded")]), 1.0);
    let begun = Instant::now();
    join_all((0..50).map(|_| Exposition::of(client))).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    proxy.heal();
    reaches(client, "darkroom_database_up", &[], 1.0).await;
    app.stop().await;
}

#[tokio::test]
async fn a_server_asks_for_a_key_that_may_read_and_a_worker_for_none() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let own = [KEYS, ("DARKROOM_WORKER__LISTEN", "127.0.0.1:0")];
    let server = ground.start(Role::Server, &own).await;
    let (reads, writes) = (
        new_key(&ground, &["prometheus", "--scope", "read"]).await,
        new_key(&ground, &["phone", "--scope", "write"]).await,
    );
    let asked = async |key: Option<&str>| {
        let request = server.client.request(Method::GET, "/metrics");
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        request.send().await.unwrap()
    };
    assert_eq!(asked(None).await.status(), 401);
    assert_eq!(asked(Some(&writes)).await.status(), 403);
    let answer = asked(Some(&reads)).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("ratelimit"), "it is a request like others");
    Exposition::parse(answer.text().await.unwrap());
    let worker = Process::start(&ground, &["--worker"], &own);
    let health = worker.client().await;
    eventually("the worker is there", || async {
        (health.raw("/metrics").await.status() == 200).then_some(())
    })
    .await;
    let told = Exposition::of(&health).await;
    assert!(!told.families.contains_key("darkroom_database_up"), "the backlog is told by servers");
    drop(worker);
    server.stop().await;
}
