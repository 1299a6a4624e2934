//! What a process stands on: database, volume and queue, waited for as long as it takes.

use super::Role;
use crate::domain::{Backoff, Outage, reason};
use crate::embedded::{self, Embedded};
use crate::files::{FileError, Files};
use crate::http::Probes;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::store::{Store, StoreError};
use anyhow::Context;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

/// What a process is going to stand on; nothing was asked of any of it yet.
pub(super) struct Ground {
    /// `None` if a private Postgres is to be started.
    store: Option<Store>,
    pub(super) queue: Queue,
}

pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) files: Files,
    pub(super) embedded: Option<Embedded>,
}

/// How far the start has come, for those who ask whether the process is ready.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>);

/// The names under which `/readyz` tells of them.
pub(super) const DATABASE: &str = "database";
pub(super) const VOLUME: &str = "volume";

impl Progress {
    pub(super) fn probes(&self) -> Probes {
        [DATABASE, VOLUME].into_iter().fold(Probes::default(), |probes, name| {
            let this = self.clone();
            probes.with(name, true, move || std::future::ready(this.of(name)))
        })
    }

    fn of(&self, dependency: &str) -> Result<(), String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(dependency).cloned();
        known.unwrap_or_else(|| Err("not asked yet; the process is starting".to_owned()))
    }

    fn set(&self, dependency: &'static str, state: Result<(), String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(dependency, state);
    }
}

/// What can be refused by the settings alone.
pub(super) fn ground(role: &Role, settings: &Settings) -> anyhow::Result<Ground> {
    let queue = match (&settings.amqp.url, role) {
        (Some(url), _) => Queue::rabbitmq(url, &settings.amqp)?,
        (None, Role::Standalone) => Queue::in_process(),
        (None, _) => anyhow::bail!("amqp.url is not set (DARKROOM_AMQP__URL); or use --standalone"),
    };
    let is_private = settings.database.url.is_none() && *role == Role::Standalone;
    let store = if is_private { None } else { Some(store(settings)?) };
    Ok(Ground { store, queue })
}

pub(super) async fn parts(ground: Ground, settings: &Settings, progress: &Progress) -> anyhow::Result<Parts> {
    let (store, embedded) = match ground.store {
        Some(store) => (store, None),
        None => {
            let postgres = Embedded::start(&settings.embedded.dir).await?;
            let url = SecretString::from(postgres.database_url());
            (Store::new(&url, &settings.database)?, Some(postgres))
        }
    };
    let installation = patiently(DATABASE, progress, StoreError::may_be_mended, public_reason, || async {
        bring_up_to_date(&store, settings).await?;
        if embedded.is_some() {
            store.expire_leases().await?;
        }
        Ok((store.installation().await?, !store.has_images().await?))
    });
    let (installation, may_be_new) = installation.await?;
    let away = |error: &FileError| matches!(error, FileError::Unavailable { .. } | FileError::Full { .. });
    let files = patiently(VOLUME, progress, away, FileError::without_path, || async {
        let files = Files::open(&settings.files).await?;
        files.belong_to(&installation, may_be_new).await?;
        Ok(files)
    });
    let files = files.await?;
    Ok(Parts { store, files, embedded })
}

/// Applies the migrations, waiting for a database that is away, but not for one that lets nobody in.
pub(super) async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let store = store(settings)?;
    let progress = Progress::default();
    let migrating = patiently(DATABASE, &progress, StoreError::is_transient, public_reason, || {
        bring_up_to_date(&store, settings)
    });
    Ok(migrating.await?)
}

fn store(settings: &Settings) -> anyhow::Result<Store> {
    let url = settings.database.url.as_ref();
    let url = url.context("database.url is not set (DARKROOM_DATABASE__URL); or use --standalone")?;
    Ok(Store::new(url, &settings.database)?)
}

pub(super) async fn bring_up_to_date(store: &Store, settings: &Settings) -> Result<(), StoreError> {
    if settings.database.migrate { store.migrate().await } else { store.check().await }
}

/// Neither the driver nor Postgres repeats a password, and neither knows a path of ours.
fn public_reason(error: &StoreError) -> String {
    reason(error)
}

/// Repeats `connect` for as long as its failures may pass: in a cluster everything starts at once. `public` says of a
/// failure what everybody may read.
async fn patiently<T, E, F>(
    what: &'static str,
    progress: &Progress,
    may_pass: impl Fn(&E) -> bool,
    public: impl Fn(&E) -> String,
    connect: impl Fn() -> F,
) -> Result<T, E>
where
    E: Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let (mut failures, mut outage) = (0, Outage::none());
    loop {
        match connect().await {
            Err(error) if may_pass(&error) => {
                failures += 1;
                let reason = reason(&error);
                if outage.fails(&reason) {
                    tracing::warn!(
                        dependency = what,
                        error = reason,
                        "waiting for the {what}; trying until it works"
                    );
                }
                progress.set(what, Err(public(&error)));
                tokio::time::sleep(BACKOFF.delay(failures, rand::random())).await;
            }
            Ok(connected) => {
                if let Some(lasted) = outage.ends() {
                    tracing::info!(dependency = what, seconds = lasted.as_secs(), "it is there; starting");
                }
                progress.set(what, Ok(()));
                return Ok(connected);
            }
            failed => return failed,
        }
    }
}

/// The configured database, or the private one of a `--standalone` that runs at this moment: none is started here, since it
/// might not be the one that was meant.
pub(super) fn known_store(settings: &Settings) -> anyhow::Result<Store> {
    let running = || embedded::running(&settings.embedded.dir).map(SecretString::from);
    let url = settings.database.url.clone().or_else(running).with_context(|| {
        let dir = settings.embedded.dir.display();
        format!(
            "database.url is not set (DARKROOM_DATABASE__URL), and no darkroom --standalone runs on {dir}"
        )
    })?;
    Ok(Store::new(&url, &settings.database)?)
}
