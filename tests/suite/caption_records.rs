//! Captions as records: who said what, what people write, and that nothing is paid for twice.

use crate::captions::settings;
use crate::full_tables::store;
use crate::support::client::{Client, answer};
use crate::support::database::Database;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::{Carrier, Ground, Running};
use crate::support::pictures;
use darkroom::domain::{Attempt, Caption, JobId, Question, Tokens};
use darkroom::store::{CallPermit, EndedCall, ProviderVerdict, Store, WaitReason, WantedCall};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

async fn start(ground: &Ground, captioner: &FakeCaptioner) -> Running {
    ground.start_all(&settings(&captioner.url())).await
}

async fn send(client: &Client, method: Method, path: &str, body: &Value) -> crate::support::client::Answer {
    answer(client.request(method, path).json(body)).await
}

async fn captions(client: &Client, id: i64) -> Vec<Value> {
    let found = client.get(&format!("/api/images/{id}/captions")).await;
    assert_eq!(found.status, 200, "{found:?}");
    found.data()["captions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_a_person_wrote_stays_until_it_is_taken_back() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Caption("A dog.")).await;
    let app = start(&ground, &captioner).await;
    let client = &app.client;
    let id = client.upload("p.jpg", &pictures::jpeg(300, 200)).await;
    let image = client.settled(id).await;
    assert_eq!((&image["caption"], &image["caption_source"]), (&json!("A dog."), &json!("ai")));
    let path = format!("/api/images/{id}/caption");
    assert_eq!(answer(client.request(Method::DELETE, &path)).await.refusal(), (409, "conflict"));

    for _ in 0..2 {
        let written = send(client, Method::PUT, &path, &json!({"text": "Rex,\nasleep\u{0}"})).await;
        assert_eq!((written.status, &written.data()["text"]), (200, &json!("Rex, asleep")));
    }
    let image = client.image(id).await;
    assert_eq!((&image["caption"], &image["caption_source"]), (&json!("Rex, asleep"), &json!("human")));
    assert_eq!(image["status"], "success", "writing is no processing");

    captioner.set(Mode::Caption("A cat."));
    let asked = send(client, Method::POST, &format!("{path}s"), &json!({"model": "other/one:latest"})).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let image = client.settled(id).await;
    assert_eq!((&image["caption"], &image["status"]), (&json!("Rex, asleep"), &json!("success")));
    assert_eq!(captioner.asked()[1]["model"], "other/one:latest");

    assert_eq!(client.request(Method::DELETE, &path).send().await.unwrap().status(), 204);
    let image = client.image(id).await;
    assert_eq!((&image["caption"], &image["caption_source"]), (&json!("A cat."), &json!("ai")));
    let all = captions(client, id).await;
    let texts: Vec<_> = all.iter().map(|caption| &caption["text"]).collect();
    assert_eq!(texts, ["A cat.", "Rex, asleep", "A dog."], "the same text again is no new record");
    assert!(all[1]["withdrawn_at"].is_string() && all[1]["origin"].is_null(), "{all:?}");
    assert_eq!(all[0]["origin"]["model"], "other/one:latest");
    assert!(all[0]["origin"]["call"]["run_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{all:?}");
    app.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_caption_is_refused() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let id = client.upload("p.jpg", &pictures::jpeg(300, 200)).await;
    let image = client.settled(id).await;
    assert!(image["caption"].is_null() && image["caption_source"].is_null(), "{image}");
    let path = format!("/api/images/{id}/caption");
    let long = "ä".repeat(2001);
    for body in [json!({"text": " \n"}), json!({"text": long}), json!({"text": 7}), json!({}), json!("text")]
    {
        let refused = send(client, Method::PUT, &path, &body).await;
        assert_eq!(refused.refusal(), (400, "malformed_request"), "{body}");
    }
    for body in ["", "{", "\u{feff}{}", "nothing"] {
        let request =
            client.request(Method::PUT, &path).header("content-type", "application/json").body(body);
        assert_eq!(answer(request).await.refusal(), (400, "malformed_request"), "{body:?}");
    }
    let form = client.request(Method::PUT, &path).body("text=x");
    assert_eq!(answer(form).await.refusal(), (400, "malformed_request"));
    for model in ["", "two words", &"m".repeat(201)] {
        let refused = send(client, Method::POST, &format!("{path}s"), &json!({"model": model})).await;
        assert_eq!(refused.refusal(), (400, "malformed_request"), "{model}");
    }
    for (method, path) in [(Method::PUT, "caption"), (Method::POST, "captions"), (Method::DELETE, "caption")]
    {
        let nowhere = format!("/api/images/{}/{path}", id + 1);
        let refused = send(client, method, &nowhere, &json!({"text": "x"})).await;
        assert_eq!(refused.refusal(), (404, "not_found"));
    }
    // A person may write where no model is asked.
    assert_eq!(send(client, Method::PUT, &path, &json!({"text": "Mine."})).await.status, 200);
    assert_eq!(client.image(id).await["caption"], "Mine.");
    assert_eq!(client.delete(id).await, 204);
    assert_eq!(ground.database.number("select count(*) from captions").await, 0);
    app.stop().await;
}

#[tokio::test]
async fn identical_pictures_are_paid_for_once() {
    const UPLOADS: usize = 40;
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Late(Duration::from_millis(300), "The same.")).await;
    let app = start(&ground, &captioner).await;
    let picture = pictures::jpeg(300, 200);
    let mut ids = Vec::new();
    for _ in 0..UPLOADS {
        ids.push(app.client.upload("p.jpg", &picture).await);
    }
    for id in &ids {
        let image = app.client.settled(*id).await;
        assert_eq!(image["caption"], "The same.", "{image}");
    }
    assert_eq!(captioner.asked().len(), 1, "one picture, one paid call");
    assert_eq!(ground.database.number("select count(*) from caption_calls").await, 1);
    let taken_over = "select count(*) from captions where call_id is null";
    assert_eq!(ground.database.number(taken_over).await, UPLOADS as i64 - 1);
    let waited = "select max(attempt)::bigint from jobs where kind = 'caption'";
    assert_eq!(ground.database.number(waited).await, 1, "waiting for the first costs no attempt");
    app.stop().await;
}

#[tokio::test]
async fn a_caption_that_was_asked_for_again_in_vain_leaves_the_old_one() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Caption("A dog.")).await;
    let app = start(&ground, &captioner).await;
    let id = app.client.upload("p.jpg", &pictures::jpeg(300, 200)).await;
    app.client.settled(id).await;
    captioner.set(Mode::Refuse(422, "no"));
    let path = format!("/api/images/{id}/captions");
    assert_eq!(send(&app.client, Method::POST, &path, &json!({"model": "other"})).await.status, 202);
    let image = app.client.settled(id).await;
    assert_eq!((&image["caption"], &image["status"]), (&json!("A dog."), &json!("success")));
    assert_eq!(captioner.asked().len(), 2);
    // The retry asks the same model, and the settings' own is not asked a second time.
    captioner.set(Mode::Caption("A cat."));
    assert_eq!(app.client.retry(id).await.status, 202);
    assert_eq!(app.client.settled(id).await["caption"], "A cat.");
    assert_eq!(captioner.asked()[2]["model"], "other");
    assert_eq!(send(&app.client, Method::POST, &path, &json!({})).await.status, 202);
    assert_eq!(app.client.settled(id).await["caption"], "A dog.", "what it said to the same question");
    assert_eq!(captioner.asked().len(), 3);
    app.stop().await;
}

#[tokio::test]
async fn a_record_decides_whoever_writes_the_caption_of_an_image() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let id = app.client.upload("p.jpg", &pictures::jpeg(300, 200)).await;
    app.client.settled(id).await;
    let path = format!("/api/images/{id}/caption");
    assert_eq!(send(&app.client, Method::PUT, &path, &json!({"text": "Mine."})).await.status, 200);
    // As a worker of the version before ends its job, with and without a caption.
    for caption in ["'A dog.'", "null"] {
        ground.database.rows(&format!("update images set caption = {caption} where id = {id}")).await;
        assert_eq!(app.client.image(id).await["caption"], "Mine.");
    }
    app.stop().await;
}

/// A job that waits for leave to call, in a database of its own.
async fn waiting_job(database: &Database) -> JobId {
    store(database).migrate().await.unwrap();
    database
        .rows(
            "insert into images (original_name, format, sha256, size_bytes, original_key)
             values ('p.jpg', 'jpg', decode(repeat('ab', 32), 'hex'), 1, 'k')",
        )
        .await;
    database.rows("insert into jobs (image_id, kind) select id, 'caption' from images").await;
    JobId::new(database.number("select max(id) from jobs").await)
}

fn question() -> Question {
    Question {
        provider: "openai_chat".to_owned(),
        model: "m".to_owned(),
        prompt_version: "00000000".to_owned(),
        language: None,
    }
}

async fn permit(store: &Store, job: JobId) -> CallPermit {
    let question = question();
    let wanted = WantedCall {
        job,
        attempt: None,
        question: &question,
        endpoint: "e",
        per_minute: None,
        per_day: None,
        lasts: Duration::from_secs(5),
    };
    store.permit_call(&wanted).await.unwrap()
}

#[tokio::test]
async fn a_worker_that_vanishes_pays_once_for_what_was_recorded() {
    let database = Database::create().await;
    let job = waiting_job(&database).await;
    let store = store(&database);
    let CallPermit::Granted { call, .. } = permit(&store, job).await else { panic!("no leave") };
    let CallPermit::NotNow(wait) = permit(&store, job).await else { panic!("two at once") };
    assert_eq!(wait.reason, WaitReason::UnderWay);

    // Vanished in mid-call: nobody knows what came of it, and after its time another may call.
    database.rows("update caption_calls set lapses_at = now() - interval '1 second'").await;
    let CallPermit::Granted { call: second, .. } = permit(&store, job).await else { panic!("no leave") };
    assert_ne!(call, second);
    let lost = "select count(*) from caption_calls where error_code = 'worker_lost' and ended_at is not null";
    assert_eq!(database.number(lost).await, 1, "the first is still counted");

    // Vanished after the call: what was paid for is known.
    let caption = Caption { text: "Known.".to_owned(), tokens: Some(Tokens { prompt: 7, completion: 2 }) };
    let ended = EndedCall {
        attempt: Attempt::new(1),
        run: Duration::from_millis(12),
        result: Ok(&caption),
        question: &question(),
        endpoint: "e",
        verdict: ProviderVerdict::Answers,
    };
    for _ in 0..2 {
        store.end_call(second, &ended).await.unwrap();
    }
    assert_eq!(permit(&store, job).await, CallPermit::Known("Known.".to_owned()));
    assert_eq!(database.number("select count(*) from captions").await, 1, "however often it is repeated");
    assert_eq!(database.number("select count(*) from caption_calls").await, 2);
}
