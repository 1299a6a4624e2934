//! What strangers and accidents put into the queues.

use crate::invariants::Expected;
use crate::support::ground::eventually;
use crate::trial::{Arena, rows};

rows! { "messages":
    Nothing {
        doubled_a_hundredfold_to_four_workers,
        malformed,
    }
}

async fn doubled_a_hundredfold_to_four_workers(arena: Arena) {
    let own = [("DARKROOM_WORKER__LEASE_SECONDS", "30"), ("DARKROOM_FILES__SWEEP_AFTER_SECONDS", "80")];
    let mut site = arena.site(&own).await;
    for _ in 0..3 {
        site.start_worker(&[]);
    }
    for id in site.upload(5).await {
        let sql = format!("select id from jobs where image_id = {id} and kind = 'image'");
        let job = site.ground.database.number(&sql).await;
        let body = format!(r#"{{"version":1,"job":{job},"image":{id}}}"#).into_bytes();
        site.ground.broker().publish("image", &vec![body.clone(); 100]).await;
        site.quiet().await;
        // After the end, too, and to those who do other work.
        site.ground.broker().publish("image", &vec![body.clone(); 50]).await;
        site.ground.broker().publish("caption", &vec![body; 50]).await;
    }
    site.verify().await;
    let database = &site.ground.database;
    assert_eq!(database.number("select max(attempt)::bigint from jobs").await, 1, "each job ran once");
    let twice =
        "select count(*) from (select 1 from stage_runs group by job_id, stage having count(*) > 1) as twice";
    assert_eq!(database.number(twice).await, 0, "and so did each stage");
}

async fn malformed(arena: Arena) {
    let site = arena.site(&[]).await;
    let strange: Vec<Vec<u8>> = [
        &b""[..],
        b"\xff\xfe\x00\x00",
        b"null",
        b"{}",
        br#"{"version":2,"job":1,"image":1}"#,
        br#"{"version":1,"job":"1","image":1}"#,
        br#"{"version":1,"job":1e400,"image":1}"#,
        &[b'['; 100_000],
        &vec![b'x'; 10_000_000],
    ]
    .iter()
    .map(|body| body.to_vec())
    .collect();
    let broker = site.ground.broker();
    broker.publish("image", &strange).await;
    broker.publish("caption", &strange).await;
    // Jobs that do not exist: deleted meanwhile, for all that anybody knows.
    let unknown =
        [&br#"{"version":1,"job":99999999,"image":1}"#[..], br#"{"version":1,"job":-1,"image":-1}"#];
    broker.publish("image", &unknown.map(<[u8]>::to_vec)).await;
    let dead_letters = u32::try_from(strange.len() * 2).unwrap();
    eventually("each is a dead letter, once", || async {
        (broker.ready("dead").await == dead_letters).then_some(())
    })
    .await;
    let (_, reason) = broker.take("dead").await.unwrap();
    assert_eq!(reason, "rejected");
    site.upload(5).await;
    site.verify_with(Expected { dead_letters: dead_letters - 1 }).await;
}
