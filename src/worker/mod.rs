//! A delivery becomes a result.
//!
//! A permit is taken before a delivery, and prefetch equals the number of permits: a worker never holds what it cannot
//! begin, so one that dies takes no bystanders along.

mod admission;
mod attempt;
mod caption_job;
mod fill_in;
mod image_job;
mod own_thread;
mod told;
mod webhook_job;

pub use fill_in::look_again;

use crate::captioner::Captioner;
use crate::domain::{Backoff, JobKind, Outage, RetryPolicy, reason};
use crate::files::Files;
use crate::queue::{Announcement, Delivery, Queue};
use crate::settings::{self, Settings};
use crate::store::{Claim, Store, StoreError};
use crate::webhooks::Webhooks;
use admission::Admission;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Between tries to reach Postgres.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// What every job needs.
pub struct Worker {
    store: Store,
    files: Files,
    queue: Queue,
    captioner: Option<Captioner>,
    webhooks: Option<Webhooks>,
    settings: settings::Worker,
    webhook_retries: RetryPolicy,
    max_pixels: u64,
    memory: Admission,
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
        settings: &Settings,
    ) -> Arc<Self> {
        let memory = Admission::new(settings.worker.memory_budget_bytes);
        let webhook_retries = settings.webhooks.retry_policy();
        let (settings, max_pixels) = (settings.worker.clone(), settings.limits.max_pixels);
        Arc::new(Self {
            store,
            files,
            queue,
            captioner,
            webhooks,
            settings,
            webhook_retries,
            max_pixels,
            memory,
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
            JobKind::Image => self.settings.image_concurrency(),
            JobKind::Caption => self.settings.caption_concurrency,
            JobKind::Webhook => self.settings.webhook_concurrency,
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
        match tokio::time::timeout(self.settings.grace, finishing).await {
            Ok(()) => Stopped::Clean,
            Err(_) => Stopped::JobsLeft(in_hand.len()),
        }
    }

    async fn handle(&self, delivery: Delivery, stop: &CancellationToken) {
        let Some(claimed) = self.claim(delivery.announcement, stop).await else {
            return delivery.give_back().await;
        };
        if let Some(claim) = claimed {
            self.attempt(claim).await;
        }
        // After the commit. A job that could not be settled keeps its lease until it runs out, and is then announced anew.
        delivery.acknowledge().await;
    }

    /// Holds on to the delivery while Postgres is away: giving it back would only make it come again at once. `None` if
    /// it is to stop instead; never while a claim is under way, which may have been made and would cost an attempt.
    async fn claim(
        &self,
        Announcement { job, image, kind }: Announcement,
        stop: &CancellationToken,
    ) -> Option<Option<Claim>> {
        let (mut failures, claimant) = (0, rand::random());
        loop {
            if stop.is_cancelled() {
                return None;
            }
            match self.store.claim(job, claimant, self.settings.lease).await {
                Ok(claimed) => {
                    self.database_answers();
                    if claimed.is_none() {
                        let (image, job) = (image.get(), job.get());
                        tracing::debug!(image, job, %kind, "nothing to claim: done, in other hands, or not due");
                    }
                    return Some(claimed);
                }
                // Away, or a login, a table or a privilege that lacks: either way, of no use to the next delivery.
                Err(error) if error.may_be_mended() => {
                    failures += 1;
                    self.database_failed(
                        &error,
                        "jobs cannot be claimed; they wait, and so does this worker",
                    );
                    let pause = tokio::time::sleep(BACKOFF.delay(failures, rand::random()));
                    stop.run_until_cancelled(pause).await;
                }
                // This row alone is at fault. If it was claimed all the same, its attempts come to an end by its leases.
                Err(error) => {
                    let (image, job, error) = (image.get(), job.get(), reason(&error));
                    tracing::error!(image, job, %kind, error, "cannot be worked on; left until its lease ends");
                    return Some(None);
                }
            }
        }
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
