//! The nemesis: random faults under steady load, then quiet, then all invariants and the ledger.

mod load;
mod schedule;

use crate::site::{PATIENCE, Site};
use crate::support::fake_captioner::Mode;
use crate::support::proxy::{Flow, Proxy};
use crate::trial::{Arena, Breaks, Run};
use load::Load;
use rand::RngExt;
use schedule::{Ear, Fault};
use std::time::{Duration, Instant};

/// APIs, and the workers that there are when nothing happens to them.
const APIS: usize = 2;
const WORKERS: usize = 2;

const SETTINGS: [(&str, &str); 4] = [
    // Burnt by the nemesis, not by the jobs.
    ("DARKROOM_WORKER__MAX_ATTEMPTS", "60"),
    ("DARKROOM_WORKER__CONCURRENCY", "2"),
    ("DARKROOM_WORKER__CAPTION_CONCURRENCY", "2"),
    ("DARKROOM_WORKER__GRACE_SECONDS", "8"),
];

/// Runs for so long; panics where an invariant does not hold.
pub async fn run(run: &Run, minutes: f64) {
    let mut arena = Arena::enter(run, "nemesis", Breaks::Both).await;
    let mut site = arena.site(&SETTINGS).await;
    let mut unbidden = Vec::new();
    supervise(&mut site, &mut unbidden).await;
    let load = Load::start(&site);
    let begun = Instant::now();
    let mut strokes = 0;
    for stroke in schedule::schedule(run.seed) {
        if begun.elapsed().as_secs_f64() > minutes * 60.0 {
            break;
        }
        tokio::time::sleep(stroke.pause).await;
        let at = begun.elapsed().as_secs();
        println!("{:3}:{:02}  {:?} for {:.1?}", at / 60, at % 60, stroke.fault, stroke.length);
        strike(&mut arena, &mut site, stroke.fault, stroke.length).await;
        supervise(&mut site, &mut unbidden).await;
        strokes += 1;
    }
    println!("{strokes} faults; healing");
    supervise(&mut site, &mut unbidden).await;
    load.stop().await;
    let balance = site.verify().await;
    assert!(unbidden.is_empty(), "ended by themselves: {unbidden:?}\n{}", site.residents.logs());
    assert_eq!(balance.acknowledged, balance.attempted, "each upload was taken in the end\n{balance}");
    let may_pass = |status: &u16| matches!(status, 429 | 503 | 507);
    assert!(balance.refused.keys().all(may_pass), "no upload was refused for good\n{balance}");
    println!("nemesis of {minutes} minutes, seed {}, {strokes} faults\n{balance}", run.seed);
}

/// In the place of whatever restarts processes: systemd, compose, Kubernetes.
async fn supervise(site: &mut Site, unbidden: &mut Vec<String>) {
    unbidden.extend(site.residents.dead());
    for number in 0..APIS {
        if !site.residents.has(&format!("api {number}")) {
            site.start_api(number);
        }
    }
    while site.residents.names("worker").len() < WORKERS {
        site.start_worker(&[]);
    }
}

async fn strike(arena: &mut Arena, site: &mut Site, fault: Fault, length: Duration) {
    match fault {
        Fault::WorkerKilled | Fault::WorkerStalled | Fault::WorkerStopped | Fault::Workers(_) => {
            strike_workers(arena, site, fault, length).await;
        }
        Fault::ApiKilled(number) => {
            site.residents.kill(&format!("api {number}"));
            tokio::time::sleep(length).await;
        }
        Fault::ApiStopped(number) => {
            let stopped = site.residents.stop(&format!("api {number}")).await;
            assert!(stopped, "an API that is told to stop ends with 0\n{}", site.residents.logs());
        }
        Fault::Postgres(how) => {
            arena.postgres.stop(how);
            tokio::time::sleep(length).await;
            arena.postgres.start_again();
        }
        Fault::PostgresCut => cut(&site.to_postgres, length).await,
        Fault::PostgresDeaf(ear) => deafen(&site.to_postgres, ear, length).await,
        Fault::PostgresSlow => slow_down(&site.to_postgres, length).await,
        Fault::BackendsEnded => site.ground.database.terminate_connections().await,
        Fault::TableLocked(table) => {
            let lock = format!("lock table {table} in access exclusive mode");
            let hold = site.ground.database.hold(&lock).await;
            tokio::time::sleep(length).await;
            drop(hold);
        }
        Fault::CaptionerOut => answer(site, Mode::Refuse(503, "out of order"), length).await,
        Fault::CaptionerHangs => answer(site, Mode::Hang, length).await,
        Fault::VolumeGone => {
            let (folder, aside) = (site.ground.volume(), site.ground.volume().with_extension("aside"));
            std::fs::rename(&folder, &aside).unwrap();
            tokio::time::sleep(length).await;
            // Whatever was made in its place meanwhile is not ours.
            std::fs::remove_dir_all(&folder).ok();
            std::fs::rename(&aside, &folder).unwrap();
        }
        broker => strike_broker(arena, site, broker, length).await,
    }
}

async fn strike_workers(arena: &mut Arena, site: &mut Site, fault: Fault, length: Duration) {
    let workers = site.residents.names("worker");
    let victim = workers[arena.chance.random_range(0..workers.len())].clone();
    match fault {
        Fault::WorkerKilled => site.residents.kill(&victim),
        Fault::WorkerStalled => {
            site.residents.signal(&victim, "-STOP");
            tokio::time::sleep(length).await;
            site.residents.signal(&victim, "-CONT");
        }
        Fault::WorkerStopped => {
            // With work in hand beyond its grace it says so by its code.
            site.residents.stop(&victim).await;
        }
        Fault::Workers(count) => {
            while site.residents.names("worker").len() < count {
                site.start_worker(&[]);
            }
            for leaver in workers.iter().skip(count) {
                site.residents.stop(leaver).await;
            }
            tokio::time::sleep(length).await;
        }
        _ => unreachable!("no fault of workers: {fault:?}"),
    }
}

async fn strike_broker(arena: &Arena, site: &Site, fault: Fault, length: Duration) {
    let broker = site.ground.broker();
    match fault {
        Fault::BrokerStopped => {
            arena.rabbitmq.control(&["stop_app"]);
            tokio::time::sleep(length).await;
            arena.rabbitmq.control(&["start_app"]);
        }
        Fault::BrokerKilled => {
            arena.rabbitmq.kill();
            tokio::time::sleep(length).await;
            arena.rabbitmq.start_again();
        }
        Fault::BrokerAlarmed => {
            arena.rabbitmq.control(&["set_vm_memory_high_watermark", "0.0001"]);
            tokio::time::sleep(length).await;
            arena.rabbitmq.control(&["set_vm_memory_high_watermark", "0.4"]);
        }
        Fault::ConnectionsClosed => {
            arena.rabbitmq.control(&["close_all_connections", "the nemesis"]);
        }
        Fault::BrokerCut => cut(&site.to_broker, length).await,
        Fault::BrokerDeaf(ear) => deafen(&site.to_broker, ear, length).await,
        Fault::BrokerSlow => slow_down(&site.to_broker, length).await,
        Fault::QueuePurged(queue) => broker.purge_if_there(queue).await,
        Fault::QueueDeleted(queue) => broker.delete_queue(queue).await,
        Fault::MessagesDoubled => {
            let sql = "select id, image_id, kind from jobs order by id desc limit 20";
            for job in site.ground.database.rows(sql).await {
                let (id, image): (i64, i64) = (job.get(0), job.get(1));
                let body = format!(r#"{{"version":1,"job":{id},"image":{image}}}"#).into_bytes();
                broker.publish(job.get(2), &vec![body; 5]).await;
            }
        }
        _ => unreachable!("no fault of the broker: {fault:?}"),
    }
}

async fn cut(proxy: &Proxy, length: Duration) {
    proxy.cut();
    tokio::time::sleep(length).await;
    proxy.heal();
}

async fn deafen(proxy: &Proxy, ear: Ear, length: Duration) {
    let (to_server, to_client) = match ear {
        Ear::Server => (Flow::Lost, Flow::Open),
        Ear::Client => (Flow::Open, Flow::Lost),
        Ear::Both => (Flow::Lost, Flow::Lost),
    };
    proxy.flow(to_server, to_client);
    tokio::time::sleep(length).await;
    proxy.heal();
}

async fn slow_down(proxy: &Proxy, length: Duration) {
    let late = Flow::Late(Duration::from_millis(100));
    proxy.flow(late, late);
    tokio::time::sleep(length).await;
    proxy.heal();
}

async fn answer(site: &Site, mode: Mode, length: Duration) {
    site.captioner.set(mode);
    tokio::time::sleep(length).await;
    site.captioner.set(Mode::Caption("A pattern in blue and red."));
}
