//! A PostgreSQL that restarts, hangs, is slow, is full, is locked.

use crate::servers::Shutdown;
use crate::site::Site;
use crate::support::proxy::Flow;
use crate::trial::{Arena, rows};
use rand::RngExt;
use std::time::{Duration, Instant};

rows! { "postgres":
    Nothing {
        all_backends_ended_again_and_again,
        deaf_in_one_direction,
        slow,
        a_lock_held,
    }
    Postgres {
        restarted,
        no_connections_left,
    }
}

async fn restarted(mut arena: Arena) {
    let site = arena.site(&[]).await;
    for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Killed] {
        for _ in 0..arena.dose(1, 5) {
            let pause = Duration::from_millis(arena.chance.random_range(0..500));
            let restarting = async {
                tokio::time::sleep(pause).await;
                arena.postgres.stop(how);
                refused_with_a_reason(&site).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                arena.postgres.start_again();
            };
            tokio::join!(site.upload(20), restarting);
        }
    }
    site.verify().await;
    let failed = site.ground.database.number("select count(*) from jobs where state = 'failed'").await;
    assert_eq!(failed, 0, "jobs are tried again and not failed");
}

/// 503 while it is away; a live process stays alive and says what is missing.
async fn refused_with_a_reason(site: &Site) {
    let refused = site.caller.get("/api/stats").await.expect("an answer");
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("overloaded")));
    assert_eq!(site.caller.get("/livez").await.expect("a sign of life").status, 200);
    let ready = site.caller.get("/readyz").await.expect("an answer");
    assert_eq!(ready.status, 503);
    assert_ne!(ready.data()["checks"]["database"], "ok");
}

async fn all_backends_ended_again_and_again(arena: Arena) {
    let site = arena.site(&[]).await;
    let begun = Instant::now();
    while begun.elapsed() < arena.dose(Duration::from_secs(8), Duration::from_secs(60)) {
        site.ground.database.terminate_connections().await;
        site.upload(4).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    site.verify().await;
}

async fn deaf_in_one_direction(arena: Arena) {
    let site = arena.site(&[]).await;
    for flows in [(Flow::Lost, Flow::Open), (Flow::Open, Flow::Lost), (Flow::Lost, Flow::Lost)] {
        site.to_postgres.flow(flows.0, flows.1);
        let (uploads, reads) = (site.upload(6), refused_with_a_reason(&site));
        let healing = async {
            reads.await;
            tokio::time::sleep(arena.dose(Duration::from_secs(2), Duration::from_secs(20))).await;
            site.to_postgres.heal();
        };
        tokio::join!(uploads, healing);
    }
    site.verify().await;
}

async fn slow(arena: Arena) {
    let site = arena.site(&[]).await;
    let late = Flow::Late(Duration::from_millis(100));
    site.to_postgres.flow(late, late);
    site.upload(10).await;
    site.quiet().await;
    site.to_postgres.flow(Flow::Dripping(20_000), Flow::Dripping(20_000));
    site.upload(6).await;
    site.verify().await;
}

/// As by an ALTER TABLE in a transaction that somebody forgot to end.
async fn a_lock_held(arena: Arena) {
    let site = arena.site(&[]).await;
    for table in ["images", "jobs"] {
        let hold = site.ground.database.hold(&format!("lock table {table} in access exclusive mode")).await;
        let (uploads, reads) = (site.upload(6), refused_while_locked(&site));
        let letting_go = async {
            reads.await;
            tokio::time::sleep(arena.dose(Duration::from_secs(1), Duration::from_secs(20))).await;
            drop(hold);
        };
        tokio::join!(uploads, letting_go);
        site.quiet().await;
    }
    site.verify().await;
}

async fn refused_while_locked(site: &Site) {
    let begun = Instant::now();
    let refused = site.caller.get("/api/images").await.expect("an answer");
    assert!(matches!(refused.status, 200 | 503), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(11), "bounded in time");
    assert_eq!(site.caller.get("/livez").await.expect("a sign of life").status, 200);
}

async fn no_connections_left(arena: Arena) {
    let site = arena.site(&[]).await;
    let mut hoard = site.ground.database.hoard();
    // Those that the program holds are ended, and their places taken before it comes back for them.
    for _ in 0..3 {
        hoard.fill().await;
        hoard.end_connections(&site.ground.database).await;
    }
    hoard.fill().await;
    let (uploads, reads) = (site.upload(6), refused_with_a_reason(&site));
    let letting_go = async {
        reads.await;
        tokio::time::sleep(arena.dose(Duration::from_secs(2), Duration::from_secs(20))).await;
        drop(hoard);
    };
    tokio::join!(uploads, letting_go);
    site.verify().await;
}
