//! The sections of the settings. `default.toml` says what each key means; a docstring here adds the unit.

use crate::domain::{Backoff, RetryPolicy, Sha256};
use secrecy::SecretString;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `http.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Http {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Silence allowed in an upload.
    #[serde(rename = "upload_idle_seconds", deserialize_with = "seconds")]
    pub upload_idle: Duration,
    /// Length allowed to an upload.
    #[serde(rename = "upload_total_seconds", deserialize_with = "seconds")]
    pub upload_total: Duration,
    /// Length allowed to any other request.
    #[serde(rename = "request_seconds", deserialize_with = "seconds")]
    pub request: Duration,
    /// Length allowed to the head of a request.
    #[serde(rename = "header_seconds", deserialize_with = "seconds")]
    pub header: Duration,
    /// Length allowed to a connection without a request.
    #[serde(rename = "keep_alive_seconds", deserialize_with = "seconds")]
    pub keep_alive: Duration,
    /// Time for open requests after SIGTERM.
    #[serde(rename = "grace_seconds", deserialize_with = "seconds")]
    pub grace: Duration,
}

/// `auth.mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMode {
    /// No keys, loopback only.
    Local,
    /// A key for each request, from the table or the settings.
    Keys,
    /// No keys, anywhere.
    Open,
}

/// `auth.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Auth {
    /// Who may call.
    pub mode: AuthMode,
    /// Digests of keys that need no row in the database and permit everything.
    #[serde(deserialize_with = "list")]
    pub key_hashes: Vec<KeyHash>,
}

/// The SHA-256 of an accepted key.
#[derive(Debug, Clone)]
pub struct KeyHash(Sha256);

impl KeyHash {
    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// Says nothing of the value: the likeliest mistake is to put the key itself there.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("must be the SHA-256 of a key, 64 hexadecimal digits")]
pub struct NoKeyHash;

impl TryFrom<String> for KeyHash {
    type Error = NoKeyHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.trim().parse().map(Self).map_err(|_| NoKeyHash)
    }
}

/// `limits.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Limits {
    /// Bytes of one file.
    pub max_upload_bytes: u64,
    /// Width × height.
    pub max_pixels: u64,
    /// Uploads at the same time.
    pub max_uploads_in_hand: usize,
    /// Connections at the same time.
    pub max_connections: usize,
    /// Requests of one key in a minute; 0 for no limit.
    pub requests_per_minute: u32,
    /// Clients that follow events at the same time; one key may have a quarter of them.
    pub max_event_clients: usize,
}

/// `database.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Database {
    /// The URL, with its password; `None` if not set.
    #[serde(deserialize_with = "secret")]
    pub url: Option<SecretString>,
    /// Connections of one process.
    pub max_connections: usize,
    /// Wait for a connection.
    #[serde(rename = "wait_seconds", deserialize_with = "seconds")]
    pub wait: Duration,
    /// Whether to migrate at start.
    pub migrate: bool,
}

/// `amqp.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Amqp {
    /// The URL, with its password; `None` if not set.
    #[serde(deserialize_with = "secret")]
    pub url: Option<SecretString>,
    /// Prefix of all names.
    pub prefix: String,
    /// Wait for confirms.
    #[serde(rename = "publish_seconds", deserialize_with = "seconds")]
    pub publish: Duration,
    /// Silence of a queue after which it is made anew.
    #[serde(rename = "revive_seconds", deserialize_with = "seconds")]
    pub revive: Duration,
    /// Heartbeat.
    #[serde(rename = "heartbeat_seconds", deserialize_with = "seconds")]
    pub heartbeat: Duration,
}

/// `embedded.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Embedded {
    /// Data of the private Postgres.
    pub dir: PathBuf,
}

/// `worker.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Worker {
    /// Where to serve health; `None` for nowhere.
    #[serde(deserialize_with = "optional_address")]
    pub listen: Option<SocketAddr>,
    /// Pictures drawn at the same time; see [`Worker::image_concurrency`].
    concurrency: usize,
    /// Caption jobs at the same time; see `Settings::caption_concurrency`.
    pub(super) caption_concurrency: usize,
    /// Webhooks at the same time.
    pub webhook_concurrency: usize,
    /// Bytes for pictures being decoded.
    pub memory_budget_bytes: u64,
    pub(super) max_attempts: u32,
    /// Length of a lease.
    #[serde(rename = "lease_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
    /// Period of renewal.
    #[serde(rename = "renew_seconds", deserialize_with = "seconds")]
    pub renew: Duration,
    /// Hard limit of an image job.
    #[serde(rename = "image_seconds", deserialize_with = "seconds")]
    pub image_limit: Duration,
    /// Hard limit of a caption job.
    #[serde(rename = "caption_seconds", deserialize_with = "seconds")]
    pub caption_limit: Duration,
    #[serde(rename = "backoff_first_seconds", deserialize_with = "seconds")]
    pub(super) backoff_first: Duration,
    #[serde(rename = "backoff_longest_seconds", deserialize_with = "seconds")]
    pub(super) backoff_longest: Duration,
    /// Time for jobs in hand after SIGTERM.
    #[serde(rename = "grace_seconds", deserialize_with = "seconds")]
    pub grace: Duration,
}

impl Worker {
    /// Image jobs in hand: half as many again as pictures are drawn at the same time. Those are claimed and read, or recorded,
    /// while the processors draw others.
    #[must_use]
    pub fn image_jobs_in_hand(&self) -> usize {
        let drawn = self.image_concurrency();
        drawn.saturating_add(drawn.div_ceil(2))
    }

    /// Pictures drawn at the same time, at least one.
    #[must_use]
    pub fn image_concurrency(&self) -> usize {
        match self.concurrency {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            chosen => chosen,
        }
    }

    /// How image and caption jobs are tried again.
    #[must_use]
    pub const fn retry_policy(&self) -> RetryPolicy {
        let backoff = Backoff::new(self.backoff_first, self.backoff_longest);
        RetryPolicy { max_attempts: self.max_attempts, backoff }
    }
}

/// `relay.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Relay {
    /// Period of the safety net.
    #[serde(rename = "poll_seconds", deserialize_with = "seconds")]
    pub poll: Duration,
    /// Age at which an unclaimed announcement is doubted.
    #[serde(rename = "reannounce_seconds", deserialize_with = "seconds")]
    pub reannounce: Duration,
}

/// `retention.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Retention {
    pub(super) history_days: u32,
    pub(super) events_hours: u32,
}

impl Retention {
    /// Age at which superseded jobs are forgotten; `None` for never.
    #[must_use]
    pub fn history(&self) -> Option<Duration> {
        (self.history_days > 0).then(|| Duration::from_secs(u64::from(self.history_days) * 86_400))
    }

    /// Age at which events are forgotten; `None` for never.
    #[must_use]
    pub fn events(&self) -> Option<Duration> {
        (self.events_hours > 0).then(|| Duration::from_secs(u64::from(self.events_hours) * 3600))
    }
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `log.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    /// Filter, in the form of `tracing_subscriber::EnvFilter`.
    pub level: String,
    /// Form.
    pub format: LogFormat,
}

pub(super) fn seconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(from)?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|d| !d.is_zero() && *d <= Duration::from_secs(30 * 86_400))
        .ok_or_else(|| {
            serde::de::Error::custom(format!("{seconds} is no length of time above zero, in seconds"))
        })
}

pub(super) fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((!text.trim().is_empty()).then(|| SecretString::from(text.trim())))
}

fn optional_address<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    match String::deserialize(from)?.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| serde::de::Error::custom(format!("{text:?} is no address:port"))),
    }
}

/// A list, or (from the environment) a text with commas.
fn list<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<KeyHash>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Text(String),
        List(Vec<String>),
    }
    let given = match Given::deserialize(from)? {
        Given::Text(text) => text.split(',').map(str::to_owned).collect(),
        Given::List(list) => list,
    };
    let named = given.into_iter().filter(|one| !one.trim().is_empty());
    named.map(|one| KeyHash::try_from(one).map_err(serde::de::Error::custom)).collect()
}
