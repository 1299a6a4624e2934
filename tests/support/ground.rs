//! A Darkroom for one test: started in this process, stopped and examined at its end.

use crate::support::broker::Broker;
use crate::support::bucket::Bucket;
use crate::support::client::Client;
use crate::support::database::Database;
use darkroom::app::{App, Role};
use darkroom::settings::Settings;
use darkroom::worker::Stopped;
use std::collections::BTreeSet;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The longest that anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What carries announcements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    RabbitMq,
    InProcess,
}

/// Where a Darkroom keeps what it keeps.
pub struct Ground {
    pub database: Database,
    pub broker: Option<Broker>,
    /// Where files are, if they are not in the folder.
    pub bucket: Option<Bucket>,
    folder: TempDir,
}

impl Ground {
    pub async fn new(carrier: Carrier) -> Self {
        Self::on(Database::create().await, (carrier == Carrier::RabbitMq).then(Broker::new))
    }

    pub fn on(database: Database, broker: Option<Broker>) -> Self {
        Self { database, broker, bucket: Bucket::named(), folder: tempfile::tempdir().unwrap() }
    }

    /// With its files in this bucket.
    pub async fn in_bucket(carrier: Carrier, bucket: Bucket) -> Self {
        Self { bucket: Some(bucket), ..Self::new(carrier).await }
    }

    pub fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("this test uses RabbitMQ")
    }

    /// Variables for a Darkroom on this ground: everything quick, so that faults heal while a test watches.
    pub fn environment(&self, own: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = [
            ("DARKROOM_HTTP__LISTEN", "127.0.0.1:0"),
            ("DARKROOM_HTTP__UPLOAD_TOTAL_SECONDS", "20"),
            ("DARKROOM_HTTP__GRACE_SECONDS", "2"),
            ("DARKROOM_DATABASE__MAX_CONNECTIONS", "6"),
            ("DARKROOM_DATABASE__WAIT_SECONDS", "2"),
            ("DARKROOM_AMQP__PUBLISH_SECONDS", "2"),
            ("DARKROOM_AMQP__REVIVE_SECONDS", "5"),
            ("DARKROOM_AMQP__HEARTBEAT_SECONDS", "2"),
            ("DARKROOM_WORKER__LEASE_SECONDS", "1.5"),
            ("DARKROOM_WORKER__RENEW_SECONDS", "0.3"),
            ("DARKROOM_WORKER__IMAGE_SECONDS", "20"),
            ("DARKROOM_WORKER__GRACE_SECONDS", "10"),
            ("DARKROOM_WORKER__MAX_ATTEMPTS", "4"),
            ("DARKROOM_WORKER__BACKOFF_FIRST_SECONDS", "0.05"),
            ("DARKROOM_WORKER__BACKOFF_LONGEST_SECONDS", "0.2"),
            ("DARKROOM_CAPTIONER__BREAKER_SECONDS", "0.2"),
            ("DARKROOM_RELAY__POLL_SECONDS", "0.2"),
            ("DARKROOM_RELAY__REANNOUNCE_SECONDS", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        variables.push(("DARKROOM_DATABASE__URL".to_owned(), self.database.url()));
        variables.extend(self.files_environment());
        if let Some(broker) = &self.broker {
            variables.push(("DARKROOM_AMQP__URL".to_owned(), broker.url.clone()));
            variables.push(("DARKROOM_AMQP__PREFIX".to_owned(), broker.prefix.clone()));
        }
        // The last one of a name counts, as in a shell.
        for (name, value) in own {
            variables.retain(|(other, _)| other != name);
            variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        variables
    }

    /// The variables that lead a Darkroom to the files of this one.
    pub fn files_environment(&self) -> Vec<(String, String)> {
        let folder = ("DARKROOM_FILES__DIR".to_owned(), self.volume().display().to_string());
        self.bucket.iter().flat_map(Bucket::environment).chain([folder]).collect()
    }

    /// The folder of files; if they are in a bucket, that of uploads which are still coming in.
    pub fn volume(&self) -> std::path::PathBuf {
        self.folder.path().join("files")
    }

    /// A folder for a private PostgreSQL, which runs under another account if the test runs as root.
    pub fn walkable_folder(&self) -> String {
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.folder.path(), open).unwrap();
        self.folder.path().join("postgres").display().to_string()
    }

    /// The keys of all files, temporary ones under `tmp/`.
    pub fn files(&self) -> BTreeSet<String> {
        let mut files = self.bucket.as_ref().map(Bucket::names).unwrap_or_default();
        if self.bucket.is_none() || self.volume().exists() {
            walk(&self.volume(), &self.volume(), &mut files);
        }
        files.remove("installation");
        files
    }

    pub fn read_file(&self, key: &str) -> Vec<u8> {
        match &self.bucket {
            Some(bucket) => bucket.read(key),
            None => std::fs::read(self.volume().join(key)).unwrap(),
        }
    }

    pub fn write_file(&self, key: &str, content: &[u8]) {
        if let Some(bucket) = &self.bucket {
            return bucket.write(key, content);
        }
        let path = self.volume().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn remove_file(&self, key: &str) {
        match &self.bucket {
            Some(bucket) => bucket.remove(key),
            None => std::fs::remove_file(self.volume().join(key)).unwrap(),
        }
    }

    /// Invariant: the files on disk are the files named by rows.
    pub async fn assert_files_match_rows(&self) {
        let sql = "select original_key from images union all select file_key from thumbnails";
        let rows = self.database.rows(sql).await;
        let named: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(self.files(), named, "files on disk against files named by rows");
    }

    /// Starts a role in this process.
    pub async fn start(&self, role: Role, own: &[(&str, &str)]) -> Running {
        let settings = Settings::load(None, self.environment(own)).unwrap();
        let stop = CancellationToken::new();
        let app = App::start(role, settings, stop.clone()).await.unwrap();
        let address = app.address();
        Running { stop, client: Client::new(address), ended: tokio::spawn(app.run()) }
    }

    /// API, relay and worker together.
    pub async fn start_all(&self, own: &[(&str, &str)]) -> Running {
        self.start(Role::Standalone, own).await
    }
}

/// A Darkroom that runs.
pub struct Running {
    pub client: Client,
    stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<Stopped>>,
}

impl Running {
    /// Stops in order; nothing may be left in hand.
    pub async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.ended).await.expect("it should stop in time");
        assert_eq!(ended.unwrap().unwrap(), Stopped::Clean);
    }
}

/// Waits for a condition, with a bound.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, condition: impl Fn() -> F) -> T {
    let waiting = async {
        loop {
            if let Some(met) = condition().await {
                return met;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

fn walk(root: &Path, folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, into);
        } else {
            into.insert(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}
