//! Captions: asked for once the picture is there, and never in its way.

use crate::flow::stage;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::{Carrier, Ground, Running, eventually};
use crate::support::pictures;

/// Settings that name a captioner.
pub fn settings(url: &str) -> [(&'static str, &str); 7] {
    [
        ("DARKROOM_CAPTIONER__PROVIDER", "openai_chat"),
        ("DARKROOM_CAPTIONER__URL", url),
        ("DARKROOM_CAPTIONER__MODEL", "fake"),
        ("DARKROOM_CAPTIONER__CALL_SECONDS", "5"),
        ("DARKROOM_WORKER__CAPTION_SECONDS", "10"),
        ("DARKROOM_WORKER__GRACE_SECONDS", "10"),
        ("HF_API_KEY", "hf_secret"),
    ]
}

async fn start(ground: &Ground, captioner: &FakeCaptioner) -> Running {
    ground.start_all(&settings(&captioner.url())).await
}

#[tokio::test]
async fn a_caption_is_made_from_the_upright_thumbnail() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Caption("A red square beside the sea.")).await;
    let app = start(&ground, &captioner).await;
    let id = app.client.upload("p.jpg", &pictures::camera_jpeg(800, 600, 6)).await;
    let image = app.client.settled(id).await;
    assert_eq!(
        (&image["status"], &image["caption"]),
        (&"success".into(), &"A red square beside the sea.".into())
    );
    assert_eq!(stage(&image, "caption")["status"], "success");
    let asked = captioner.asked();
    assert_eq!(asked.len(), 1, "one image, one paid call");
    let sent = asked[0].to_string();
    let data = sent.split("data:image/jpeg;base64,").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let bytes =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data.trim_end_matches('\\'))
            .unwrap();
    let picture = image::load_from_memory(&bytes).unwrap();
    assert_eq!((picture.width(), picture.height()), (384, 512), "upright, 512 pixels");
    app.stop().await;
}

#[tokio::test]
async fn a_captioner_that_hangs_delays_no_thumbnail() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Hang).await;
    let app = start(&ground, &captioner).await;
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(app.client.upload("p.jpg", &pictures::unlike(pictures::jpeg(400, 300), number)).await);
    }
    for id in &ids {
        let client = &app.client;
        eventually("the thumbnails are there while the caption is not", || async move {
            let image = client.image(*id).await;
            (image["thumbnails"]["medium"].is_string() && image["metadata"].is_object()).then(|| {
                assert_eq!(image["status"], "processing");
            })
        })
        .await;
    }
    captioner.set(Mode::Caption("At last."));
    for id in ids {
        assert_eq!(app.client.settled(id).await["caption"], "At last.");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_caption_that_failed_never_fails_the_image() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Refuse(500, "out of order")).await;
    let app = start(&ground, &captioner).await;
    let id = app.client.upload("p.png", &pictures::png(300, 300)).await;
    let image = app.client.settled(id).await;
    assert_eq!(image["status"], "success", "{image}");
    assert!(image["caption"].is_null() && image["error"].is_null(), "{image}");
    let caption = stage(&image, "caption");
    assert_eq!((&caption["status"], &caption["attempts"]), (&"failed".into(), &4.into()), "{caption}");
    assert!(caption["error"].as_str().is_some_and(|text| !text.contains("hf_secret")), "{caption}");
    assert_eq!(captioner.asked().len(), 4, "as many calls as attempts");

    captioner.set(Mode::Caption("A pattern."));
    assert_eq!(app.client.retry(id).await.status, 202);
    let image = app.client.settled(id).await;
    assert_eq!((&image["status"], &image["caption"]), (&"success".into(), &"A pattern.".into()));
    assert_eq!(
        ground.database.number("select count(*) from jobs where kind = 'image'").await,
        1,
        "only the caption again"
    );
    app.stop().await;
}
