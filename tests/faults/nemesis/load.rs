//! Steady load: clients that upload, some that read, some that delete, through either API.

use super::PATIENCE;
use crate::caller::Caller;
use crate::ledger::{Fate, Ledger};
use crate::site::Site;
use crate::support::pictures;
use rand::RngExt;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const UPLOADERS: usize = 3;

pub struct Load {
    clients: JoinSet<()>,
    stop: CancellationToken,
}

impl Load {
    pub fn start(site: &Site) -> Self {
        let (mut clients, stop) = (JoinSet::new(), CancellationToken::new());
        for _ in 0..UPLOADERS {
            clients.spawn(upload(site.balanced_caller(), site.ledger.clone(), stop.clone()));
        }
        clients.spawn(read(site.balanced_caller(), site.ledger.clone(), stop.clone()));
        Self { clients, stop }
    }

    /// Uploads that are under way are brought to their end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
    }
}

async fn upload(caller: Caller, ledger: Ledger, stop: CancellationToken) {
    let whole = pictures::camera_jpeg(900, 700, 6);
    let kinds = [
        (whole.clone(), Fate::Success),
        (pictures::png(700, 400), Fate::Success),
        (pictures::transparent_png(300, 500), Fate::Success),
        (whole[..whole.len() / 2].to_vec(), Fate::Failed),
    ];
    while !stop.is_cancelled() {
        // Mostly photographs; one in twenty is broken.
        let (kind, pause, deletes) = {
            let mut chance = rand::rng();
            let kind = match chance.random_range(0..20) {
                0 => 3,
                1..4 => 1,
                4 => 2,
                _ => 0,
            };
            (kind, Duration::from_millis(chance.random_range(50..800)), chance.random_bool(0.05))
        };
        let (file, fate) = &kinds[kind];
        let file = pictures::unlike(file.clone(), rand::random());
        if let Some(id) = ledger.deliver(&caller, &file, *fate, PATIENCE).await
            && deletes
        {
            delete(&caller, &ledger, id).await;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Until it is gone: after an answer that was lost, the next one says 404.
async fn delete(caller: &Caller, ledger: &Ledger, id: i64) {
    for _ in 0..300 {
        if caller.delete(id).await.is_some_and(|answer| matches!(answer.status, 204 | 404)) {
            ledger.deleted(id);
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn read(caller: Caller, ledger: Ledger, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let some = ledger.acknowledged();
        let id = if some.is_empty() { 1 } else { some[rand::random_range(0..some.len())] };
        caller.get("/api/images?limit=20").await;
        caller.get("/api/stats").await;
        caller.image(id).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
