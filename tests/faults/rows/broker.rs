//! A broker that is away, killed, emptied, alarmed, deaf.

use crate::site::Site;
use crate::support::ground::eventually;
use crate::support::proxy::Flow;
use crate::trial::{Arena, rows};
use rand::RngExt;
use std::time::{Duration, Instant};

rows! { "broker":
    Nothing {
        queue_purged,
        queues_and_exchange_deleted_while_in_use,
        connections_cut_again_and_again,
        deaf_in_one_direction,
        slow,
        a_queue_that_takes_nothing,
    }
    RabbitMq {
        away_during_uploads,
        killed,
        connections_closed_again_and_again,
        alarmed,
    }
}

async fn away_during_uploads(arena: Arena) {
    let site = arena.site(&[]).await;
    site.upload(4).await;
    arena.rabbitmq.control(&["stop_app"]);
    let begun = Instant::now();
    while begun.elapsed() < arena.dose(Duration::from_secs(5), Duration::from_secs(60)) {
        // Taken at once, broker or not.
        let before = Instant::now();
        site.upload(4).await;
        assert!(before.elapsed() < Duration::from_secs(5), "uploads wait for the broker");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let ready = site.caller.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200, "an API without a broker takes uploads");
    assert_ne!(ready.data()["checks"]["broker"], "ok");
    arena.rabbitmq.control(&["start_app"]);
    site.verify().await;
}

async fn killed(mut arena: Arena) {
    let site = arena.site(&[]).await;
    for _ in 0..arena.dose(1, 5) {
        let uploads = site.uploading(30);
        tokio::time::sleep(Duration::from_millis(arena.chance.random_range(50..800))).await;
        arena.rabbitmq.kill();
        arena.rabbitmq.start_again();
        uploads.await.unwrap();
        site.quiet().await;
    }
    site.verify().await;
}

async fn queue_purged(arena: Arena) {
    let mut site = arena.site(&[]).await;
    let worker = site.residents.names("worker").remove(0);
    assert!(site.residents.stop(&worker).await);
    site.upload(8).await;
    let broker = site.ground.broker();
    eventually("all are announced", || async { (broker.ready("image").await == 8).then_some(()) }).await;
    // Long enough ago to be doubted.
    let doubted =
        "select count(*) from jobs where announced_at < now() - interval '1 second' and state = 'queued'";
    let database = &site.ground.database;
    eventually("all are doubted", || async { (database.number(doubted).await == 8).then_some(()) }).await;
    broker.purge("image").await;
    eventually("all are announced again", || async { (broker.ready("image").await == 8).then_some(()) })
        .await;
    // A backlog that merely waits is not multiplied.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(broker.ready("image").await, 8);
    site.start_worker(&[]);
    site.verify().await;
}

async fn queues_and_exchange_deleted_while_in_use(arena: Arena) {
    let site = arena.site(&[]).await;
    for round in 0..arena.dose(2, 10) {
        for queue in ["image", "caption", "webhook", "dead"] {
            site.upload(2).await;
            site.ground.broker().delete_queue(queue).await;
            site.upload(2).await;
        }
        if round % 2 == 1 {
            site.ground.broker().delete_exchange().await;
        }
    }
    site.verify().await;
}

async fn connections_cut_again_and_again(arena: Arena) {
    let site = arena.site(&[]).await;
    for _ in 0..arena.dose(4, 30) {
        site.to_broker.cut();
        site.upload(2).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        site.to_broker.heal();
        site.upload(2).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    site.verify().await;
}

async fn connections_closed_again_and_again(arena: Arena) {
    let site = arena.site(&[]).await;
    let begun = Instant::now();
    while begun.elapsed() < arena.dose(Duration::from_secs(6), Duration::from_secs(60)) {
        arena.rabbitmq.control(&["close_all_connections", "a trial"]);
        site.upload(6).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    site.verify().await;
}

/// What the program sends is lost, then what it is sent. TCP says nothing of either; the heartbeat does.
async fn deaf_in_one_direction(arena: Arena) {
    let site = arena.site(&[]).await;
    for flows in [(Flow::Lost, Flow::Open), (Flow::Open, Flow::Lost), (Flow::Lost, Flow::Lost)] {
        site.to_broker.flow(flows.0, flows.1);
        site.upload(6).await;
        // Beyond two heartbeats of two seconds.
        tokio::time::sleep(arena.dose(Duration::from_secs(5), Duration::from_secs(15))).await;
        site.upload(2).await;
        site.to_broker.heal();
        site.quiet().await;
    }
    site.verify().await;
}

async fn slow(arena: Arena) {
    let site = arena.site(&[]).await;
    let late = Flow::Late(Duration::from_millis(150));
    site.to_broker.flow(late, late);
    site.upload(10).await;
    site.quiet().await;
    site.to_broker.flow(Flow::Dripping(2000), Flow::Dripping(2000));
    site.upload(10).await;
    site.verify().await;
}

/// As one that has lost its leader: it is there, and whoever asks it for anything waits for ever.
async fn a_queue_that_takes_nothing(arena: Arena) {
    let site = arena.site(&[]).await;
    for queue in ["caption", "image"] {
        let process = format!("%2F_{}", site.ground.broker().queue(queue));
        arena.rabbitmq.control(&["eval", &format!("sys:suspend(whereis(list_to_atom(\"{process}\"))).")]);
        let ids = site.upload(6).await;
        if queue == "caption" {
            for id in ids {
                eventually("the thumbnails are made all the same", || async {
                    site.caller.image(id).await?.data()["thumbnails"]["medium"].is_string().then_some(())
                })
                .await;
            }
        }
        site.quiet().await;
    }
    site.verify().await;
    assert!(site.residents.logs().contains("it is made anew"));
}

/// During an alarm the broker takes connections and stores nothing (RabbitMQ manual, "Alarms").
async fn alarmed(arena: Arena) {
    let site = arena.site(&[]).await;
    for (on, off) in alarms(arena.thorough) {
        arena.rabbitmq.control(on);
        uploads_go_on(&site, arena.dose(Duration::from_secs(5), Duration::from_secs(20))).await;
        arena.rabbitmq.control(off);
        site.quiet().await;
    }
    site.verify().await;
}

fn alarms(thorough: bool) -> Vec<(&'static [&'static str], &'static [&'static str])> {
    let memory: (&[&str], &[&str]) =
        (&["set_vm_memory_high_watermark", "0.0001"], &["set_vm_memory_high_watermark", "0.4"]);
    let disk: (&[&str], &[&str]) = (&["set_disk_free_limit", "900TB"], &["set_disk_free_limit", "50MB"]);
    if thorough { vec![memory, disk] } else { vec![memory] }
}

async fn uploads_go_on(site: &Site, length: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < length {
        let before = Instant::now();
        site.upload(2).await;
        assert!(before.elapsed() < Duration::from_secs(5), "uploads wait for the broker");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
