//! What is forgotten, and what stays.

use crate::full_tables::store;
use crate::support::database::Database;
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use darkroom::store::Store;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// An image that failed, was retried and failed again, twenty times; each job has an end, 31 days ago.
async fn retried_often(database: &Database, store: &Store) {
    store.migrate().await.unwrap();
    let image = crate::tallies::upload(store).await;
    let failure = darkroom::domain::Failure::permanent(darkroom::domain::FailureCode::Corrupt, "no");
    for attempt in 0..20 {
        if attempt > 0 {
            let _ = store.retry_image(image).await.unwrap();
        }
        let lease = crate::tallies::claim(store, database, image).await.lease;
        let ending = darkroom::store::Ending::Failed(failure.clone());
        let _ = store.end_job(lease, &ending, &crate::tallies::runs(Some(&failure))).await.unwrap();
    }
    database.run("update jobs set finished_at = finished_at - interval '31 days'").await;
}

#[tokio::test]
async fn the_newest_job_and_its_stages_stay_and_so_do_the_counts() {
    let database = Database::create().await;
    let store = store(&database);
    retried_often(&database, &store).await;
    assert!(!store.forget_superseded_jobs(32 * DAY).await.unwrap());
    assert_eq!(database.number("select count(*) from jobs").await, 20, "they are younger than that");
    let before = store.stats().await.unwrap();
    assert!(!store.forget_superseded_jobs(30 * DAY).await.unwrap(), "all fit into one part");
    let newest = "select count(*) from jobs where id = (select max(job_id) from stage_runs)";
    assert_eq!(database.number(newest).await, 1);
    assert_eq!(database.number("select count(*) from jobs").await, 1);
    assert_eq!(database.number("select count(*) from stage_runs").await, 2);
    let after = store.stats().await.unwrap();
    assert_eq!(after.stages["thumbnails"].count, before.stages["thumbnails"].count);
    assert_eq!((after.total, after.failed), (1, 1));
}

#[tokio::test]
async fn the_relay_forgets_unless_it_is_told_not_to() {
    let ground = Ground::new(Carrier::InProcess).await;
    // A volume that is not marked yet would be waited for if there were images already.
    ground.start_all(&[]).await.stop().await;
    retried_often(&ground.database, &store(&ground.database)).await;
    let keys = "insert into idempotency_keys (key, image_id, sha256, created_at)
                select n::text, 1, sha256(''), now() - interval '25 hours' from generate_series(1, 2500) n";
    ground.database.run(keys).await;
    let rows = |sql: &'static str| ground.database.number(sql);

    let keeping = ground.start_all(&[("DARKROOM_RETENTION__HISTORY_DAYS", "0")]).await;
    eventually("the keys are forgotten", || async {
        (rows("select count(*) from idempotency_keys").await == 0).then_some(())
    })
    .await;
    let id = keeping.client.upload("a.jpg", &pictures::jpeg(64, 64)).await;
    keeping.client.settled(id).await;
    keeping.stop().await;
    assert_eq!(rows("select count(*) from jobs where superseded").await, 19);

    let forgetting = ground.start_all(&[]).await;
    eventually("history is forgotten", || async {
        (rows("select count(*) from jobs where superseded").await == 0).then_some(())
    })
    .await;
    let image = forgetting.client.image(1).await;
    assert_eq!((&image["status"], &image["stages"][1]["status"]), (&"failed".into(), &"failed".into()));
    forgetting.stop().await;
}

#[tokio::test]
async fn one_part_of_housekeeping_that_fails_stops_no_other() {
    let ground = Ground::new(Carrier::InProcess).await;
    ground.start_all(&[]).await.stop().await;
    retried_often(&ground.database, &store(&ground.database)).await;
    ground.database.run("alter table idempotency_keys rename column created_at to made_at").await;
    let app = ground.start_all(&[]).await;
    eventually("history is forgotten", || async {
        let superseded = "select count(*) from jobs where superseded";
        (ground.database.number(superseded).await == 0).then_some(())
    })
    .await;
    app.stop().await;
}
