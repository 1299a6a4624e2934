//! Statements that nobody waits for any more.

use crate::support::database::Database;
use crate::support::ground::eventually;
use crate::tallies::upload;
use darkroom::settings::{self, Settings};
use darkroom::store::Store;
use std::time::Duration;

#[tokio::test]
async fn nobody_waits_behind_a_statement_that_was_given_up() {
    let database = Database::create().await;
    // One connection, so that whoever comes next would get the one that owes an answer.
    let variables = [("DARKROOM_DATABASE__URL".to_owned(), database.url())];
    let settings = Settings::load(None, variables).unwrap().database;
    let settings = settings::Database { max_connections: 1, wait: Duration::from_secs(1), ..settings };
    let store = Store::new(settings.url.as_ref().unwrap(), &settings).unwrap();
    store.migrate().await.unwrap();

    let lock = database.hold("lock table images").await;
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into images%'";
    let uploading = tokio::spawn({
        let store = store.clone();
        async move { upload(&store).await }
    });
    eventually("an upload waits", async || (database.number(waiting).await == 1).then_some(())).await;
    uploading.abort();
    assert!(uploading.await.unwrap_err().is_cancelled());

    // Another connection takes its place.
    let checked = tokio::time::timeout(Duration::from_secs(4), store.check()).await;
    assert_eq!(database.number(waiting).await, 1, "it waits still, for nobody");
    checked.unwrap().unwrap();
    drop(lock);
    upload(&store).await;
}
