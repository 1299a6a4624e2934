//! The servers that Darkroom depends on, private and made to be broken.

mod keeper;
mod postgres;
mod rabbitmq;

pub use keeper::is_root;
pub use postgres::{Postgres, Shutdown};
pub use rabbitmq::RabbitMq;

use keeper::Keeper;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::RwLock;

/// One of each, for all trials of a run. A trial that breaks a server holds its lock alone; all others share it.
pub struct Servers {
    pub postgres: Arc<RwLock<Postgres>>,
    pub rabbitmq: Arc<RwLock<RabbitMq>>,
    /// Removed when the servers have ended, hence the last field.
    scratch: Scratch,
}

impl Servers {
    pub fn start() -> Self {
        let (keeper, scratch) = (Arc::new(Keeper::start()), Scratch::new());
        let postgres = Postgres::start(keeper.clone(), &scratch);
        let rabbitmq = RabbitMq::start(keeper, &scratch);
        Self { postgres: Arc::new(RwLock::new(postgres)), rabbitmq: Arc::new(RwLock::new(rabbitmq)), scratch }
    }

    /// Brings back what a trial left broken, for those that come after it.
    pub async fn mend(&self) {
        let postgres = self.postgres.write().await;
        if !postgres.answers() {
            postgres.start_again();
        }
        self.rabbitmq.write().await.mend();
    }

    /// The end of what each server has written into its log.
    pub fn last_words(&self) -> String {
        let tail = |name: &str| {
            let log = std::fs::read_to_string(self.scratch.0.path().join(name)).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(150).collect();
            lines.into_iter().rev().fold(format!("--- {name}\n"), |text, line| text + line + "\n")
        };
        tail("postgres.log") + &tail("rabbitmq.log")
    }
}

/// A folder into which the accounts of the servers may go.
pub struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("darkroom-faults-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.0.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    }
}

/// A port that nobody listens on; below the range that outgoing connections take theirs from, so that it stays free while
/// its server is down.
pub fn free_port() -> u16 {
    let port = || rand::random_range(10_000..30_000);
    std::iter::repeat_with(port).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(90), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
