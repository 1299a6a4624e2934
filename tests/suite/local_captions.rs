//! A model inside the worker: captions without a network. The model is a tiny one of the same architecture, whose captions are
//! known (crates/local-captioner/tests/reference).

use crate::captions::settings;
use crate::flow::stage;
use crate::support::client::answer;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::{Carrier, Ground};
use crate::support::pictures;
use darkroom::app::{App, Role};
use darkroom::settings::Settings;
use image::{Rgb, RgbImage};
use reqwest::Method;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const WEIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/local-captioner/tests/reference");

fn even(lightness: u8) -> Vec<u8> {
    pictures::png_of(&RgbImage::from_pixel(40, 30, Rgb([lightness; 3])))
}

#[tokio::test]
async fn a_model_inside_the_worker_says_what_it_sees() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let own = [("DARKROOM_CAPTIONER__PROVIDER", "local"), ("DARKROOM_CAPTIONER__WEIGHTS", WEIGHTS)];
    let app = ground.start_all(&own).await;
    let id = app.client.upload("p.png", &even(3)).await;
    let bright = app.client.upload("p.png", &even(250)).await;
    let (dark, bright) = (app.client.settled(id).await, app.client.settled(bright).await);
    for image in [&dark, &bright] {
        assert_eq!(
            (&image["status"], &image["caption_source"]),
            (&json!("success"), &json!("ai")),
            "{image}"
        );
    }
    assert_ne!(dark["caption"], bright["caption"]);
    let path = format!("/api/images/{id}/captions");
    let record = app.client.get(&path).await.data()["captions"][0].clone();
    assert_eq!(
        (&record["origin"]["provider"], &record["origin"]["model"]),
        (&json!("local"), &json!("reference"))
    );
    assert!(record["origin"]["call"]["completion_tokens"].as_u64() > Some(0), "{record}");

    // It has no other model, and says so.
    let asked = app.client.request(Method::POST, &path).json(&json!({"model": "llava"}));
    assert_eq!(answer(asked).await.status, 202);
    let again = app.client.settled(id).await;
    assert_eq!(again["caption"], dark["caption"]);
    assert_eq!(
        stage(&again, "caption")["error"],
        "the local captioner has the model reference, and not llava"
    );
    app.stop().await;
}

#[tokio::test]
async fn it_stands_in_for_a_provider_that_cannot_be_asked() {
    let ground = Ground::new(Carrier::InProcess).await;
    let captioner = FakeCaptioner::start(Mode::Refuse(401, "who?")).await;
    let url = captioner.url();
    let fallbacks = [
        ("DARKROOM_CAPTIONER__WEIGHTS", WEIGHTS),
        ("DARKROOM_CAPTIONER__FALLBACKS", r#"[{"provider": "local"}]"#),
    ];
    let app = ground.start_all(&[&settings(&url)[..], &fallbacks].concat()).await;
    let id = app.client.upload("p.png", &even(3)).await;
    let image = app.client.settled(id).await;
    assert!(image["caption"].is_string(), "{image}");
    assert_eq!(captioner.asked().len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_worker_without_weights_says_which_files_go_where() {
    let ground = Ground::new(Carrier::InProcess).await;
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().display().to_string();
    for (weights, named) in [(weights.as_str(), "model.safetensors"), ("", "captioner.weights is not set")] {
        let own = [("DARKROOM_CAPTIONER__PROVIDER", "local"), ("DARKROOM_CAPTIONER__WEIGHTS", weights)];
        let settings = Settings::load(None, ground.environment(&own)).unwrap();
        let refused = App::start(Role::Standalone, settings, CancellationToken::new()).await;
        let text = format!("{:#}", refused.err().expect("there is no model"));
        assert!(text.contains(named) && text.contains(weights), "{text}");
        assert!(text.contains("Salesforce/blip-image-captioning-base"), "{text}");
    }
}
