//! An API that is killed at the worst moments.

use crate::ledger::Fate;
use crate::site::PATIENCE;
use crate::support::ground::eventually;
use crate::support::proxy::Flow;
use crate::support::raw::upload_head;
use crate::trial::{Arena, rows};
use rand::RngExt;
use std::time::Duration;

rows! { "api":
    Nothing {
        killed_between_file_and_commit,
        killed_between_commit_and_answer,
        killed_between_commit_and_publish,
        killed_again_and_again_under_load,
        the_sweep_spares_live_uploads,
    }
}

/// The file is kept and its row is not there: nobody was promised anything, and nothing stays behind.
async fn killed_between_file_and_commit(arena: Arena) {
    let mut site = arena.site(&[]).await;
    let before = site.ground.files();
    site.to_postgres.flow(Flow::Lost, Flow::Lost);
    let (caller, file) = (site.caller.clone(), site.file());
    let sending = tokio::spawn({
        let file = file.clone();
        async move { caller.upload("between", &file).await }
    });
    eventually("the file is kept", || async {
        let new = |name: &String| name.starts_with("originals/") && !before.contains(name);
        site.ground.files().iter().any(new).then_some(())
    })
    .await;
    site.residents.kill("api 0");
    assert!(sending.await.unwrap().is_none(), "nobody answered");
    site.to_postgres.heal();
    site.start_api(0);
    // The client sends it again, and that one counts.
    let again = site.ledger.deliver(&site.caller, &file, Fate::Success, PATIENCE).await;
    assert!(again.is_some());
    site.verify().await;
}

/// The row is there and the client does not know: the same key finds the same image.
async fn killed_between_commit_and_answer(arena: Arena) {
    let mut site = arena.site(&[]).await;
    for _ in 0..arena.dose(2, 10) {
        let rows = "select count(*) from images";
        let before = site.ground.database.number(rows).await;
        // What Postgres says arrives this much later, the answer to the commit too.
        site.to_postgres.flow(Flow::Open, Flow::Late(Duration::from_millis(400)));
        let (caller, ledger, file) = (site.caller.clone(), site.ledger.clone(), site.file());
        let delivering =
            tokio::spawn(async move { ledger.deliver(&caller, &file, Fate::Success, PATIENCE).await });
        eventually("it is committed", || async {
            (site.ground.database.number(rows).await > before).then_some(())
        })
        .await;
        site.residents.kill("api 0");
        site.to_postgres.heal();
        site.start_api(0);
        assert!(delivering.await.unwrap().is_some(), "the repeated upload is acknowledged");
        assert_eq!(site.ground.database.number(rows).await, before + 1, "as the same image");
    }
    let balance = site.verify().await;
    assert!(balance.recovered > 0);
}

/// It is promised and was never announced: the next relay does it.
async fn killed_between_commit_and_publish(arena: Arena) {
    let mut site = arena.site(&[]).await;
    for _ in 0..arena.dose(2, 10) {
        site.to_broker.flow(Flow::Lost, Flow::Lost);
        site.upload(4).await;
        site.residents.kill("api 0");
        // What the dead one had sent, and the proxy holds, never arrives.
        site.to_broker.cut_off().await;
        site.to_broker.heal();
        site.start_api(0);
        site.quiet().await;
    }
    site.verify().await;
}

async fn killed_again_and_again_under_load(mut arena: Arena) {
    let mut site = arena.site(&[]).await;
    for _ in 0..arena.dose(5, 40) {
        let pause = Duration::from_millis(arena.chance.random_range(0..600));
        let uploading = site.uploading(6);
        tokio::time::sleep(pause).await;
        site.residents.kill("api 0");
        site.start_api(0);
        uploading.await.unwrap();
    }
    site.verify().await;
}

/// An upload that is still under way has a temporary file and no row; the sweep runs all the time.
async fn the_sweep_spares_live_uploads(arena: Arena) {
    let site = arena.site(&[]).await;
    let file = site.file();
    let (first, rest) = file.split_at(file.len() / 2);
    let (disposition, end) = ("name=\"file\"; filename=\"s.jpg\"", "\r\n--b--\r\n");
    let around = "--b\r\nContent-Disposition: form-data; \r\n\r\n".len() + disposition.len() + end.len();
    let length = format!("Content-Length: {}\r\n", around + file.len());
    let mut slow = site.raw().await;
    slow.send(upload_head(&length, disposition.as_bytes())).await;
    slow.send(first).await;
    site.upload(5).await;
    // Several rounds of the sweep.
    tokio::time::sleep(Duration::from_secs(2)).await;
    slow.send(rest).await;
    slow.send(end).await;
    assert_eq!(slow.answer().await.expect("an answer").status, 202);
    site.ledger.enter(&site.ground.database, &file).await;
    site.verify().await;
}
