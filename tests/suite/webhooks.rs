//! Webhooks: who asked to be told is told, whatever lies in between.

use crate::support::client::{Answer, Client, answer};
use crate::support::fake_server::{FakeServer, Question, Reply};
use crate::support::ground::{Carrier, Ground, Running, eventually};
use crate::support::pictures;
use crate::support::process::{Process, output};
use crate::support::proxy::Proxy;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use darkroom::app::Role;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

const KEY: [u8; 32] = *b"a key of thirty-two bytes, right";

pub fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// Settings with which a receiver on this machine is called, and soon called again.
pub async fn start(ground: &Ground, own: &[(&str, &str)]) -> Running {
    let secret = secret();
    let settings = settings(&secret, own);
    ground.start_all(&settings).await
}

pub fn settings<'a>(secret: &'a str, own: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut settings = vec![
        ("DARKROOM_WEBHOOKS__SECRET", secret),
        ("DARKROOM_WEBHOOKS__ALLOW_PRIVATE", "true"),
        ("DARKROOM_WEBHOOKS__MAX_ATTEMPTS", "8"),
        ("DARKROOM_WEBHOOKS__BACKOFF_FIRST_SECONDS", "0.05"),
        ("DARKROOM_WEBHOOKS__BACKOFF_LONGEST_SECONDS", "3"),
        ("DARKROOM_WEBHOOKS__CALL_SECONDS", "3"),
    ];
    settings.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
    settings.extend(own);
    settings
}

/// Uploads a picture that names who is to be told.
pub async fn upload(client: &Client, picture: &[u8], url: &str) -> i64 {
    let part = Part::bytes(picture.to_vec()).file_name("told.jpg");
    let form = Form::new().text("callback_url", url.to_owned()).part("file", part);
    let sent = answer(client.request(Method::POST, "/api/images").multipart(form)).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    sent.data()["image_id"].as_i64().unwrap()
}

pub async fn deliveries(client: &Client, image: i64) -> Vec<Value> {
    let found = client.get(&format!("/api/images/{image}/deliveries")).await;
    assert_eq!(found.status, 200, "{found:?}");
    found.data()["deliveries"].as_array().unwrap().clone()
}

async fn replay(client: &Client, image: i64, delivery: &Value) -> Answer {
    let path = format!("/api/images/{image}/deliveries/{}/replay", delivery["delivery_id"]);
    answer(client.request(Method::POST, &path)).await
}

/// Waits until the newest delivery has come to an end.
pub async fn ended(client: &Client, image: i64, status: &str) -> Value {
    eventually(&format!("the newest delivery of image {image} is {status}"), || async {
        let newest = deliveries(client, image).await.into_iter().next()?;
        (newest["status"] == status).then_some(newest)
    })
    .await
}

/// The codes of a delivery's attempts; "delivered" for the one that was.
pub fn codes(delivery: &Value) -> Vec<String> {
    let attempts = delivery["attempts"].as_array().unwrap();
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt["attempt"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=attempts.len() as u64).collect::<Vec<_>>(), "each attempt is logged once");
    attempts.iter().map(|attempt| attempt["error_code"].as_str().unwrap_or("delivered").to_owned()).collect()
}

/// RFC 2104, by the letter.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Holds a call against the Standard Webhooks specification; the answer is its body.
fn verified(question: &Question) -> Value {
    let (id, timestamp) = (question.header("webhook-id"), question.header("webhook-timestamp"));
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &question.body].concat();
    let expected = format!("v1,{}", STANDARD.encode(hmac_sha256(&KEY, &signed)));
    assert_eq!(question.header("webhook-signature"), expected);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(timestamp.parse().unwrap()) < 60, "{timestamp}");
    assert_eq!(question.header("content-type"), "application/json");
    assert_eq!(question.header("user-agent"), concat!("Darkroom/", env!("CARGO_PKG_VERSION")));
    assert!(question.body.len() < 20_000);
    serde_json::from_slice(&question.body).unwrap()
}

#[tokio::test]
async fn who_asked_to_be_told_is_told_once_and_can_verify_it() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let receiver = FakeServer::start(Reply::new(200, "thanks")).await;
    let app = start(&ground, &[]).await;
    let url = receiver.url("/hook?token=t");
    let (good, picture) = (pictures::camera_jpeg(1600, 1200, 6), pictures::jpeg(800, 600));
    let fine = upload(&app.client, &good, &url).await;
    let broken = upload(&app.client, &picture[..picture.len() / 2], &url).await;
    for (image, status) in [(fine, "success"), (broken, "failed")] {
        let details = app.client.settled(image).await;
        let delivery = ended(&app.client, image, "delivered").await;
        for shown in [&details["callback_url"], &delivery["url"]] {
            assert_eq!(*shown, receiver.url("/hook"), "the query may hold a token");
        }
        assert_eq!(delivery["event"], format!("image.{status}"));
        let attempt = &delivery["attempts"][0];
        assert_eq!((&attempt["http_status"], &attempt["answer"]), (&200.into(), &"thanks".into()));
        assert!(attempt["error"].is_null() && delivery["next_attempt_at"].is_null(), "{delivery}");

        let asked = receiver.asked();
        let calls: Vec<_> = asked.iter().filter(|call| verified(call)["data"]["image_id"] == image).collect();
        assert_eq!(calls.len(), 1, "told once");
        assert_eq!(delivery["message_id"], calls[0].header("webhook-id"));
        let body = verified(calls[0]);
        assert_eq!(body["type"], format!("image.{status}"));
        let data = &body["data"];
        for same in ["original_name", "status", "sha256", "caption", "error", "error_code"] {
            assert_eq!(data[same], details[same], "{same}");
        }
        if status == "success" {
            assert_eq!((&data["width"], &data["height"]), (&1200.into(), &1600.into()));
        }
        let time = |text: &Value| {
            use time::format_description::well_known::Rfc3339;
            time::OffsetDateTime::parse(text.as_str().unwrap(), &Rfc3339).unwrap()
        };
        assert_eq!(time(&data["completed_at"]), time(&details["completed_at"]));
        assert_eq!(time(&body["timestamp"]), time(&details["completed_at"]));
    }
    let silent = app.client.upload("silent.jpg", &picture).await;
    assert!(app.client.settled(silent).await["callback_url"].is_null());
    assert!(deliveries(&app.client, silent).await.is_empty(), "nobody asked");
    assert_eq!(app.client.get("/api/images/999/deliveries").await.refusal(), (404, "not_found"));
    let stats = app.client.get("/api/stats").await;
    assert_eq!(stats.data()["webhooks"]["delivered"], 2);
    assert_eq!(receiver.asked().len(), 2);
    app.stop().await;
    assert_eq!(ground.broker().ready("webhook").await, 0);
}

#[tokio::test]
async fn the_settings_name_a_receiver_for_those_who_name_none() {
    let ground = Ground::new(Carrier::InProcess).await;
    let (ours, theirs) =
        (FakeServer::start(Reply::new(204, "")).await, FakeServer::start(Reply::new(204, "")).await);
    let app = start(&ground, &[("DARKROOM_WEBHOOKS__URL", &ours.url("/all"))]).await;
    let picture = pictures::jpeg(64, 48);
    let plain = app.client.upload("plain.jpg", &picture).await;
    let named = upload(&app.client, &picture, &theirs.url("/mine")).await;
    assert_eq!(ended(&app.client, plain, "delivered").await["url"], ours.url("/all"));
    assert_eq!(ended(&app.client, named, "delivered").await["url"], theirs.url("/mine"));
    assert_eq!((ours.asked().len(), theirs.asked().len()), (1, 1));
    app.stop().await;
}

#[tokio::test]
async fn whatever_a_receiver_does_delays_no_image_and_is_tried_again() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let receiver = FakeServer::start(Reply::new(200, "at last")).await;
    let proxy = Proxy::before(receiver.address()).await;
    receiver.first([
        Reply::new(500, "out\0of\norder"),
        Reply::with(302, &[("location", "http://127.0.0.1:1/elsewhere")], ""),
        Reply::Hang,
        Reply::new(404, "x".repeat(9000)),
    ]);
    let own = [
        ("DARKROOM_WEBHOOKS__BACKOFF_LONGEST_SECONDS", "0.2"),
        ("DARKROOM_WEBHOOKS__MAX_ATTEMPTS", "100"),
        ("DARKROOM_WEBHOOKS__CALL_SECONDS", "1.5"),
    ];
    let app = start(&ground, &own).await;
    // First the connection breaks.
    proxy.cut();
    let image = upload(&app.client, &pictures::jpeg(64, 48), &format!("http://{}/hook", proxy.address)).await;
    assert_eq!(app.client.settled(image).await["status"], "success", "while nobody could be told");
    eventually("it was tried", || async {
        let newest = deliveries(&app.client, image).await.into_iter().next()?;
        (!newest["attempts"].as_array().unwrap().is_empty()).then_some(())
    })
    .await;
    proxy.heal();
    let delivery = ended(&app.client, image, "delivered").await;
    let codes = codes(&delivery);
    let healed = codes.iter().position(|code| code != "webhook_unreachable").unwrap();
    assert!(healed > 0, "{codes:?}");
    let rest = ["webhook_refused", "webhook_refused", "webhook_timed_out", "webhook_refused", "delivered"];
    assert_eq!(codes[healed..], rest);
    let attempts = &delivery["attempts"].as_array().unwrap()[healed..];
    assert_eq!(attempts[0]["answer"], "out of order");
    let redirected = attempts[1]["error"].as_str().unwrap();
    assert!(redirected.contains("302") && redirected.contains("not followed"), "{redirected}");
    assert!(attempts[2]["http_status"].is_null() && attempts[2]["answer"].is_null());
    assert_eq!(attempts[3]["answer"].as_str().unwrap().len(), 500);
    let asked = receiver.asked();
    assert_eq!(asked.len(), rest.len());
    for call in &asked {
        verified(call);
        assert_eq!((call.header("webhook-id"), &call.body), (asked[0].header("webhook-id"), &asked[0].body));
    }
    let details = app.client.image(image).await;
    assert_eq!((&details["status"], &details["error"]), (&"success".into(), &Value::Null));
    app.stop().await;
}

#[tokio::test]
async fn answers_without_end_and_redirects_lead_nowhere() {
    let ground = Ground::new(Carrier::InProcess).await;
    let receiver = FakeServer::start(Reply::Flood).await;
    let app = start(&ground, &[]).await;
    let picture = pictures::jpeg(64, 48);
    let flooded = upload(&app.client, &picture, &receiver.url("/flood")).await;
    let delivery = ended(&app.client, flooded, "delivered").await;
    assert!(delivery["attempts"][0]["run_ms"].as_f64().unwrap() < 2900.0, "it was read to the end");
    receiver.set(Reply::Drip);
    let dripped = upload(&app.client, &picture, &receiver.url("/drip")).await;
    ended(&app.client, dripped, "delivered").await;
    // A redirect back to the receiver: it would come, if it came.
    receiver.set(Reply::with(307, &[("location", "/there")], ""));
    let before = receiver.asked().len();
    let own = upload(&app.client, &picture, &receiver.url("/here")).await;
    let delivery = ended(&app.client, own, "failed").await;
    assert_eq!(receiver.asked().len() - before, delivery["attempts"].as_array().unwrap().len());
    assert_eq!(codes(&delivery), vec!["webhook_refused"; 8]);
    assert_eq!(app.client.get("/api/stats").await.data()["webhooks"]["failed"], 1);
    app.stop().await;
}

#[tokio::test]
async fn a_receiver_gets_the_pause_that_it_asks_for() {
    let ground = Ground::new(Carrier::InProcess).await;
    let receiver = FakeServer::start(Reply::new(200, "")).await;
    receiver.first([
        Reply::with(429, &[("retry-after", "2")], ""),
        Reply::with(503, &[("retry-after", "86400")], ""),
    ]);
    let app = start(&ground, &[]).await;
    let image = upload(&app.client, &pictures::jpeg(64, 48), &receiver.url("/hook")).await;
    ended(&app.client, image, "delivered").await;
    let at: Vec<_> = receiver.asked().iter().map(|call| call.at).collect();
    assert!(at[1] - at[0] >= Duration::from_secs(2), "{at:?}");
    assert!(at[2] - at[1] >= Duration::from_secs(3), "as long as the longest wait, and no longer: {at:?}");
    app.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone_until_somebody_asks_for_a_replay() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let receiver = FakeServer::start(Reply::new(410, "gone")).await;
    let app = start(&ground, &[("DARKROOM_WEBHOOKS__BACKOFF_FIRST_SECONDS", "3")]).await;
    let image = upload(&app.client, &pictures::jpeg(64, 48), &receiver.url("/hook")).await;
    let gone = ended(&app.client, image, "failed").await;
    assert_eq!(codes(&gone), ["webhook_gone"]);

    receiver.set(Reply::new(500, ""));
    let replayed = replay(&app.client, image, &gone).await;
    assert_eq!(replayed.status, 202, "{replayed:?}");
    assert_eq!(replayed.data()["message_id"], gone["message_id"]);
    assert_ne!(replayed.data()["delivery_id"], gone["delivery_id"]);
    for delivery in [&gone, replayed.data()] {
        assert_eq!(replay(&app.client, image, delivery).await.refusal(), (409, "conflict"));
    }
    receiver.set(Reply::new(200, "back"));
    let delivery = ended(&app.client, image, "delivered").await;
    assert_eq!(delivery["delivery_id"], replayed.data()["delivery_id"]);
    // What was received can be sent again too.
    assert_eq!(replay(&app.client, image, &gone).await.status, 202);
    eventually("there are three", || async {
        let all = deliveries(&app.client, image).await;
        (all.len() == 3 && all[0]["status"] == "delivered").then_some(())
    })
    .await;
    let asked = receiver.asked();
    assert!(asked.iter().all(|call| call.body == asked[0].body), "the same event");
    assert!(asked.iter().all(|call| call.header("webhook-id") == asked[0].header("webhook-id")));

    let other = app.client.upload("other.jpg", &pictures::jpeg(32, 32)).await;
    assert_eq!(replay(&app.client, other, &gone).await.refusal(), (404, "not_found"), "another image's");
    assert_eq!(replay(&app.client, 999, &gone).await.refusal(), (404, "not_found"));
    app.stop().await;
}

#[tokio::test]
async fn a_worker_that_dies_in_mid_call_is_replaced_and_the_log_says_so() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let receiver = FakeServer::start(Reply::new(200, "")).await;
    receiver.first([Reply::Hang]);
    let secret = secret();
    let own = settings(&secret, &[("DARKROOM_WEBHOOKS__CALL_SECONDS", "30")]);
    let server = ground.start(Role::Server, &own).await;
    let dying = Process::start(&ground, &["--worker"], &own);
    let image = upload(&server.client, &pictures::jpeg(64, 48), &receiver.url("/hook")).await;
    eventually("the call is under way", || async { (receiver.asked().len() == 1).then_some(()) }).await;
    dying.signal("-KILL");
    drop(dying);
    let living = Process::start(&ground, &["--worker", "--queues", "webhook"], &own);
    let delivery = ended(&server.client, image, "delivered").await;
    assert_eq!(codes(&delivery), ["worker_lost", "delivered"]);
    assert_eq!(receiver.asked().len(), 2, "the log knows of each call");
    drop(living);
    server.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_away_delays_and_loses_nothing() {
    let mut ground = Ground::new(Carrier::RabbitMq).await;
    let proxy = Proxy::before(ground.broker().address()).await;
    let through = ground.broker().url_through(proxy.address);
    let broker = ground.broker.as_mut().unwrap();
    let direct = std::mem::replace(&mut broker.url, through);
    let receiver = FakeServer::start(Reply::Hang).await;
    let app = start(&ground, &[]).await;
    let image = upload(&app.client, &pictures::jpeg(64, 48), &receiver.url("/hook")).await;
    eventually("the call is under way", || async { (receiver.asked().len() == 1).then_some(()) }).await;
    proxy.cut();
    receiver.set(Reply::new(200, ""));
    eventually("it waits for its next attempt", || async {
        let newest = deliveries(&app.client, image).await.remove(0);
        (newest["status"] == "waiting").then_some(())
    })
    .await;
    proxy.heal();
    let delivery = ended(&app.client, image, "delivered").await;
    assert_eq!(codes(&delivery)[0], "webhook_timed_out");
    app.stop().await;
    ground.broker.as_mut().unwrap().url = direct;
}

#[tokio::test]
async fn an_image_takes_what_it_had_to_tell_along() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let receiver = FakeServer::start(Reply::new(500, "")).await;
    let app = start(&ground, &[]).await;
    let image = upload(&app.client, &pictures::jpeg(64, 48), &receiver.url("/hook")).await;
    app.client.settled(image).await;
    eventually("it was called", || async { (!receiver.asked().is_empty()).then_some(()) }).await;
    assert_eq!(app.client.delete(image).await, 204);
    for table in ["jobs", "webhook_events", "webhook_attempts"] {
        assert_eq!(ground.database.number(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    let missing = app.client.get(&format!("/api/images/{image}/deliveries")).await;
    assert_eq!(missing.refusal(), (404, "not_found"));
    app.stop().await;
}

#[tokio::test]
async fn an_image_that_ends_again_is_told_again_and_failures_are_replayed_in_bulk() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let receiver = FakeServer::start(Reply::new(410, "")).await;
    let app = start(&ground, &[]).await;
    let whole = pictures::jpeg(640, 480);
    let image = upload(&app.client, &whole[..whole.len() - 1000], &receiver.url("/hook")).await;
    ended(&app.client, image, "failed").await;
    assert_eq!(app.client.retry(image).await.status, 202);
    assert_eq!(app.client.settled(image).await["status"], "failed");
    eventually("both events were told", || async {
        let all = deliveries(&app.client, image).await;
        (all.len() == 2 && all.iter().all(|one| one["status"] == "failed")).then(|| {
            assert_ne!(all[0]["message_id"], all[1]["message_id"], "two events");
        })
    })
    .await;
    let other = upload(&app.client, &pictures::jpeg(32, 32), &receiver.url("/hook")).await;
    ended(&app.client, other, "failed").await;

    let (success, counted, said) = output(&ground, &["--retry-failed", "--webhooks", "--dry-run"], &[]).await;
    assert!(success && counted.starts_with("2 failed webhooks would"), "{counted}{said}");
    receiver.set(Reply::new(200, ""));
    let arguments = ["--retry-failed", "--webhooks", "--code", "webhook_gone"];
    let (success, queued, said) = output(&ground, &arguments, &[]).await;
    assert!(success && queued.starts_with("2 failed webhooks queued"), "{queued}{said}");
    for image in [image, other] {
        ended(&app.client, image, "delivered").await;
    }
    assert_eq!(deliveries(&app.client, image).await.len(), 3, "what was told before the last is history");
    let (_, again, _) = output(&ground, &["--retry-failed", "--webhooks"], &[]).await;
    assert!(again.starts_with("0 failed"), "{again}");
    app.stop().await;
}
