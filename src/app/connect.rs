//! What a process stands on: database, volume and queue, waited for as long as it takes.

use super::Role;
use crate::domain::Backoff;
use crate::embedded::Embedded;
use crate::files::{FileError, Files};
use crate::queue::Queue;
use crate::settings::Settings;
use crate::store::{Store, StoreError};
use anyhow::Context;
use secrecy::SecretString;
use std::future::Future;
use std::time::Duration;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

pub(super) struct Parts {
    pub(super) store: Store,
    pub(super) files: Files,
    pub(super) queue: Queue,
    pub(super) embedded: Option<Embedded>,
}

pub(super) async fn parts(role: &Role, settings: &Settings) -> anyhow::Result<Parts> {
    let queue = match (&settings.amqp.url, role) {
        (Some(url), _) => Queue::rabbitmq(url, &settings.amqp)?,
        (None, Role::Standalone) => Queue::in_process(),
        (None, _) => anyhow::bail!("amqp.url is not set (DARKROOM_AMQP__URL); or use --standalone"),
    };
    let mut embedded = None;
    let store = if settings.database.url.is_none() && *role == Role::Standalone {
        let postgres = Embedded::start(&settings.embedded.dir).await?;
        let url = SecretString::from(postgres.database_url());
        embedded = Some(postgres);
        let store = ready_store(&url, settings).await?;
        store.expire_leases().await?;
        store
    } else {
        migrated_store(settings).await?
    };
    let (installation, may_be_new) = (store.installation().await?, !store.has_images().await?);
    let away = |error: &FileError| matches!(error, FileError::Unavailable { .. });
    let files = patiently("the volume", away, || async {
        let files = Files::open(&settings.files).await?;
        files.belong_to(&installation, may_be_new).await?;
        Ok(files)
    });
    let files = files.await?;
    Ok(Parts { store, files, queue, embedded })
}

pub(super) async fn migrated_store(settings: &Settings) -> anyhow::Result<Store> {
    let url = settings.database.url.as_ref();
    let url = url.context("database.url is not set (DARKROOM_DATABASE__URL); or use --standalone")?;
    ready_store(url, settings).await
}

async fn ready_store(url: &SecretString, settings: &Settings) -> anyhow::Result<Store> {
    let store = Store::new(url, &settings.database)?;
    patiently("the database", StoreError::is_transient, || async {
        if settings.database.migrate { store.migrate().await } else { store.check().await }
    })
    .await?;
    Ok(store)
}

/// Repeats `connect` for as long as its failures may pass: in a cluster everything starts at once.
async fn patiently<T, E, F>(
    what: &str,
    may_pass: impl Fn(&E) -> bool,
    connect: impl Fn() -> F,
) -> Result<T, E>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let mut failures = 0;
    loop {
        match connect().await {
            Err(error) if may_pass(&error) => {
                failures += 1;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    tries = failures,
                    "waiting for {what}"
                );
                tokio::time::sleep(BACKOFF.delay(failures, rand::random())).await;
            }
            settled => return settled,
        }
    }
}
