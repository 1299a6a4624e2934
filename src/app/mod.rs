//! Wiring: which parts a role consists of, in which order they start, and how they stop.

mod caption_all;
mod connect;
mod dead_letters;
mod descriptors;
mod fill_in;
mod fsck;
mod healthcheck;
mod keys;
mod ready;
mod retries;

pub use caption_all::{CaptionWish, caption_all};
pub use dead_letters::dead_letters;
pub use descriptors::raise as raise_descriptor_limit;
pub use fill_in::{FilledIn, fill_in};
pub use fsck::{Checked, fsck};
pub use healthcheck::healthcheck;
pub use keys::{KeyWish, list_keys, new_key, revoke_key};
pub use retries::{RetryChoice, RetryReport, retry_failed};

use crate::captioner::Captioner;
use crate::domain::{JobKind, reason};
use crate::embedded::Embedded;
use crate::files::{FileError, Files};
use crate::http::{Bounds, Listener, Opening, Probes};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::store::Store;
use crate::webhooks::Webhooks;
use crate::worker::{Stopped, Worker};
use anyhow::Context;
use connect::{DATABASE, Parts, Progress, VOLUME};
use ready::Ready;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// What a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The API server, and the relay.
    Server,
    /// A consumer of these kinds of jobs.
    Worker(Vec<JobKind>),
    /// All in one, with a private Postgres and an in-process queue unless others are configured.
    Standalone,
}

impl Role {
    /// As traces name it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Server => "api",
            Self::Worker(_) => "worker",
            Self::Standalone => "standalone",
        }
    }
}

/// A running process: its parts, until one ends or all are told to.
pub struct App {
    address: Option<SocketAddr>,
    parts: JoinSet<anyhow::Result<Stopped>>,
    stop: CancellationToken,
    queue: Queue,
    embedded: Option<Embedded>,
    grace: Duration,
}

/// A part of a process, until it ends.
type Serving = Pin<Box<dyn Future<Output = anyhow::Result<Stopped>> + Send>>;

/// What stopping may take beyond the grace times: the last answers of broker and database.
const LAST_ANSWERS: Duration = Duration::from_secs(20);

impl App {
    /// Starts everything that `role` needs, waiting for dependencies that are away. Cancelling `stop` ends it.
    ///
    /// # Errors
    /// If a setting is missing, an address is taken, the migrations fail, or a dependency refuses for good.
    pub async fn start(role: Role, settings: Settings, stop: CancellationToken) -> anyhow::Result<Self> {
        let ground = connect::ground(&role, &settings)?;
        let queue = ground.queue.clone();
        let webhooks = Webhooks::from_settings(&settings.webhooks)?;
        let consumed = consumed(&role, webhooks.is_some())?;
        let captioner = captioner(&consumed, &settings).await?;
        let bounds = Bounds::new(&settings, descriptors::connections(settings.limits.max_connections));
        let grace =
            LAST_ANSWERS + if role == Role::Server { settings.http.grace } else { settings.worker.grace };
        let (mut parts, mut address) = (JoinSet::new(), None);
        let (progress, opening) = (Progress::default(), Opening::default());
        // It answers from the beginning, so that nobody takes a process that waits for a dead one.
        let (key, listen) = match role {
            Role::Worker(_) => ("worker.listen", settings.worker.listen),
            _ => ("http.listen", Some(settings.http.listen)),
        };
        if let Some(listen) = listen {
            let listener = bind(key, listen)?;
            address = Some(listener.address());
            let routes = opening.routes(progress.probes(), settings.http.request);
            parts.spawn(part(listener.serve(routes, bounds, stop.clone())));
        }
        let Parts { store, files, embedded } = connect::parts(ground, &settings, &progress).await?;

        let metrics = Metrics::default();
        let probes = probes(&role, &store, &files, &queue);
        let ready =
            Ready { store: &store, files: &files, metrics: &metrics, settings: &settings, stop: &stop };
        match role {
            Role::Worker(_) => ready.open_worker(&opening, probes),
            Role::Server | Role::Standalone => {
                for serving in ready.open_server(&opening, probes, &queue, bounds.connections) {
                    parts.spawn(serving);
                }
            }
        }
        if !consumed.is_empty() {
            let worker = Worker::new(store, files, queue.clone(), captioner, webhooks, metrics, &settings);
            let stopping = stop.clone();
            parts.spawn(async move { worker.run(&consumed, stopping).await.context("a consumer panicked") });
        }
        if let Some(address) = address {
            tracing::info!("listening on http://{address}");
        }
        Ok(Self { address, parts, stop, queue, embedded, grace })
    }

    /// Where it listens, if it does.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Waits until it was told to stop and has stopped, or a part ends before that.
    ///
    /// # Errors
    /// If a part failed or panicked, or the private Postgres ended.
    pub async fn run(mut self) -> anyhow::Result<Stopped> {
        let failure = tokio::select! {
            // First: parts that end because they were told to have not failed.
            biased;
            () = self.stop.cancelled() => None,
            ended = self.parts.join_next() => match ended {
                Some(ended) => flatten(ended).err().or_else(|| Some(anyhow::anyhow!("a part ended before its time"))),
                None => None,
            },
            error = postgres_ended(&mut self.embedded) => Some(error),
        };
        self.stop.cancel();
        let mut left = 0;
        let mut failure = failure;
        let stopping = async {
            while let Some(ended) = self.parts.join_next().await {
                match flatten(ended) {
                    Ok(Stopped::Clean) => {}
                    Ok(Stopped::JobsLeft(jobs)) => left += jobs,
                    Err(error) => drop(failure.get_or_insert(error)),
                }
            }
            self.queue.close().await;
        };
        // Each part keeps to its own grace time; this is for one that hangs in something nobody thought of.
        if tokio::time::timeout(self.grace, stopping).await.is_err() {
            tracing::error!("a part did not stop in time; ending without it");
            self.parts.abort_all();
        }
        if let Some(postgres) = self.embedded {
            postgres.stop().await;
        }
        match failure {
            Some(error) => Err(error),
            None if left == 0 => Ok(Stopped::Clean),
            None => Ok(Stopped::JobsLeft(left)),
        }
    }
}

/// Applies the migrations and nothing else.
///
/// # Errors
/// If `database.url` is not set or the migrations fail.
pub async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    connect::migrate(settings).await
}

/// Whom a process asks that consumes captions, ready to be asked before anybody takes the process for ready. The others only
/// have to know that somebody is.
async fn captioner(consumed: &[JobKind], settings: &Settings) -> anyhow::Result<Option<Captioner>> {
    if !consumed.contains(&JobKind::Caption) {
        return Ok(None);
    }
    let captioner = Captioner::from_settings(&settings.captioner)?;
    if let Some(captioner) = &captioner {
        captioner.load().await?;
    }
    Ok(captioner)
}

/// The kinds of jobs that a process consumes. Without a secret it would take webhooks from those who can sign them.
fn consumed(role: &Role, signs_webhooks: bool) -> anyhow::Result<Vec<JobKind>> {
    let mut kinds = match role {
        Role::Server => return Ok(Vec::new()),
        Role::Worker(kinds) => kinds.clone(),
        Role::Standalone => JobKind::ALL.to_vec(),
    };
    if !signs_webhooks && kinds.contains(&JobKind::Webhook) {
        kinds.retain(|kind| *kind != JobKind::Webhook);
        anyhow::ensure!(
            !kinds.is_empty(),
            "webhooks.secret is not set (DARKROOM_WEBHOOKS__SECRET): no webhook can be signed"
        );
        tracing::info!("without webhooks.secret no webhooks are sent from here");
    }
    Ok(kinds)
}

/// What `/readyz` asks. Everybody may read the answers, so that they hold reasons and no paths.
fn probes(role: &Role, store: &Store, files: &Files, queue: &Queue) -> Probes {
    let (store, files, queue) = (store.clone(), files.clone(), queue.clone());
    // An upload is taken while the broker is away; a worker without one has nothing to do.
    let broker_is_essential = matches!(role, Role::Worker(_));
    let takes_uploads = !matches!(role, Role::Worker(_));
    Probes::default()
        .with(DATABASE, true, move || {
            asked(store.clone(), |store| async move { store.check().await.map_err(|error| reason(&error)) })
        })
        .with(VOLUME, true, move || {
            let files = files.clone();
            async move { checked(&files, takes_uploads).await.map_err(|error| error.without_path()) }
        })
        .with("broker", broker_is_essential, move || {
            asked(queue.clone(), |queue| async move { queue.check().await.map_err(|error| reason(&error)) })
        })
}

async fn checked(files: &Files, takes_uploads: bool) -> Result<(), FileError> {
    files.check().await?;
    if takes_uploads { files.check_incoming().await } else { Ok(()) }
}

async fn asked<T, F: Future>(part: T, question: impl FnOnce(T) -> F) -> F::Output {
    question(part).await
}

fn bind(key: &str, address: SocketAddr) -> anyhow::Result<Listener> {
    Listener::bind(address).with_context(|| format!("{key}: cannot listen on {address}"))
}

/// A part that has nothing to tell when it ends.
async fn part(running: impl Future<Output = ()>) -> anyhow::Result<Stopped> {
    running.await;
    Ok(Stopped::Clean)
}

fn flatten(ended: Result<anyhow::Result<Stopped>, JoinError>) -> anyhow::Result<Stopped> {
    ended.context("a part panicked")?
}

async fn postgres_ended(embedded: &mut Option<Embedded>) -> anyhow::Error {
    match embedded {
        Some(postgres) => anyhow::Error::new(postgres.exited().await),
        None => std::future::pending().await,
    }
}
