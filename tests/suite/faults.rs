//! Killed workers, brokers and databases that go away: nothing lost, nothing stuck, no hand needed.

use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::Process;
use crate::support::proxy::Proxy;
use darkroom::app::Role;

/// A caption job that lasts as long as the test wants: mid-job is a state, not a moment.
fn captioner_settings(captioner: &FakeCaptioner) -> Vec<(&'static str, String)> {
    vec![
        ("DARKROOM_CAPTIONER__PROVIDER", "openai_chat".to_owned()),
        ("DARKROOM_CAPTIONER__URL", captioner.url()),
        ("DARKROOM_CAPTIONER__CALL_SECONDS", "20".to_owned()),
        ("DARKROOM_WORKER__CAPTION_SECONDS", "20".to_owned()),
    ]
}

fn borrowed<'a>(own: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    own.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn a_worker_that_is_killed_in_mid_job_is_replaced() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Hang).await;
    let own = captioner_settings(&captioner);
    let server = ground.start(Role::Server, &borrowed(&own)).await;
    let first = Process::start(&ground, &["--worker"], &borrowed(&own));
    let id = server.client.upload("k.jpg", &pictures::jpeg(300, 200)).await;
    eventually("the worker is in mid-job", || async { (captioner.asked().len() == 1).then_some(()) }).await;
    first.signal("-KILL");
    captioner.set(Mode::Caption("Rescued."));
    let second = Process::start(&ground, &["--worker"], &borrowed(&own));
    let image = server.client.settled(id).await;
    assert_eq!((&image["status"], &image["caption"]), (&"success".into(), &"Rescued.".into()));
    assert_eq!(ground.database.number("select attempt::bigint from jobs where kind = 'caption'").await, 2);
    drop((first, second));
    ground.assert_files_match_rows().await;
    server.stop().await;
}

#[tokio::test]
async fn a_worker_that_always_dies_ends_in_a_failure() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Hang).await;
    let mut own = captioner_settings(&captioner);
    own.push(("DARKROOM_WORKER__MAX_ATTEMPTS", "2".to_owned()));
    let server = ground.start(Role::Server, &borrowed(&own)).await;
    let id = server.client.upload("k.jpg", &pictures::jpeg(300, 200)).await;
    for attempt in 1..=2 {
        let worker = Process::start(&ground, &["--worker"], &borrowed(&own));
        eventually("the worker is in mid-job", || async {
            (captioner.asked().len() == attempt).then_some(())
        })
        .await;
        worker.signal("-KILL");
    }
    let image = server.client.settled(id).await;
    assert_eq!(image["status"], "success", "a caption never fails its image");
    let caption = crate::flow::stage(&image, "caption");
    assert_eq!((&caption["status"], &caption["attempts"]), (&"failed".into(), &2.into()));
    server.stop().await;
}

#[tokio::test]
async fn a_zombie_that_wakes_changes_nothing() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Hang).await;
    let own = captioner_settings(&captioner);
    let server = ground.start(Role::Server, &borrowed(&own)).await;
    let zombie = Process::start(&ground, &["--worker"], &borrowed(&own));
    let id = server.client.upload("z.jpg", &pictures::jpeg(300, 200)).await;
    eventually("the worker is in mid-job", || async { (captioner.asked().len() == 1).then_some(()) }).await;
    zombie.signal("-STOP");
    captioner.set(Mode::Caption("By the living."));
    let living = Process::start(&ground, &["--worker"], &borrowed(&own));
    assert_eq!(server.client.settled(id).await["caption"], "By the living.");
    zombie.signal("-CONT");
    eventually("the zombie notices", || async { zombie.log().contains("the lease was lost").then_some(()) })
        .await;
    assert_eq!(server.client.image(id).await["caption"], "By the living.");
    drop((zombie, living));
    server.stop().await;
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_hand() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let captioner = FakeCaptioner::start(Mode::Hang).await;
    let own = captioner_settings(&captioner);
    let server = ground.start(Role::Server, &borrowed(&own)).await;
    let mut own = own.clone();
    // The call in hand fails after a second, is put back into the queue, and the worker ends.
    own[2].1 = "1".to_owned();
    let mut worker = Process::start(&ground, &["--worker", "--queues", "caption"], &borrowed(&own));
    let mut images = Process::start(&ground, &["--worker", "--queues", "image"], &borrowed(&own));
    let id = server.client.upload("t.jpg", &pictures::jpeg(300, 200)).await;
    eventually("the worker is in mid-job", || async { (captioner.asked().len() == 1).then_some(()) }).await;
    worker.signal("-TERM");
    images.signal("-TERM");
    assert!(images.ended().await.success(), "{}", images.log());
    assert!(worker.ended().await.success(), "{}", worker.log());
    assert_eq!(ground.database.number("select count(*) from jobs where state = 'running'").await, 0);
    assert_eq!(server.client.image(id).await["status"], "processing");
    captioner.set(Mode::Caption("Later."));
    let next = Process::start(&ground, &["--worker"], &borrowed(&own));
    assert_eq!(server.client.settled(id).await["caption"], "Later.");
    drop(next);
    server.stop().await;
}

#[tokio::test]
async fn uploads_go_on_while_the_broker_is_away() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let proxy = Proxy::before(ground.broker().address()).await;
    let url = ground.broker().url_through(proxy.address);
    let app = ground.start_all(&[("DARKROOM_AMQP__URL", &url)]).await;
    let client = &app.client;
    let mut ids = vec![client.upload("a.jpg", &pictures::jpeg(64, 64)).await];
    client.settled(ids[0]).await;
    for round in 0..3 {
        proxy.cut();
        for number in 0..4 {
            let file = pictures::unlike(pictures::jpeg(64, 64), round * 10 + number);
            ids.push(client.upload("b.jpg", &file).await);
        }
        let ready = client.get("/readyz").await;
        assert_eq!(ready.status, 200, "an API server without a broker takes uploads");
        assert_ne!(ready.data()["checks"]["broker"], "ok");
        proxy.heal();
    }
    for id in &ids {
        assert_eq!(client.settled(*id).await["status"], "success");
    }
    assert_eq!(ground.database.number("select count(*) from jobs").await, ids.len() as i64);
    ground.assert_files_match_rows().await;
    app.stop().await;
}

#[tokio::test]
async fn postgres_may_go_away_during_processing() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let proxy = Proxy::before(ground.database.address()).await;
    let url = ground.database.url_through(proxy.address);
    let app = ground.start_all(&[("DARKROOM_DATABASE__URL", &url)]).await;
    let client = &app.client;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(client.upload("p.jpg", &pictures::unlike(pictures::jpeg(900, 700), number)).await);
    }
    proxy.cut();
    let refused = client.send("q.jpg", &pictures::jpeg(64, 64)).await;
    assert_eq!(refused.refusal(), (503, "overloaded"), "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(client.get("/api/stats").await.refusal(), (503, "overloaded"));
    assert_eq!(client.get("/livez").await.status, 200);
    let ready = client.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_ne!(ready.data()["checks"]["database"], "ok");
    proxy.heal();
    for id in &ids {
        assert_eq!(client.settled(*id).await["status"], "success");
    }
    ground.database.terminate_connections().await;
    let again = pictures::jpeg(640, 480);
    let sent = eventually("uploads are taken again", || async {
        let sent = client.send("r.jpg", &again).await;
        (sent.status == 202).then(|| sent.data()["image_id"].as_i64().unwrap())
    });
    assert_eq!(client.settled(sent.await).await["status"], "success");
    app.stop().await;
}

#[tokio::test]
async fn standalone_keeps_everything_through_a_kill() {
    let ground = Ground::new(Carrier::InProcess).await;
    let data = ground.walkable_folder();
    // No server is named, so it brings its own.
    let own = [("DARKROOM_DATABASE__URL", ""), ("DARKROOM_EMBEDDED__DIR", data.as_str())];
    let killed = Process::start(&ground, &["--standalone"], &own);
    let client = killed.client().await;
    let done = client.upload("done.jpg", &pictures::jpeg(300, 200)).await;
    client.settled(done).await;
    let mut ids = vec![done];
    for number in 0..5 {
        ids.push(client.upload("open.jpg", &pictures::unlike(pictures::jpeg(1500, 1200), number)).await);
    }
    killed.signal("-KILL");
    drop(killed);
    let mut next = Process::start(&ground, &["--standalone"], &own);
    let client = next.client().await;
    for id in &ids {
        assert_eq!(client.settled(*id).await["status"], "success");
    }
    assert_eq!(client.get("/api/stats").await.data()["total_images"], ids.len());
    next.signal("-TERM");
    assert!(next.ended().await.success(), "{}", next.log());
}
