//! Captions for all images that lack one, beside new uploads.

use crate::captions::settings;
use crate::support::client::Client;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use darkroom::app::{CaptionWish, caption_all};
use darkroom::settings::Settings;
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const MISSING: CaptionWish = CaptionWish { older_prompts: false, limit: None };

async fn upload(client: &Client, count: u64) -> Vec<i64> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let picture = pictures::unlike(pictures::jpeg(200, 100), rand::random());
        ids.push(client.upload("p.jpg", &picture).await);
    }
    for id in &ids {
        client.settled(*id).await;
    }
    ids
}

async fn queue(ground: &Ground, own: &[(&str, &str)], wish: CaptionWish) -> u64 {
    let settings = Settings::load(None, ground.environment(own)).unwrap();
    caption_all(&settings, wish, &CancellationToken::new()).await.unwrap()
}

async fn captioned(client: &Client, ids: &[i64], text: &str) {
    for id in ids {
        eventually("it has its caption", || async {
            let image = client.image(*id).await;
            assert_eq!(image["status"], "success", "a final status stays");
            (image["caption"] == text).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn images_without_a_caption_get_one_and_those_of_an_older_prompt_another() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Late(Duration::from_millis(50), "First.")).await;
    let url = captioner.url();
    let app = ground.start_all(&[]).await;
    let ids = upload(&app.client, 7).await;
    let completed = app.client.image(ids[0]).await["completed_at"].clone();
    let written = app.client.request(reqwest::Method::PUT, &format!("/api/images/{}/caption", ids[6]));
    assert_eq!(written.json(&json!({"text": "Mine."})).send().await.unwrap().status(), 200);
    app.stop().await;

    let own = settings(&url);
    let app = ground.start_all(&own).await;
    assert_eq!(queue(&ground, &own, CaptionWish { limit: Some(2), ..MISSING }).await, 2);
    assert_eq!(
        queue(&ground, &own, MISSING).await,
        4,
        "what was queued and what a person wrote is passed over"
    );
    captioned(&app.client, &ids[..6], "First.").await;
    assert_eq!(queue(&ground, &own, MISSING).await, 0);
    assert_eq!(app.client.image(ids[0]).await["completed_at"], completed, "it was ready before");
    assert_eq!(app.client.image(ids[6]).await["caption"], "Mine.");
    app.stop().await;

    captioner.set(Mode::Caption("Second."));
    let prompt = [&own[..], &[("DARKROOM_CAPTIONER__PROMPT", "And now?")]].concat();
    let app = ground.start_all(&prompt).await;
    let older = CaptionWish { older_prompts: true, ..MISSING };
    assert_eq!(queue(&ground, &prompt, older).await, 6);
    captioned(&app.client, &ids[..6], "Second.").await;
    assert_eq!(queue(&ground, &prompt, older).await, 0);
    assert_eq!(captioner.asked().len(), 12);
    app.stop().await;
}

#[tokio::test]
async fn new_uploads_do_not_wait_for_it_and_it_can_be_stopped() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Hang).await;
    let url = captioner.url();
    let app = ground.start_all(&[]).await;
    upload(&app.client, 9).await;
    app.stop().await;

    // Calls hang for longer than all else here takes, and a stop waits for them.
    let times = [
        ("DARKROOM_CAPTIONER__CALL_SECONDS", "12"),
        ("DARKROOM_WORKER__CAPTION_SECONDS", "12"),
        ("DARKROOM_WORKER__GRACE_SECONDS", "25"),
    ];
    let own = [&settings(&url)[..], &times].concat();
    let app = ground.start_all(&own).await;
    let stop = CancellationToken::new();
    let all = Settings::load(None, ground.environment(&own)).unwrap();
    let asking = tokio::spawn({
        let stop = stop.clone();
        async move { caption_all(&all, MISSING, &stop).await }
    });
    eventually("its lane is full", || async { (captioner.asked().len() == 2).then_some(()) }).await;
    captioner.set(Mode::Caption("New."));
    let picture = pictures::unlike(pictures::jpeg(300, 200), 1);
    let id = app.client.upload("new.jpg", &picture).await;
    assert_eq!(app.client.settled(id).await["caption"], "New.", "while two calls still hang");
    let hanging = "select count(*) from caption_calls where ended_at is null";
    assert_eq!(ground.database.number(hanging).await, 2, "no more than its lane holds, and they still hang");
    stop.cancel();
    let stopped = asking.await.unwrap().unwrap_err().to_string();
    assert!(stopped.contains("told to stop"), "{stopped}");
    app.stop().await;
}

#[tokio::test]
async fn what_files_say_of_their_pictures_counts_until_a_model_is_asked() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Caption("A model's.")).await;
    let url = captioner.url();
    let in_exif = |text: &[u8]| {
        let picture = pictures::unlike(pictures::jpeg(200, 100), rand::random());
        pictures::with_exif(&picture, &pictures::exif_texts(&[(0x010e, text)]))
    };
    let own = settings(&url);
    let unasked = [&own[..], &[("DARKROOM_CAPTIONER__ASK_IF_DESCRIBED", "false")]].concat();

    let app = ground.start_all(&unasked).await;
    let id = app.client.upload("p.jpg", &in_exif(b"Rex, asleep")).await;
    let image = app.client.settled(id).await;
    assert_eq!((&image["caption"], &image["caption_source"]), (&json!("Rex, asleep"), &json!("embedded")));
    let path = format!("/api/images/{id}/caption");
    let written = app.client.request(reqwest::Method::PUT, &path).json(&json!({"text": "My dog."}));
    assert_eq!(written.send().await.unwrap().status(), 200);
    let image = app.client.image(id).await;
    assert_eq!((&image["caption"], &image["caption_source"]), (&json!("My dog."), &json!("human")));
    assert_eq!(app.client.request(reqwest::Method::DELETE, &path).send().await.unwrap().status(), 204);
    let image = app.client.image(id).await;
    assert_eq!((&image["caption"], &image["caption_source"]), (&json!("Rex, asleep"), &json!("embedded")));
    let camera = app.client.upload("p.jpg", &in_exif(b"OLYMPUS DIGITAL CAMERA")).await;
    assert_eq!(app.client.settled(camera).await["caption"], "A model's.");
    assert_eq!(queue(&ground, &unasked, CaptionWish { older_prompts: true, ..MISSING }).await, 0);
    app.stop().await;
    assert_eq!(captioner.asked().len(), 1, "the file has said it already");

    let app = ground.start_all(&own).await;
    assert_eq!(queue(&ground, &own, MISSING).await, 1);
    captioned(&app.client, &[id], "A model's.").await;
    let records = app.client.get(&format!("/api/images/{id}/captions")).await.data()["captions"].clone();
    let sources: Vec<_> = records.as_array().unwrap().iter().map(|caption| &caption["source"]).collect();
    assert_eq!(sources, ["ai", "human", "embedded"]);
    assert!(records[2]["origin"].is_null());
    app.stop().await;

    let app = ground.start_all(&[("DARKROOM_CAPTIONER__READ_DESCRIPTIONS", "false")]).await;
    let id = app.client.upload("p.jpg", &in_exif(b"Rex, asleep")).await;
    assert!(app.client.settled(id).await["caption"].is_null());
    app.stop().await;
}
