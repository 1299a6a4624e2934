//! What strangers and accidents do to the queue.

use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use darkroom::app::Role;
use darkroom::domain::JobKind;

#[tokio::test]
async fn doubled_messages_are_processed_once() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start_all(&[]).await;
    // Once an image has come through, everything is declared.
    let id = app.client.upload("first.jpg", &pictures::jpeg(64, 64)).await;
    app.client.settled(id).await;
    let id = app.client.upload("d.jpg", &pictures::jpeg(1200, 900)).await;
    let job = ground.database.number("select max(id) from jobs").await;
    let body = format!(r#"{{"version":1,"job":{job},"image":{id}}}"#).into_bytes();
    ground.broker().publish("image", &vec![body.clone(); 100]).await;
    let image = app.client.settled(id).await;
    assert_eq!(image["status"], "success");
    // Also after the end.
    ground.broker().publish("image", &vec![body; 100]).await;
    let broker = ground.broker();
    eventually("all doubles are consumed", || async { (broker.ready("image").await == 0).then_some(()) })
        .await;
    app.stop().await;
    assert_eq!(ground.database.number("select max(attempt)::bigint from jobs").await, 1);
    assert_eq!(ground.database.number("select count(*) from stage_runs").await, 4);
    ground.assert_files_match_rows().await;
}

#[tokio::test]
async fn what_is_no_announcement_is_dead_lettered_once() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start_all(&[]).await;
    // Once an image has come through, everything is declared.
    let id = app.client.upload("first.jpg", &pictures::jpeg(64, 64)).await;
    app.client.settled(id).await;
    let strange: Vec<Vec<u8>> = [
        &b""[..],
        b"\xff\xfe\x00",
        b"{}",
        br#"{"version":99,"job":1,"image":1}"#,
        br#"{"version":1,"job":"one","image":1}"#,
        &[b'x'; 1_000_000],
    ]
    .iter()
    .map(|body| body.to_vec())
    .collect();
    let broker = ground.broker();
    broker.publish("image", &strange).await;
    // A job that does not exist is no stranger: it was deleted.
    broker.publish("image", &[br#"{"version":1,"job":123456,"image":1}"#.to_vec()]).await;
    eventually("all strangers are dead letters", || async {
        (broker.ready("dead").await as usize == strange.len()).then_some(())
    })
    .await;
    let (_, reason) = broker.take("dead").await.unwrap();
    assert_eq!(reason, "rejected");
    let id = app.client.upload("ok.jpg", &pictures::jpeg(64, 64)).await;
    assert_eq!(app.client.settled(id).await["status"], "success");
    app.stop().await;
}

#[tokio::test]
async fn announcements_that_the_broker_lost_are_made_again() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let server = ground.start(Role::Server, &[]).await;
    let broker = ground.broker();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(server.client.upload("l.jpg", &pictures::unlike(pictures::jpeg(64, 64), number)).await);
    }
    eventually("all are announced", || async { (broker.ready("image").await == 5).then_some(()) }).await;
    // Long enough ago to be doubted, all of them: those that are not would wait until the others are worked off.
    let doubted = "select count(*) from jobs where announced_at < now() - interval '1 second'";
    eventually("all are doubted", || async { (ground.database.number(doubted).await == 5).then_some(()) })
        .await;
    broker.purge("image").await;
    eventually("all are announced again, and none twice", || async {
        (broker.ready("image").await == 5).then_some(())
    })
    .await;
    broker.delete_queue("image").await;
    let late = server.client.upload("m.jpg", &pictures::jpeg(50, 50)).await;
    ids.push(late);
    let worker = ground.start(Role::Worker(JobKind::ALL.to_vec()), &[]).await;
    for id in ids {
        assert_eq!(server.client.settled(id).await["status"], "success");
    }
    // While it is in use, too.
    broker.delete_queue("image").await;
    let id = server.client.upload("n.jpg", &pictures::jpeg(40, 40)).await;
    assert_eq!(server.client.settled(id).await["status"], "success");
    worker.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_backlog_that_merely_waits_is_not_multiplied() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    // Doubted after a tenth of a second, looked at every fifth.
    let own = [("DARKROOM_RELAY__REANNOUNCE_SECONDS", "0.1")];
    let server = ground.start(Role::Server, &own).await;
    let broker = ground.broker();
    for number in 0..5 {
        server.client.upload("b.jpg", &pictures::unlike(pictures::jpeg(64, 64), number)).await;
    }
    eventually("all are announced", || async { (broker.ready("image").await == 5).then_some(()) }).await;
    // Ten rounds of the reaper: the kept counts tell that it has been round.
    for round in 0..10 {
        server.client.upload("r.jpg", &pictures::unlike(pictures::jpeg(64, 64), 100 + round)).await;
        let database = &ground.database;
        eventually("the reaper has been round", || async {
            (database.number("select count(*) from tally_deltas").await == 0).then_some(())
        })
        .await;
    }
    eventually("the last are announced", || async { (broker.ready("image").await >= 15).then_some(()) })
        .await;
    assert_eq!(broker.ready("image").await, 15);
    server.stop().await;
}
