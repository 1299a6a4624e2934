//! `--retry-failed`: everything that has failed, asked for again while API and workers run.

use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::{Carrier, Ground, Running};
use crate::support::pictures;
use crate::support::process::output;
use darkroom::app::Role;
use darkroom::domain::JobKind;
use futures_util::future::join_all;

const IMAGES: u64 = 240;

/// A third for each of these.
const CODES: [&str; 3] = ["storage_full", "worker_lost", "truncated"];

/// Uploads, and lets all of it fail as if workers had done so.
async fn failed(ground: &Ground, server: &Running) -> Vec<i64> {
    let mut ids = Vec::new();
    for number in 0..IMAGES {
        ids.push(server.client.upload("f.jpg", &pictures::unlike(pictures::jpeg(16, 16), number)).await);
    }
    let codes = CODES.join("','");
    let sql = format!(
        "with ended as (update jobs set state = 'failed', finished_at = now(), announce_at = null, attempt = 4)
         update images set status = 'failed', completed_at = now(), error = 'as told',
             error_code = (array['{codes}'])[1 + id % 3]"
    );
    ground.database.rows(&sql).await;
    ids
}

/// The number at the beginning of a report.
fn total(report: &str) -> u64 {
    report.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no number leads: {report}"))
}

#[tokio::test]
async fn what_has_failed_is_retried_in_bulk_and_only_once() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let server = ground.start(Role::Server, &[]).await;
    let ids = failed(&ground, &server).await;
    // It needs the database alone.
    let no_broker = [("DARKROOM_AMQP__URL", "")];
    let run = |arguments: Vec<&'static str>| {
        let ground = &ground;
        async move { output(ground, &arguments, &no_broker).await }
    };

    let (success, counted, said) = run(vec!["--retry-failed", "--dry-run"]).await;
    assert!(success, "{said}");
    assert_eq!(total(&counted), IMAGES);
    for code in CODES {
        assert!(counted.lines().any(|line| line.split_whitespace().eq([code, "80"])), "{counted}");
    }
    assert_eq!(ground.database.number("select count(*) from jobs where state = 'queued'").await, 0);

    let (_, some, _) =
        run(vec!["--retry-failed", "--code", "storage_full", "--code", "worker_lost", "--limit", "130"])
            .await;
    assert_eq!(total(&some), 130);
    let untouched = "select count(*) from images where status = 'failed' and error_code = 'truncated'";
    assert_eq!(ground.database.number(untouched).await, 80);

    // Two at once, while images are deleted and retried one by one.
    let client = &server.client;
    let deleted = ids[100..140].iter().map(|id| client.delete(*id));
    let by_hand = ids[160..200].iter().map(|id| async { client.retry(*id).await.status });
    let (first, second, deleted, by_hand) = tokio::join!(
        run(vec!["--retry-failed"]),
        run(vec!["--retry-failed"]),
        join_all(deleted),
        join_all(by_hand)
    );
    assert!(first.0 && second.0, "{} {}", first.2, second.2);
    assert!(deleted.iter().all(|status| *status == 204), "{deleted:?}");
    assert!(by_hand.iter().all(|status| [202, 409].contains(status)), "{by_hand:?}");
    assert_eq!(ground.database.number("select count(*) from images where status = 'failed'").await, 0);
    let twice = "select count(*) from (select 1 from jobs group by image_id having count(*) <> 2) as odd";
    assert_eq!(ground.database.number(twice).await, 0, "the job that failed, and one more");
    let (success, again, _) = run(vec!["--retry-failed"]).await;
    assert!(success && total(&again) == 0, "{again}");

    let worker = ground.start(Role::Worker(JobKind::ALL.to_vec()), &[]).await;
    for id in ids.iter().filter(|id| !ids[100..140].contains(id)) {
        assert_eq!(client.settled(*id).await["status"], "success");
    }
    assert_eq!(client.get("/api/stats").await.data()["successful"], IMAGES - 40);
    worker.stop().await;
    server.stop().await;
    ground.assert_files_match_rows().await;
}

#[tokio::test]
async fn what_fails_again_is_not_retried_by_the_same_run() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start_all(&[]).await;
    let jpeg = pictures::jpeg(640, 480);
    let mut ids = Vec::new();
    for number in 1..=5 {
        ids.push(app.client.upload("cut.jpg", &jpeg[..jpeg.len() - 1000 * number]).await);
    }
    for id in &ids {
        assert_eq!(app.client.settled(*id).await["status"], "failed");
    }
    let (success, report, said) = output(&ground, &["--retry-failed"], &[]).await;
    assert!(success && total(&report) == 5, "{report}{said}");
    for id in &ids {
        assert_eq!(app.client.settled(*id).await["status"], "failed");
    }
    assert_eq!(ground.database.number("select count(*) from jobs").await, 10);
    app.stop().await;
}

#[tokio::test]
async fn captions_are_retried_when_asked_for() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Refuse(400, "not today")).await;
    let url = captioner.url();
    let own = [("DARKROOM_CAPTIONER__PROVIDER", "openai_chat"), ("DARKROOM_CAPTIONER__URL", url.as_str())];
    let app = ground.start_all(&own).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(app.client.upload("c.jpg", &pictures::unlike(pictures::jpeg(32, 32), number)).await);
    }
    for id in &ids {
        assert_eq!(app.client.settled(*id).await["status"], "success");
    }
    let (_, images, _) = output(&ground, &["--retry-failed"], &[]).await;
    assert_eq!(total(&images), 0, "no image has failed");
    let (_, counted, _) = output(&ground, &["--retry-failed", "--captions", "--dry-run"], &[]).await;
    assert_eq!(total(&counted), 5, "{counted}");
    captioner.set(Mode::Caption("Now."));
    let (success, queued, said) = output(&ground, &["--retry-failed", "--captions"], &[]).await;
    assert!(success && total(&queued) == 5, "{queued}{said}");
    for id in &ids {
        assert_eq!(app.client.settled(*id).await["caption"], "Now.");
    }
    let (_, again, _) = output(&ground, &["--retry-failed", "--captions"], &[]).await;
    assert_eq!(total(&again), 0, "{again}");
    assert_eq!(ground.database.number("select count(*) from jobs where kind = 'image'").await, 5);
    app.stop().await;
}

#[tokio::test]
async fn a_bulk_that_cannot_be_finished_says_so() {
    let ground = Ground::new(Carrier::InProcess).await;
    let nobody = ground.database.url().replace("postgres@", "nobody-of-darkroom:s3cret@");
    let (success, _, said) =
        output(&ground, &["--retry-failed"], &[("DARKROOM_DATABASE__URL", &nobody)]).await;
    assert!(!success && said.contains("does not exist") && !said.contains("s3cret"), "{said}");
    for (arguments, named) in [
        (&["--retry-failed", "--code", "no_such_code"][..], "no_such_code"),
        (&["--captions"], "--retry-failed"),
        (&["--limit", "3"], "--retry-failed"),
        (&["--retry-failed", "--limit", "0"], "--limit"),
        (&["--retry-failed", "--worker"], "--worker"),
        (&["--dead-letters", "--retry-failed"], "--retry-failed"),
    ] {
        let (success, _, said) = output(&ground, arguments, &[]).await;
        assert!(!success && said.contains(named), "{arguments:?} gave {said}");
    }
}
