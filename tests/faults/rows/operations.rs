//! What operators do: start everything at once, upgrade while it runs, delete and retry what is being processed.

use crate::ledger::Fate;
use crate::site::PATIENCE;
use crate::support::ground::eventually;
use crate::support::pictures;
use crate::trial::{Arena, rows};
use rand::RngExt;
use std::time::Duration;

rows! { "operations":
    Nothing {
        started_before_everything_else,
        four_migrate_at_once,
        a_schema_from_the_future,
        deleted_and_retried_while_processing,
    }
}

async fn started_before_everything_else(arena: Arena) {
    let mut site = arena.empty_site(&[]).await;
    site.to_postgres.cut();
    site.to_broker.cut();
    site.start_api(0);
    site.start_worker(&[]);
    for name in site.residents.names("") {
        eventually("it says what it waits for", || async {
            site.residents.get(&name).log().contains("waiting for the database").then_some(())
        })
        .await;
    }
    site.to_postgres.heal();
    site.upload(3).await;
    assert!(site.residents.dead().is_empty(), "no crash loop");
    site.to_broker.heal();
    site.verify().await;
}

async fn four_migrate_at_once(arena: Arena) {
    let mut site = arena.empty_site(&[]).await;
    for number in 0..2 {
        site.start_api(number);
        site.start_worker(&[]);
    }
    site.upload(4).await;
    assert!(site.residents.dead().is_empty(), "{}", site.residents.last_words());
    site.verify().await;
}

/// During a rolling upgrade a process of the old version meets the schema of the new one: those that run go on, one that
/// starts refuses with a clear reason, and touches nothing.
async fn a_schema_from_the_future(arena: Arena) {
    let site = arena.site(&[]).await;
    let future = "insert into refinery_schema_history (version, name, applied_on, checksum)
                  values (999, 'of_the_next_version', '2099-01-01T00:00:00Z', '1')";
    site.ground.database.run(future).await;
    site.upload(3).await;
    site.quiet().await;
    let listen = format!("127.0.0.1:{}", crate::servers::free_port());
    let mut old = site.start(&[], &[("DARKROOM_HTTP__LISTEN", &listen)]);
    assert!(!old.ended().await.success());
    let log = old.log();
    assert!(log.contains("999") && log.contains("newer"), "a clear reason: {log}");
    site.verify().await;
}

/// Images are deleted and retried at every moment of their lives; none comes back, none leaves a file.
async fn deleted_and_retried_while_processing(mut arena: Arena) {
    let mut site = arena.site(&[]).await;
    site.start_worker(&[]);
    let broken = pictures::jpeg(300, 200);
    for round in 0..arena.dose(120, 1000) {
        let id = if round % 3 == 0 {
            let file = pictures::unlike(broken[..broken.len() / 2].to_vec(), arena.chance.random());
            site.ledger.deliver(&site.caller, &file, Fate::Failed, PATIENCE).await.unwrap()
        } else {
            let file = site.file();
            site.ledger.deliver(&site.caller, &file, Fate::Success, PATIENCE).await.unwrap()
        };
        tokio::time::sleep(Duration::from_millis(arena.chance.random_range(0..40))).await;
        let retry = async { site.caller.retry(id).await };
        if arena.chance.random_bool(0.7) {
            let delete = async { site.caller.delete(id).await };
            let (retried, deleted) = tokio::join!(retry, delete);
            assert!(matches!(retried.unwrap().status, 202 | 404 | 409));
            assert_eq!(deleted.unwrap().status, 204);
            site.ledger.deleted(id);
        } else {
            assert!(matches!(retry.await.unwrap().status, 202 | 409));
        }
    }
    site.verify().await;
}
