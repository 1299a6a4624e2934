//! What calls cost is bounded, and a provider in trouble is left alone: by all workers together.

use crate::captions::settings;
use crate::flow::stage;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::fake_server::{FakeServer, Reply};
use crate::support::ground::{Carrier, Ground, Running, eventually};
use crate::support::pictures;
use darkroom::app::Role;
use darkroom::domain::JobKind;
use serde_json::json;
use std::time::{Duration, Instant};

async fn upload(app: &Running, count: u64) -> Vec<i64> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(app.client.upload("p.jpg", &pictures::unlike(pictures::jpeg(300, 200), number)).await);
    }
    ids
}

fn caption(text: &str) -> Reply {
    let body = json!({"choices": [{"message": {"role": "assistant", "content": text}}]});
    Reply::with(200, &[("content-type", "application/json")], body.to_string())
}

#[tokio::test]
async fn a_budget_of_a_minute_is_kept_by_all_workers_together() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeServer::start(caption("Slowly.")).await;
    let url = captioner.url("/v1");
    let own = [&settings(&url)[..], &[("DARKROOM_CAPTIONER__CALLS_PER_MINUTE", "150")]].concat();
    let app = ground.start_all(&own).await;
    let other = ground.start(Role::Worker(vec![JobKind::Caption]), &own).await;
    let begun = Instant::now();
    for id in upload(&app, 8).await {
        assert_eq!(app.client.settled(id).await["caption"], "Slowly.");
    }
    let asked = captioner.asked();
    assert_eq!(asked.len(), 8);
    // The first slot is not before the first upload, and the last one is seven of 400 ms later.
    let took = asked[7].at - begun;
    assert!(took >= Duration::from_millis(7 * 400), "eight calls in {took:?}");
    let attempts = "select max(attempt)::bigint from jobs where kind = 'caption'";
    assert_eq!(ground.database.number(attempts).await, 1, "waiting costs no attempt");
    other.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn when_the_budget_of_a_day_is_used_up_captions_wait_and_pictures_do_not() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Caption("One of two.")).await;
    let url = captioner.url();
    let own = [&settings(&url)[..], &[("DARKROOM_CAPTIONER__CALLS_PER_DAY", "2")]].concat();
    let app = ground.start_all(&own).await;
    let ids = upload(&app, 5).await;
    let database = &ground.database;
    eventually("three wait for tomorrow", || async {
        let waiting = "select count(*) from jobs where kind = 'caption' and state = 'queued' and attempt = 0
                         and due_at > now() + interval '2 seconds'";
        (database.number(waiting).await == 3).then_some(())
    })
    .await;
    assert_eq!(captioner.asked().len(), 2);
    for id in ids {
        assert!(app.client.image(id).await["thumbnails"]["medium"].is_string());
    }
    // Tomorrow.
    database.rows("update caption_providers set day = day - 1").await;
    database.rows("update jobs set due_at = now(), announce_at = now() where state = 'queued'").await;
    eventually("two more are asked", || async { (captioner.asked().len() == 4).then_some(()) }).await;
    app.stop().await;
}

#[tokio::test]
async fn a_provider_that_fails_is_left_alone_and_nothing_is_given_up() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeServer::start(Reply::new(500, "out of order")).await;
    let url = captioner.url("/v1");
    let trouble =
        [("DARKROOM_CAPTIONER__BREAKER_FAILURES", "2"), ("DARKROOM_CAPTIONER__BREAKER_SECONDS", "1")];
    let own = [&settings(&url)[..], &trouble, &[("DARKROOM_WORKER__CAPTION_CONCURRENCY", "1")]].concat();
    let app = ground.start_all(&own).await;
    let ids = upload(&app, 8).await;
    let database = &ground.database;
    let begun = Instant::now();
    eventually("the breaker opened a second time", || async {
        let often = "select count(*) from caption_providers where failures >= 3";
        (database.number(often).await == 1).then_some(())
    })
    .await;
    let calls = captioner.asked().len();
    assert_eq!(calls, 3, "two that opened it and one that tried, in {:?}", begun.elapsed());
    captioner.set(caption("Well again."));
    for id in ids {
        let image = app.client.settled(id).await;
        assert_eq!(image["caption"], "Well again.", "{image}");
    }
    assert_eq!(database.number("select failures::bigint from caption_providers").await, 0);
    let rows = "select count(*) from caption_calls";
    assert_eq!(database.number(rows).await, captioner.asked().len() as i64, "each call has its row");
    app.stop().await;
}

#[tokio::test]
async fn the_next_provider_is_asked_and_the_one_that_is_locked_out_is_not_asked_again() {
    let ground = Ground::new(Carrier::InProcess).await;
    let first = FakeCaptioner::start(Mode::Refuse(401, "no such key hf_secret")).await;
    let second = FakeCaptioner::start(Mode::Caption("By the second.")).await;
    let fallbacks = json!([{"provider": "openai_chat", "url": second.url(), "model": "spare"}]).to_string();
    let url = first.url();
    let own = [&settings(&url)[..], &[("DARKROOM_CAPTIONER__FALLBACKS", fallbacks.as_str())]].concat();
    let app = ground.start_all(&own).await;
    for number in 0..3 {
        let id = app.client.upload("p.jpg", &pictures::unlike(pictures::jpeg(300, 200), number)).await;
        let image = app.client.settled(id).await;
        assert_eq!(image["caption"], "By the second.", "{image}");
        assert_eq!(stage(&image, "caption")["attempts"], 1);
        let all = app.client.get(&format!("/api/images/{id}/captions")).await;
        assert_eq!(all.data()["captions"][0]["origin"]["model"], "spare");
    }
    assert_eq!((first.asked().len(), second.asked().len()), (1, 3));
    app.stop().await;
}

#[tokio::test]
async fn a_provider_that_hangs_leaves_time_for_the_next() {
    let ground = Ground::new(Carrier::InProcess).await;
    let first = FakeCaptioner::start(Mode::Hang).await;
    let second = FakeCaptioner::start(Mode::Caption("By the second.")).await;
    let fallbacks = json!([{"provider": "openai_chat", "url": second.url()}]).to_string();
    let url = first.url();
    // As in the defaults: just enough for one call after the other.
    let own = [
        &settings(&url)[..],
        &[("DARKROOM_CAPTIONER__CALL_SECONDS", "4"), ("DARKROOM_WORKER__CAPTION_SECONDS", "8")],
        &[("DARKROOM_CAPTIONER__FALLBACKS", fallbacks.as_str())],
    ]
    .concat();
    let app = ground.start_all(&own).await;
    let id = upload(&app, 1).await[0];
    let image = app.client.settled(id).await;
    assert_eq!(image["caption"], "By the second.", "{image}");
    assert_eq!(stage(&image, "caption")["attempts"], 1, "in the same attempt");
    app.stop().await;
}

#[tokio::test]
async fn a_model_that_somebody_chose_opens_no_breaker_and_closes_none() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Caption("A dog.")).await;
    let url = captioner.url();
    let own = [&settings(&url)[..], &[("DARKROOM_CAPTIONER__BREAKER_FAILURES", "1")]].concat();
    let app = ground.start_all(&own).await;
    let id = upload(&app, 1).await[0];
    app.client.settled(id).await;
    captioner.set(Mode::RefuseWith(503, &[("retry-after", "3000")], "no such model"));
    let ask = app.client.request(reqwest::Method::POST, &format!("/api/images/{id}/captions"));
    assert_eq!(ask.json(&json!({"model": "nonsense"})).send().await.unwrap().status(), 202);
    eventually("it was asked", || async { (captioner.asked().len() == 2).then_some(()) }).await;
    captioner.set(Mode::Caption("A cat."));
    let other = app.client.upload("p.jpg", &pictures::unlike(pictures::jpeg(300, 200), 77)).await;
    assert_eq!(app.client.settled(other).await["caption"], "A cat.", "nobody else waits for it");
    app.stop().await;
}

#[tokio::test]
async fn waiting_for_a_provider_comes_to_an_end() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Refuse(402, "no credits")).await;
    let url = captioner.url();
    let own = [&settings(&url)[..], &[("DARKROOM_CAPTIONER__GIVE_UP_SECONDS", "1.5")]].concat();
    let app = ground.start_all(&own).await;
    let first = upload(&app, 1).await[0];
    let database = &ground.database;
    eventually("nobody is asked for hours", || async {
        let paused = "select count(*) from caption_providers where open_until > now() + interval '5 hours'";
        (database.number(paused).await == 1).then_some(())
    })
    .await;
    let id = app.client.upload("p.jpg", &pictures::unlike(pictures::jpeg(300, 200), 9)).await;
    let image = app.client.settled(id).await;
    assert_eq!((&image["status"], &image["caption"]), (&json!("success"), &json!(null)));
    let error = stage(&image, "caption")["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("no captioner could be asked") && error.contains("402"), "{image}");
    assert_eq!(captioner.asked().len(), 1, "the second image cost no call");
    assert_eq!(
        app.client.image(first).await["status"],
        "processing",
        "its attempt waits for the pause to end"
    );
    app.stop().await;
}
