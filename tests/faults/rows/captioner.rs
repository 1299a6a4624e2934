//! A captioner that hangs, drips, floods, refuses, redirects, or is not there. Thumbnails never wait for it.

use crate::site::Site;
use crate::support::fake_captioner::Mode;
use crate::support::ground::eventually;
use crate::trial::{Arena, rows};
use serde_json::Value;
use std::time::{Duration, Instant};

rows! { "captioner":
    Nothing {
        every_way_to_fail,
        resets_and_nothing_listens,
        no_such_host,
        heals_in_mid_retry,
    }
}

/// What it does, whether that is tried again, and the code under which it is given up.
const WAYS: &[(&str, Mode, bool, &str)] = &[
    ("hangs", Mode::Hang, true, "captioner_unavailable"),
    ("drips", Mode::Drip, true, "captioner_unavailable"),
    ("floods", Mode::Flood, true, "captioner_bad_answer"),
    ("500", Mode::Refuse(500, "out of order"), true, "captioner_unavailable"),
    (
        "503 while it loads",
        Mode::Refuse(503, r#"{"error":"Model is loading","estimated_time":0.2}"#),
        true,
        "captioner_unavailable",
    ),
    (
        "429",
        Mode::RefuseWith(429, &[("retry-after", "1")], r#"{"error":{"message":"slow down"}}"#),
        true,
        "captioner_rate_limited",
    ),
    ("401", Mode::Refuse(401, r#"{"error":"key hf_secret is wrong"}"#), false, "captioner_misconfigured"),
    ("404 in plain text", Mode::Refuse(404, "Not Found"), false, "captioner_misconfigured"),
    ("HTML", Mode::Refuse(200, "<html><body>Welcome!</body></html>"), true, "captioner_bad_answer"),
    ("an empty list", Mode::Refuse(200, "[]"), true, "captioner_bad_answer"),
    (
        "a redirect to itself",
        Mode::RefuseWith(307, &[("location", "/v1/chat/completions")], ""),
        false,
        "captioner_misconfigured",
    ),
];

async fn every_way_to_fail(arena: Arena) {
    let own = [("DARKROOM_WORKER__MAX_ATTEMPTS", "2"), ("DARKROOM_CAPTIONER__CALL_SECONDS", "1")];
    let site = arena.site(&own).await;
    for (way, mode, tried_again, code) in WAYS {
        site.captioner.set(mode.clone());
        let before = site.captioner.asked().len();
        let id = site.upload(1).await[0];
        thumbnails_are_there(&site, id).await;
        site.quiet().await;
        let caption = caption_stage(&site, id).await;
        assert_eq!(caption["status"], "failed", "{way}: {caption}");
        assert!(!caption.to_string().contains("hf_secret"), "{way}: {caption}");
        let calls = site.captioner.asked().len() - before;
        assert_eq!(calls, if *tried_again { 2 } else { 1 }, "{way}: one call an attempt");
        let sql = format!("select error_code from jobs where image_id = {id} and kind = 'caption'");
        let row = &site.ground.database.rows(&sql).await[0];
        assert_eq!(row.get::<_, Option<String>>(0).as_deref(), Some(*code), "{way}: {caption}");
    }
    site.captioner.set(Mode::Caption("Well again."));
    site.upload(1).await;
    site.verify().await;
}

async fn resets_and_nothing_listens(arena: Arena) {
    let mut site = arena.empty_site(&[("DARKROOM_WORKER__MAX_ATTEMPTS", "2")]).await;
    let proxy = crate::support::proxy::Proxy::before(site.captioner.address()).await;
    proxy.cut();
    let nowhere = crate::servers::free_port();
    for url in [format!("http://{}/v1", proxy.address), format!("http://127.0.0.1:{nowhere}/v1")] {
        gives_up(&mut site, &url).await;
    }
    site.verify().await;
}

async fn no_such_host(arena: Arena) {
    let mut site = arena.empty_site(&[("DARKROOM_WORKER__MAX_ATTEMPTS", "2")]).await;
    // Reserved never to exist (RFC 2606, section 2).
    gives_up(&mut site, "http://captioner.invalid/v1").await;
    site.verify().await;
}

async fn gives_up(site: &mut Site, url: &str) {
    site.start_api(0);
    let worker = site.start_worker_with(&[], &[("DARKROOM_CAPTIONER__URL", url)]);
    let id = site.upload(1).await[0];
    thumbnails_are_there(site, id).await;
    site.quiet().await;
    let caption = caption_stage(site, id).await;
    assert_eq!((&caption["status"], &caption["attempts"]), (&"failed".into(), &2.into()), "{caption}");
    assert!(site.residents.stop(&worker).await);
}

async fn heals_in_mid_retry(arena: Arena) {
    let site = arena.site(&[("DARKROOM_WORKER__MAX_ATTEMPTS", "20")]).await;
    site.captioner.set(Mode::Refuse(503, "starting"));
    let before = site.captioner.asked().len();
    let ids = site.upload(4).await;
    eventually("it was asked again", || async { (site.captioner.asked().len() > before + 6).then_some(()) })
        .await;
    site.captioner.set(Mode::Caption("After all."));
    site.quiet().await;
    for id in ids {
        assert_eq!(site.caller.image(id).await.unwrap().data()["caption"], "After all.");
    }
    site.verify().await;
}

/// Long before the caption is settled.
async fn thumbnails_are_there(site: &Site, id: i64) {
    let begun = Instant::now();
    eventually("the thumbnails are there", || async {
        site.caller.image(id).await?.data()["thumbnails"]["medium"].is_string().then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(10), "a thumbnail waited for the captioner");
}

async fn caption_stage(site: &Site, id: i64) -> Value {
    let image = site.caller.image(id).await.unwrap();
    assert_eq!(image.data()["status"], "success", "a caption never fails its image");
    image.data()["stages"]
        .as_array()
        .unwrap()
        .iter()
        .find(|stage| stage["name"] == "caption")
        .unwrap()
        .clone()
}
