//! Upgrades: processes of the previous release and of this one on the same rows, files and messages, there and back.
//!
//! `tests/upgrade/build` makes the program of the previous release; `DARKROOM_TEST_PREVIOUS` says where it is, and without it
//! these are left out. `DARKROOM_TEST_PLANTED` is SQL that runs after the migrations, for `tests/upgrade/run --self-test`.

use crate::caller::Caller;
use crate::ledger::Fate;
use crate::site::{PATIENCE, Site};
use crate::support::fake_server::{FakeServer, Reply};
use crate::support::ground::eventually;
use crate::support::pictures;
use crate::support::process::{PROGRAM, Process, command};
use crate::trial::{Arena, rows};
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

rows! { "upgrades":
    Nothing {
        the_previous_release_goes_on_on_the_new_schema,
        back_to_the_previous_release,
    }
}

/// The program of the previous release.
pub fn previous() -> Option<PathBuf> {
    std::env::var_os("DARKROOM_TEST_PREVIOUS").filter(|path| !path.is_empty()).map(PathBuf::from)
}

async fn the_previous_release_goes_on_on_the_new_schema(arena: Arena) {
    let (mut site, receiver) = prepare(&arena, &[]).await;
    site.program = previous().unwrap();
    site.start_api(0);
    let old_worker = site.start_worker(&[]);
    site.upload(2).await;
    let migrations = site.ground.database.number("select count(*) from refinery_schema_history").await;
    assert_eq!(migrations, migrations_of_the_previous(), "tests/upgrade/previous");

    // Photos arrive and wait while the schema changes.
    let uploads = site.uploading(30);
    site.upload(10).await;
    migrate(&site).await;
    uploads.await.unwrap();
    quiet(&site).await;
    a_day_at(&site, &site.caller).await;

    // This release's API beside the old one; old workers do all the work.
    let old_api = site.caller.clone();
    site.program = PROGRAM.into();
    site.start_api(1);
    let new_api = site.caller.at(&site.ports()[1..]);
    site.caller = site.balanced_caller();
    site.upload(20).await;
    a_day_at(&site, &new_api).await;

    // New workers do it, and only the old API announces.
    assert!(site.residents.stop(&old_worker).await && site.residents.stop("api 1").await);
    site.caller = old_api;
    site.start_worker(&[]);
    site.upload(20).await;
    a_day_at(&site, &site.caller).await;

    // The last one is replaced.
    assert!(site.residents.stop("api 0").await);
    site.start_api(0);
    site.upload(5).await;
    quiet(&site).await;
    site.verify().await;
    everybody_was_told(&site, &receiver).await;
}

/// Whoever rolls back starts the previous release with `database.migrate = false`: by itself it refuses a schema that it does
/// not know.
async fn back_to_the_previous_release(arena: Arena) {
    let (mut site, receiver) = prepare(&arena, &[("DARKROOM_DATABASE__MIGRATE", "false")]).await;
    migrate(&site).await;
    site.start_api(0);
    let worker = site.start_worker(&[]);
    site.upload(10).await;
    a_day_at(&site, &site.caller).await;
    assert!(site.residents.stop(&worker).await);
    site.upload(10).await;
    assert!(site.residents.stop("api 0").await);

    site.program = previous().unwrap();
    let migrations = site.ground.database.number("select count(*) from refinery_schema_history").await;
    if migrations > migrations_of_the_previous() {
        let mut refusing = site.start(&["--migrate"], &[("DARKROOM_DATABASE__MIGRATE", "true")]);
        assert!(!refusing.ended().await.success() && refusing.log().contains("newer"), "{}", refusing.log());
    }
    site.start_api(0);
    let worker = site.start_worker(&[]);
    site.upload(10).await;
    a_day_at(&site, &site.caller).await;
    assert!(site.residents.stop(&worker).await && site.residents.stop("api 0").await);

    site.program = PROGRAM.into();
    site.start_api(0);
    site.start_worker(&[]);
    site.upload(5).await;
    quiet(&site).await;
    site.verify().await;
    everybody_was_told(&site, &receiver).await;
}

/// A site on which nothing runs yet, and who is told how images end.
async fn prepare(arena: &Arena, own: &[(&str, &str)]) -> (Site, FakeServer) {
    let receiver = FakeServer::start(Reply::new(200, "")).await;
    let url = receiver.url("/hook");
    let webhooks = [
        ("DARKROOM_WEBHOOKS__URL", url.as_str()),
        ("DARKROOM_WEBHOOKS__SECRET", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("DARKROOM_WEBHOOKS__ALLOW_PRIVATE", "true"),
    ];
    let mut site = arena.empty_site(&[&webhooks, own].concat()).await;
    // The previous release was built without optimising what works on pixels.
    site.picture = pictures::camera_jpeg(300, 200, 6);
    (site, receiver)
}

/// As the program under test migrates, whatever runs meanwhile.
async fn migrate(site: &Site) {
    let own = [("DARKROOM_DATABASE__MIGRATE", "true")];
    let mut migrating = Process::spawn(command(&["--migrate"]).envs(site.environment(&own)));
    assert!(migrating.ended().await.success(), "{}", migrating.log());
    if let Ok(planted) = std::env::var("DARKROOM_TEST_PLANTED") {
        site.ground.database.run(&planted).await;
    }
}

fn migrations_of_the_previous() -> i64 {
    let lines = include_str!("../../upgrade/previous").lines();
    lines.filter_map(|line| line.strip_prefix("migrations ")).next().unwrap().trim().parse().unwrap()
}

/// Waits until all work is done, or a process tells of a statement that the schema does not fit.
async fn quiet(site: &Site) {
    let refused = async {
        loop {
            // In the words of PostgreSQL: SQLSTATE 42703, 42P01, 42883; 23502, 23514.
            let logs = site.residents.logs();
            if let Some(line) = logs
                .lines()
                .find(|line| ["does not exist", "violates"].iter().any(|words| line.contains(words)))
            {
                return line.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = site.quiet() => {}
        line = refused => panic!("a process cannot live with the schema: {line}"),
    }
}

/// What callers ask of an API in a day, so that whatever of the schema it touches has to be there.
async fn a_day_at(site: &Site, api: &Caller) {
    eventually("the API is ready", || async {
        api.get("/readyz").await.filter(|answer| answer.status == 200).map(drop)
    })
    .await;
    let upload = async |file: &[u8], fate| {
        site.ledger.deliver(api, file, fate, PATIENCE).await.expect("an upload was never acknowledged")
    };
    let (kept, gone) = (upload(&site.file(), Fate::Success).await, upload(&site.file(), Fate::Success).await);
    let broken = site.file();
    let broken = upload(&broken[..broken.len() / 2], Fate::Failed).await;
    quiet(site).await;

    let image = format!("/api/images/{kept}");
    let ask = async |method: Method, path: &str, body, status: u16| {
        let answer =
            api.send(method.clone(), path, &body).await.unwrap_or_else(|| panic!("{method} {path}: silence"));
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        answer
    };
    let details = ask(Method::GET, &image, json!({}), 200).await;
    assert!(details.data()["caption"].is_string(), "{}", details.body);
    for path in ["captions", "deliveries", "similar"] {
        ask(Method::GET, &format!("{image}/{path}"), json!({}), 200).await;
    }
    for question in [
        "status=failed",
        "q=photo&sort=largest",
        "camera=canon&taken_from=2020-01-01&sort=taken_oldest",
        "sort=name",
        "finding=data_after_end",
        "has_gps=false",
        "min_pixels=1&sort=smallest",
        "format=jpg&min_bytes=1&sort=oldest",
    ] {
        ask(Method::GET, &format!("/api/images?{question}"), json!({}), 200).await;
    }
    ask(Method::GET, "/api/stats", json!({}), 200).await;
    ask(Method::PUT, &format!("{image}/caption"), json!({"text": "Rex, asleep"}), 200).await;
    ask(Method::DELETE, &format!("{image}/caption"), json!({}), 204).await;
    ask(Method::POST, &format!("{image}/captions"), json!({}), 202).await;
    ask(Method::POST, &format!("/api/images/{broken}/retry"), json!({}), 202).await;
    ask(Method::DELETE, &format!("/api/images/{gone}"), json!({}), 204).await;
    site.ledger.deleted(gone);
    quiet(site).await;
}

/// Each time that an image ended, in whichever release.
async fn everybody_was_told(site: &Site, receiver: &FakeServer) {
    let events = site.ground.database.rows("select message_id from webhook_events").await;
    let calls = receiver.asked();
    let told: BTreeSet<_> = calls.iter().map(|call| call.header("webhook-id")).collect();
    let untold: Vec<String> =
        events.iter().map(|row| row.get(0)).filter(|id: &String| !told.contains(id.as_str())).collect();
    assert!(untold.is_empty(), "not told: {untold:?}");
    let images = site.ledger.acknowledged().len();
    assert!(events.len() >= images, "{} events of {images} images", events.len());
}
