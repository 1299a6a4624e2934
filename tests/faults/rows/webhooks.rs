//! Receivers that are away for a while, and workers that die while they call.

use crate::site::Site;
use crate::support::fake_server::{FakeServer, Reply};
use crate::support::ground::eventually;
use crate::support::proxy::Proxy;
use crate::trial::{Arena, rows};
use rand::RngExt;
use std::collections::BTreeSet;
use std::time::Duration;

rows! { "webhooks":
    Nothing {
        told_through_outages_and_kills,
    }
}

async fn told_through_outages_and_kills(mut arena: Arena) {
    let receiver = FakeServer::start(Reply::new(200, "")).await;
    let proxy = Proxy::before(receiver.address()).await;
    let own = [
        ("DARKROOM_WEBHOOKS__URL", format!("http://{}/hook", proxy.address)),
        ("DARKROOM_WEBHOOKS__SECRET", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()),
        ("DARKROOM_WEBHOOKS__ALLOW_PRIVATE", "true".to_owned()),
        ("DARKROOM_WEBHOOKS__BACKOFF_FIRST_SECONDS", "0.1".to_owned()),
        ("DARKROOM_WEBHOOKS__BACKOFF_LONGEST_SECONDS", "1".to_owned()),
        ("DARKROOM_WEBHOOKS__CALL_SECONDS", "2".to_owned()),
        // Attempts are burnt by the trial.
        ("DARKROOM_WEBHOOKS__MAX_ATTEMPTS", "100".to_owned()),
        ("DARKROOM_WORKER__MAX_ATTEMPTS", "100".to_owned()),
    ];
    let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut site = arena.site(&own).await;
    site.start_worker(&[]);
    for round in 0..arena.dose(8, 50) {
        match round % 4 {
            0 => proxy.cut(),
            1 => receiver.set(Reply::Hang),
            2 => receiver.set(Reply::new(500, "out of order")),
            _ => receiver.set(Reply::Text {
                after: Duration::from_secs(1),
                status: 200,
                headers: &[],
                body: String::new(),
            }),
        }
        let before = count(&site, ATTEMPTED).await;
        site.upload(3).await;
        eventually("somebody was called", || async {
            (count(&site, ATTEMPTED).await > before).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(arena.chance.random_range(0..300))).await;
        for victim in site.residents.names("worker") {
            site.residents.kill(&victim);
            site.start_worker(&[]);
        }
        receiver.set(Reply::new(200, ""));
        proxy.heal();
    }
    site.verify().await;

    let count = |sql: &'static str| count(&site, sql);
    let events = count("select count(*) from webhook_events").await;
    assert_eq!(events, count("select count(*) from images").await, "each image ended once");
    assert_eq!(
        count("select count(*) from jobs where kind = 'webhook' and state = 'succeeded'").await,
        events
    );
    let asked = receiver.asked();
    let told: BTreeSet<_> = asked.iter().map(|call| call.header("webhook-id").to_owned()).collect();
    assert_eq!(i64::try_from(told.len()).unwrap(), events, "everybody was told of everything");

    // The log adds up: an entry for each attempt, and no call that is in no entry.
    let attempts = count(ATTEMPTED).await;
    assert_eq!(count("select count(*) from webhook_attempts").await, attempts);
    let answered = count("select count(*) from webhook_attempts where http_status is not null").await;
    let calls = i64::try_from(asked.len()).unwrap();
    assert!(answered <= calls && calls <= attempts, "{answered} answers, {calls} calls, {attempts} attempts");
    let lost = count("select count(*) from webhook_attempts where error_code = 'worker_lost'").await;
    let failed = count("select count(*) from webhook_attempts where error is not null").await;
    assert!(
        lost > 0 && failed > lost,
        "nothing went wrong: {failed} attempts failed, {lost} with their worker"
    );
    println!("{events} events, {attempts} attempts, {calls} calls, {answered} answers, {lost} workers lost");
}

const ATTEMPTED: &str = "select coalesce(sum(attempt), 0)::bigint from jobs where kind = 'webhook'";

async fn count(site: &Site, sql: &str) -> i64 {
    site.ground.database.number(sql).await
}
