//! Webhooks: what one receiver, one worker or one caller does is at nobody else's expense.

use crate::full_tables::store;
use crate::support::client::answer;
use crate::support::database::Database;
use crate::support::fake_server::{FakeServer, Reply};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::{Process, output};
use crate::support::proxy::Proxy;
use crate::tallies;
use crate::webhooks::{codes, deliveries, ended, secret, settings, start, upload};
use darkroom::app::Role;
use darkroom::domain::{Failure, FailureCode, ImageId, JobId, JobKind, WebhookCall};
use darkroom::store::{Finish, History, Replayed, Store, Work};
use reqwest::Method;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_receiver_that_hangs_keeps_no_other_waiting() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let (hanging, well) =
        (FakeServer::start(Reply::Hang).await, FakeServer::start(Reply::new(200, "")).await);
    let proxy = Proxy::before(hanging.address()).await;
    let own = [("DARKROOM_WEBHOOKS__CALL_SECONDS", "25"), ("DARKROOM_WORKER__WEBHOOK_CONCURRENCY", "8")];
    let app = start(&ground, &own).await;
    let picture = pictures::jpeg(32, 32);
    let mut images = Vec::new();
    for _ in 0..20 {
        images.push(upload(&app.client, &picture, &format!("http://{}/hook", proxy.address)).await);
    }
    for image in &images {
        app.client.settled(*image).await;
    }
    eventually("it hangs", || async { (hanging.asked().len() == 2).then_some(()) }).await;
    let before = Instant::now();
    let other = upload(&app.client, &picture, &well.url("/hook")).await;
    ended(&app.client, other, "delivered").await;
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
    assert_eq!(hanging.asked().len(), 2, "the first calls still hang, and no third was made");
    let attempts = "select sum(attempt)::bigint from jobs where kind = 'webhook' and state <> 'succeeded'";
    assert_eq!(ground.database.number(attempts).await, 2, "to be put off is no attempt");

    // All that were put off are made once it answers.
    hanging.set(Reply::new(200, ""));
    proxy.cut_off().await;
    proxy.heal();
    for image in images {
        ended(&app.client, image, "delivered").await;
    }
    app.stop().await;
    assert_eq!(ground.broker().ready("webhook").await, 0);
}

#[tokio::test]
async fn a_worker_without_the_secret_leaves_webhooks_to_those_who_have_it() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let receiver = FakeServer::start(Reply::new(200, "")).await;
    let secret = secret();
    let own = settings(&secret, &[]);
    let server = ground.start(Role::Server, &own).await;
    let without = Process::start(&ground, &["--worker"], &[]);
    let image = upload(&server.client, &pictures::jpeg(64, 48), &receiver.url("/hook")).await;
    server.client.settled(image).await;
    eventually("it waits in the queue", || async {
        (ground.broker().ready("webhook").await == 1).then_some(())
    })
    .await;
    assert!(without.log().contains("without webhooks.secret"), "{}", without.log());
    let with = Process::start(&ground, &["--worker", "--queues", "webhook"], &own);
    let delivery = ended(&server.client, image, "delivered").await;
    assert_eq!(codes(&delivery), ["delivered"]);
    drop((with, without));
    server.stop().await;
    let (success, _, said) = output(&ground, &["--worker", "--queues", "webhook"], &[]).await;
    assert!(!success && said.contains("webhooks.secret"), "{said}");
}

#[tokio::test]
async fn a_webhook_cannot_drive_the_api_that_sends_it() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = start(&ground, &[("DARKROOM_WEBHOOKS__MAX_ATTEMPTS", "1")]).await;
    let picture = pictures::jpeg(64, 48);
    let own = format!("http://{}/api/images/1/retry", app.client.address());
    let image = upload(&app.client, &picture[..picture.len() / 2], &own).await;
    assert_eq!(image, 1);
    let delivery = ended(&app.client, image, "failed").await;
    assert_eq!(delivery["attempts"][0]["http_status"], 403, "{delivery}");
    assert_eq!(deliveries(&app.client, image).await.len(), 1);
    assert_eq!(app.client.image(image).await["status"], "failed", "nobody has retried it");
    for (method, path) in
        [(Method::GET, "/api/stats"), (Method::DELETE, "/api/images/1"), (Method::POST, "/api/images")]
    {
        let refused = answer(app.client.request(method, path).header("Webhook-Id", "msg_1")).await;
        assert_eq!(refused.refusal(), (403, "forbidden"));
        assert!(refused.body["error"].as_str().unwrap().contains("webhook"), "{refused:?}");
    }
    app.stop().await;
}

const DAY: Duration = Duration::from_secs(86_400);

/// An image whose event waits to be told.
async fn told(database: &Database, store: &Store) -> ImageId {
    let image = tallies::upload(store).await;
    database
        .run(&format!("update images set callback_url = 'https://example.com/' where id = {image}"))
        .await;
    let claim = tallies::claim(store, database, image).await;
    let Work::Image { original, .. } = claim.work else { panic!("{claim:?}") };
    let made = tallies::made(claim.lease, &original, false);
    let _ = store.end_job(claim.lease, &made, &tallies::runs(None)).await.unwrap();
    image
}

#[tokio::test]
async fn a_call_whose_lease_was_lost_meanwhile_is_not_taken_for_recorded() {
    let database = Database::create().await;
    let store = store(&database);
    store.migrate().await.unwrap();
    let image = told(&database, &store).await;
    let failure = Failure::transient(FailureCode::WebhookTimedOut, "too late");
    let call = History::Call(WebhookCall {
        took: Duration::from_secs(9),
        status: None,
        answer: None,
        failure: Some(failure),
    });
    let lost = tallies::claim(&store, &database, image).await.lease;
    database.run("update jobs set lease_until = now() - interval '1 second' where state = 'running'").await;
    assert_eq!(store.requeue_expired(JobKind::Webhook, 8).await.unwrap().len(), 1);
    let late = store.retry_later(lost, Duration::ZERO, &call).await.unwrap();
    assert_eq!(late, Finish::LeaseLost);

    let held = tallies::claim(&store, &database, image).await.lease;
    for time in ["the first", "repeated, since its answer was lost"] {
        let recorded = store.retry_later(held, Duration::ZERO, &call).await.unwrap();
        assert!(matches!(recorded, Finish::Recorded { .. }), "{time}");
    }
    let logged = database.rows("select error_code from webhook_attempts order by attempt").await;
    let logged: Vec<&str> = logged.iter().map(|row| row.get(0)).collect();
    assert_eq!(logged, ["worker_lost", "webhook_timed_out"]);
}

#[tokio::test]
async fn retention_waits_for_no_deletion_that_is_under_way() {
    let database = Database::create().await;
    let store = store(&database);
    store.migrate().await.unwrap();
    let image = told(&database, &store).await;
    let old =
        "update jobs set state = 'failed', finished_at = now(), announce_at = null where kind = 'webhook';
               update webhook_events set created_at = created_at - interval '31 days'";
    database.run(old).await;
    // A deletion locks its image; then its jobs go, and its events at last.
    let begun = format!(
        "select from images where id = {image} for update; delete from jobs where image_id = {image}"
    );
    let deleting = database.hold(&begun).await;
    assert!(!store.forget_webhook_events(30 * DAY).await.unwrap());
    deleting.batch_execute("delete from images; commit").await.unwrap();
    assert_eq!(database.number("select count(*) from webhook_events").await, 0);
}

#[tokio::test]
async fn deletions_and_replays_beside_retention_fail_nowhere_and_lose_nothing() {
    const IMAGES: i64 = 300;
    let database = Database::create().await;
    let store = store(&database);
    store.migrate().await.unwrap();
    let first = told(&database, &store).await;
    // As many more like it, whose events are old. Events and images run against each other.
    let copies = format!(
        "update jobs set state = 'failed', finished_at = now(), announce_at = null where kind = 'webhook';
         insert into images (original_name, sha256, size_bytes, format, original_key, status, completed_at, width, height, exif)
         select original_name, sha256, size_bytes, format, original_key || n, status, completed_at, width, height, exif
         from images, generate_series(1, {IMAGES}) n where id = {first};
         insert into webhook_events (image_id, type, url, body, created_at)
         select id, 'image.success', 'https://example.com/', '{{}}', now() - interval '40 days' - id * interval '1 second'
         from images, generate_series(1, 3);
         insert into jobs (image_id, kind, event_id, state, announce_at, finished_at, created_at)
         select image_id, 'webhook', id, 'failed', null, now(), created_at from webhook_events
         where created_at < now() - interval '39 days'"
    );
    database.run(&copies).await;
    let newest = "select image_id, max(id) as job from jobs where kind = 'webhook' group by image_id order by image_id";
    let jobs: Vec<(i64, i64)> =
        database.rows(newest).await.iter().map(|row| (row.get("image_id"), row.get("job"))).collect();
    let forgetting = async {
        // From the oldest on, a few at a time, so that the others meet it.
        for seconds in (0..=300).rev().step_by(5) {
            store.forget_webhook_events(40 * DAY + Duration::from_secs(seconds)).await.unwrap();
        }
    };
    let deleting = async {
        for (image, _) in jobs.iter().rev().filter(|(image, _)| image % 2 == 0) {
            let _ = store.delete_image(ImageId::new(*image)).await.unwrap().unwrap();
        }
    };
    let replaying = async {
        let mut accepted = Vec::new();
        for (image, job) in jobs.iter().filter(|(image, _)| image % 2 != 0) {
            let (image, job) = (ImageId::new(*image), JobId::new(*job));
            if let Replayed::Queued(queued) = store.replay(image, job).await.unwrap() {
                accepted.push(queued.job.get());
            }
        }
        accepted
    };
    let ((), (), accepted) = tokio::join!(forgetting, deleting, replaying);
    store.forget_webhook_events(30 * DAY).await.unwrap();
    assert!(!accepted.is_empty(), "retention was faster than all replays");
    let kept = "select count(*) from jobs where kind = 'webhook' and state = 'queued'";
    assert_eq!(
        database.number(kept).await,
        i64::try_from(accepted.len()).unwrap(),
        "what was accepted is kept"
    );
    let old = "select count(*) from webhook_events e where created_at < now() - interval '30 days'
               and not exists (select from jobs where event_id = e.id and state = 'queued')";
    assert_eq!(database.number(old).await, 0);

    // What nobody ever takes comes to an end as well.
    database.run("update jobs set created_at = created_at - interval '31 days' where state = 'queued'").await;
    assert!(!store.forget_waiting_webhooks(30 * DAY).await.unwrap());
    assert!(!store.forget_webhook_events(30 * DAY).await.unwrap());
    assert_eq!(database.number(kept).await, 0);
}
