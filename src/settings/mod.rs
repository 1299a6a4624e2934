//! What an operator may choose.
//!
//! `default.toml` (compiled in) < a file < the environment. It names every key that exists, so a key it does not name is
//! refused, and so are settings that contradict each other.

mod captioner;
mod environment;
mod files;
mod load;
mod sections;
mod traces;
mod webhooks;

pub use captioner::{Captioner, CaptionerFallback, CaptionerProvider, ProviderForm};
pub use files::{Files, FilesPlace, S3Addressing, S3Identity};
pub use load::SettingsError;
pub use sections::{
    Amqp, Auth, AuthMode, Database, Embedded, Http, KeyHash, Limits, Log, LogFormat, NoKeyHash, Relay,
    Retention, Worker,
};
pub use traces::Traces;
pub use webhooks::Webhooks;

use crate::domain::{JobKind, RetryPolicy};
use serde::Deserialize;

/// All settings, complete and coherent: the only way to one is [`Settings::load`].
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The API server.
    pub http: Http,
    /// Who may call it.
    pub auth: Auth,
    /// What is accepted.
    pub limits: Limits,
    /// Postgres.
    pub database: Database,
    /// RabbitMQ.
    pub amqp: Amqp,
    /// Where files are kept.
    pub files: Files,
    /// The private Postgres of standalone.
    pub embedded: Embedded,
    /// The consumers.
    pub worker: Worker,
    /// Due jobs on their way to the broker.
    pub relay: Relay,
    /// What is forgotten.
    pub retention: Retention,
    /// Captions.
    pub captioner: Captioner,
    /// Those who are told.
    pub webhooks: Webhooks,
    /// Traces.
    pub traces: Traces,
    /// Logs.
    pub log: Log,
}

impl Settings {
    /// Caption jobs at the same time. A local model takes one at a time, and whoever waited for it would spend the time of a
    /// job.
    #[must_use]
    pub fn caption_concurrency(&self) -> usize {
        match self.captioner.form() {
            Some(ProviderForm::Local) => 1,
            _ => self.worker.caption_concurrency,
        }
    }

    /// How jobs of a kind are tried again.
    #[must_use]
    pub const fn retry_policy(&self, kind: JobKind) -> RetryPolicy {
        match kind {
            JobKind::Image | JobKind::Caption => self.worker.retry_policy(),
            JobKind::Webhook => self.webhooks.retry_policy(),
        }
    }
}

/// The defaults, with a comment for each key, as `darkroom --print-settings` shows them.
pub const DEFAULTS: &str = include_str!("default.toml");
