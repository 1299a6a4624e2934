//! A delivery becomes a result.
//!
//! A permit is taken before a delivery, and prefetch equals the number of permits: a worker never holds what it cannot
//! begin, so one that dies takes no bystanders along.

mod admission;
mod attempt;
mod caption_job;
mod claim;
mod fill_in;
mod image_job;
mod leave_to_ask;
mod told;
mod webhook_job;

pub use fill_in::{LookedAt, look_again};

use crate::captioner::Captioner;
use crate::domain::{Backoff, JobKind, Outage, reason};
use crate::files::Files;
use crate::metrics::Metrics;
use crate::queue::{Delivery, Queue};
use crate::settings::Settings;
use crate::store::{Claim, Store, StoreError};
use crate::webhooks::Webhooks;
use admission::Admission;
use claim::NotTaken;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Between tries to reach Postgres.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// What every job needs.
pub struct Worker {
    store: Store,
    files: Files,
    queue: Queue,
    captioner: Option<Captioner>,
    webhooks: Option<Webhooks>,
    metrics: Metrics,
    settings: Settings,
    admission: Admission,
    /// Until when no captioner needs to be asked for.
    captions_held: Mutex<Option<Instant>>,
    /// What the log knows of the database.
    database: Mutex<Outage>,
}

/// Whether a worker that was told to stop could finish what it had in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Stopped {
    /// All jobs in hand were settled.
    Clean,
    /// The grace time ended first; the leases of what was in hand will run out, and others take over.
    JobsLeft(usize),
}

impl Worker {
    /// A worker that takes from `queue`.
    #[must_use]
    pub fn new(
        store: Store,
        files: Files,
        queue: Queue,
        captioner: Option<Captioner>,
        webhooks: Option<Webhooks>,
        metrics: Metrics,
        settings: &Settings,
    ) -> Arc<Self> {
        let of_worker = &settings.worker;
        let admission = Admission::new(of_worker.image_concurrency(), of_worker.memory_budget_bytes);
        Arc::new(Self {
            store,
            files,
            queue,
            captioner,
            webhooks,
            metrics,
            settings: settings.clone(),
            admission,
            captions_held: Mutex::default(),
            database: Mutex::default(),
        })
    }

    /// Consumes jobs of these kinds until `stop`, then finishes what is in hand within the grace time.
    ///
    /// # Errors
    /// If a consumer panicked; jobs themselves are behind a boundary of their own.
    pub async fn run(
        self: Arc<Self>,
        kinds: &[JobKind],
        stop: CancellationToken,
    ) -> Result<Stopped, JoinError> {
        let mut consumers = JoinSet::new();
        for kind in kinds {
            consumers.spawn(self.clone().consume(*kind, stop.clone()));
        }
        let mut left = 0;
        while let Some(ended) = consumers.join_next().await {
            match ended {
                Ok(Stopped::JobsLeft(jobs)) => left += jobs,
                Ok(Stopped::Clean) => {}
                // Half a worker would leave a queue unread for ever: the whole process ends, and is started again.
                Err(panic) => return Err(panic),
            }
        }
        Ok(if left == 0 { Stopped::Clean } else { Stopped::JobsLeft(left) })
    }

    async fn consume(self: Arc<Self>, kind: JobKind, stop: CancellationToken) -> Stopped {
        let concurrency = match kind {
            JobKind::Image => self.settings.worker.image_jobs_in_hand(),
            JobKind::Caption => self.settings.caption_concurrency(),
            JobKind::Webhook => self.settings.worker.webhook_concurrency,
        };
        let permits = Arc::new(Semaphore::new(concurrency));
        let mut consumer = self.queue.consume(kind, u16::try_from(concurrency).unwrap_or(u16::MAX));
        let mut in_hand = JoinSet::new();
        tracing::info!(%kind, concurrency, "consuming");
        while let Some(Ok(permit)) = stop.run_until_cancelled(permits.clone().acquire_owned()).await {
            let Some(delivery) = stop.run_until_cancelled(consumer.next()).await else { break };
            let (worker, stop) = (self.clone(), stop.clone());
            in_hand.spawn(async move {
                worker.handle(delivery, &stop).await;
                drop(permit);
            });
            while in_hand.try_join_next().is_some() {}
        }
        // Of use to others at once, while ours are being finished.
        consumer.stop().await;
        let finishing = async { while in_hand.join_next().await.is_some() {} };
        match tokio::time::timeout(self.settings.worker.grace, finishing).await {
            Ok(()) => Stopped::Clean,
            Err(_) => Stopped::JobsLeft(in_hand.len()),
        }
    }

    async fn handle(&self, delivery: Delivery, stop: &CancellationToken) {
        match self.take(delivery.announcement(), stop).await {
            Ok(taken) => {
                let Claim { lease, trace, .. } = &taken.claim;
                let span = delivery.processing(lease.attempt, lease.waited, trace.as_ref());
                self.attempt(taken).instrument(span).await;
            }
            Err(NotTaken::Settled) => {}
            Err(NotTaken::Stopping) => return delivery.give_back().await,
        }
        // After the commit. A job that could not be settled keeps its lease until it runs out, and is then announced anew.
        delivery.acknowledge().await;
    }

    /// Says so once for each reason, however many jobs meet with it and for how long.
    fn database_failed(&self, error: &StoreError, consequence: &str) {
        let error = reason(error);
        if self.database.lock().unwrap_or_else(PoisonError::into_inner).fails(&error) {
            tracing::warn!(error, "{consequence}");
        }
    }

    fn database_answers(&self) {
        if let Some(lasted) = self.database.lock().unwrap_or_else(PoisonError::into_inner).ends() {
            tracing::info!(seconds = lasted.as_secs(), "the database answers again");
        }
    }
}
