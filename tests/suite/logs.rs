//! The log of the real binary, as a machine reads it: each failure once, with its ids, and with what happens next.

use crate::support::client::Client;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::Process;
use crate::support::proxy::Proxy;
use darkroom::app::Role;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const JSON: (&str, &str) = ("DARKROOM_LOG__FORMAT", "json");

/// Every line, each of which must be an object with a level and a message.
fn lines(process: &Process) -> Vec<Value> {
    let parsed =
        process.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    assert!(parsed.iter().all(|line| line["level"].is_string() && line["message"].is_string()), "{parsed:?}");
    parsed
}

fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap()
}

/// What is worse than information.
fn complaints(process: &Process) -> Vec<Value> {
    lines(process)
        .into_iter()
        .filter(|line| ["WARN", "ERROR"].contains(&line["level"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn each_failure_is_told_once_with_its_ids_and_what_happens_next() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Refuse(500, "out of order")).await;
    let url = captioner.url();
    let own = [
        JSON,
        ("DARKROOM_CAPTIONER__PROVIDER", "openai_chat"),
        ("DARKROOM_CAPTIONER__URL", &url),
        ("HF_API_KEY", "hf_secret"),
    ];
    let mut process = Process::start(&ground, &["--standalone"], &own);
    let client = process.client().await;
    let jpeg = pictures::jpeg(640, 480);
    let (whole, cut) =
        (client.upload("whole.jpg", &jpeg).await, client.upload("cut.jpg", &jpeg[..jpeg.len() - 500]).await);
    assert_eq!(client.settled(whole).await["status"], "success");
    assert_eq!(client.settled(cut).await["status"], "failed");
    process.signal("-TERM");
    assert!(process.ended().await.success());

    let of = |image: i64| {
        complaints(&process).into_iter().filter(|line| line["image"] == image).collect::<Vec<_>>()
    };
    let captions = of(whole);
    let job = ground.database.number("select id from jobs where kind = 'caption'").await;
    assert_eq!(captions.len(), 4, "one line for each attempt: {captions:#?}");
    for (line, attempt) in captions.iter().zip(1..) {
        assert_eq!(
            (&line["job"], &line["attempt"], &line["kind"]),
            (&job.into(), &attempt.into(), &"caption".into())
        );
        assert_eq!(line["code"], "captioner_unavailable", "{line}");
        assert!(line["error"].as_str().is_some_and(|error| error.contains("out of order")), "{line}");
        let next = match attempt {
            4 => format!(
                "failed for good; POST /api/images/{whole}/retry or --retry-failed --captions asks for it again"
            ),
            _ => "failed; tried again in 0.".to_owned(),
        };
        assert!(message(line).starts_with(&next), "{line}");
    }
    let job = ground.database.number(&format!("select id from jobs where image_id = {cut}")).await;
    let [line] = &of(cut)[..] else { panic!("one line: {:#?}", of(cut)) };
    assert_eq!(
        (&line["job"], &line["attempt"], &line["kind"]),
        (&job.into(), &1.into(), &"image".into()),
        "{line}"
    );
    assert_eq!(line["code"], "truncated");
    assert!(message(line).starts_with(&format!("failed for good; POST /api/images/{cut}/retry")), "{line}");
    assert_eq!(complaints(&process).len(), 5, "nothing else is told of them: {:#?}", complaints(&process));
    let done = lines(&process).into_iter().filter(|line| line["message"] == "done").collect::<Vec<_>>();
    assert!(done.len() == 1 && done[0]["image"] == whole && done[0]["attempt"] == 1, "{done:#?}");
    assert!(!process.log().contains("hf_secret"));
}

/// Uploads, and has `meanwhile` done between the upload and the work on it.
async fn interrupted(worker: &Process, client: &Client, number: u64, meanwhile: impl FnOnce()) -> i64 {
    worker.signal("-STOP");
    let id = client.upload("v.jpg", &pictures::unlike(pictures::jpeg(64, 64), number)).await;
    meanwhile();
    worker.signal("-CONT");
    id
}

#[tokio::test]
async fn a_volume_that_fails_is_told_once_for_each_attempt_and_with_the_path() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let server = ground.start(Role::Server, &[]).await;
    let own = [JSON, ("DARKROOM_WORKER__LISTEN", "127.0.0.1:0"), ("DARKROOM_WORKER__MAX_ATTEMPTS", "100")];
    let worker = Process::start(&ground, &["--worker"], &own);
    // It has found the volume when it listens.
    worker.client().await;
    let (volume, originals) = (ground.volume(), ground.volume().join("originals"));
    let rename = |from: &Path, to: &Path| std::fs::rename(from, to).unwrap();
    let told = |image: i64, at_least: usize| {
        let worker = &worker;
        eventually("it is told", move || async move {
            let told =
                complaints(worker).into_iter().filter(|line| line["image"] == image).collect::<Vec<_>>();
            (told.len() >= at_least).then_some(told)
        })
    };

    // The volume is there, and the file is not.
    let elsewhere = ground.volume().join("elsewhere");
    let id = interrupted(&worker, &server.client, 1, || rename(&originals, &elsewhere)).await;
    assert_eq!(server.client.settled(id).await["status"], "failed");
    let lines = told(id, 1).await;
    let [line] = &lines[..] else { panic!("one line: {lines:#?}") };
    assert_eq!((&line["code"], &line["attempt"]), (&"file_missing".into(), &1.into()));
    let path = originals.to_str().unwrap();
    assert!(line["detail"].as_str().is_some_and(|detail| detail.contains(path)), "{line}");
    rename(&elsewhere, &originals);

    // The volume is away, and comes back.
    let elsewhere = volume.with_extension("unmounted");
    let id = interrupted(&worker, &server.client, 2, || rename(&volume, &elsewhere)).await;
    told(id, 3).await;
    rename(&elsewhere, &volume);
    assert_eq!(server.client.settled(id).await["status"], "success");
    let attempts =
        ground.database.number(&format!("select attempt::bigint from jobs where image_id = {id}")).await;
    let lines = told(id, 1).await;
    let numbers: Vec<i64> = lines.iter().map(|line| line["attempt"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..attempts).collect::<Vec<_>>(), "each failed attempt once");
    for line in &lines {
        assert_eq!(line["code"], "storage_unavailable");
        assert!(message(line).starts_with("failed; tried again in "), "{line}");
        assert!(line["detail"].as_str().is_some_and(|detail| detail.contains(path)), "{line}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_outage_is_told_when_it_begins_and_when_it_ends() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let database = Proxy::before(ground.database.address()).await;
    let broker = Proxy::before(ground.broker().address()).await;
    let (at_database, at_broker) =
        (ground.database.url_through(database.address), ground.broker().url_through(broker.address));
    let own = [JSON, ("DARKROOM_DATABASE__URL", &at_database), ("DARKROOM_AMQP__URL", &at_broker)];
    let process = Process::start(&ground, &["--standalone"], &own);
    let client = process.client().await;
    for number in 0..8 {
        client.upload("o.jpg", &pictures::unlike(pictures::jpeg(1200, 900), number)).await;
    }
    database.cut();
    broker.cut();
    // Some tries of every loop, and requests that are refused.
    let begun = std::time::Instant::now();
    while begun.elapsed().as_secs() < 4 {
        assert_eq!(client.get("/api/stats").await.refusal(), (503, "overloaded"));
    }
    database.heal();
    broker.heal();
    for id in 1..=8 {
        assert_eq!(client.settled(id).await["status"], "success");
    }
    // Each part comes back in its own time.
    for end in ["consuming again", "notifications come again", "works again"] {
        let told = || async { lines(&process).iter().any(|line| message(line).contains(end)).then_some(()) };
        eventually(end, told).await;
    }
    // A line is known by its words, and by whose they are.
    let mut times = BTreeMap::<String, usize>::new();
    for line in lines(&process) {
        let whose = ["queue", "doing", "kind", "image", "job", "attempt", "migration"]
            .map(|field| line[field].to_string());
        *times.entry(format!("{} {}", message(&line), whose.join(" "))).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "{times:#?}");
    for told in ["a request was refused", "cannot consume", "notifications come again", "works again"] {
        assert!(times.keys().any(|line| line.contains(told)), "{told} is missing in {times:#?}");
    }
}

#[tokio::test]
async fn a_worker_that_the_database_refuses_holds_its_jobs_and_says_so_once() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let server = ground.start(Role::Server, &[]).await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(server.client.upload("r.jpg", &pictures::unlike(pictures::jpeg(32, 32), number)).await);
    }
    let broker = ground.broker();
    eventually("all are announced", || async { (broker.ready("image").await == 6).then_some(()) }).await;
    ground.database.rows("alter table jobs rename to jobs_of_others").await;
    let own = [JSON, ("DARKROOM_WORKER__CONCURRENCY", "2")];
    let worker = Process::start(&ground, &["--worker"], &own);
    let refused = |worker: &Process| {
        let told = complaints(worker).into_iter().filter(|line| message(line).contains("cannot be claimed"));
        told.collect::<Vec<_>>()
    };
    eventually("it is told", || async { (!refused(&worker).is_empty()).then_some(()) }).await;
    // Longer than the reaper takes to doubt an announcement, and than several tries.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = refused(&worker);
    assert!(told.len() == 1 && told[0]["error"].as_str().unwrap().contains("does not exist"), "{told:#?}");
    assert_eq!(broker.ready("image").await, 3, "two to be drawn and one meanwhile, none given up");
    ground.database.rows("alter table jobs_of_others rename to jobs").await;
    for id in ids {
        assert_eq!(server.client.settled(id).await["status"], "success");
    }
    let again = lines(&worker).into_iter().filter(|line| message(line) == "the database answers again");
    assert_eq!(again.count(), 1);
    server.stop().await;
}
