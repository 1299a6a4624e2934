//! Jobs whose worker vanished, and announcements that the broker lost.

use super::Relay;
use crate::domain::{Failure, FailureCode, JobKind, Stage, StageRun, WebhookCall};
use crate::queue::QueueError;
use crate::store::{Ending, Finish, History, Lease, StoreError};
use futures_util::future::join_all;
use std::future::Future;
use std::time::Duration;

/// Why lost announcements could not be looked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum SearchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Relay {
    /// Jobs whose lease ran out: queued again, or failed if it was the last attempt.
    pub(super) async fn rescue(&self) -> Result<(), StoreError> {
        for (kind, max_attempts) in &self.max_attempts {
            for lost in self.store.requeue_expired(*kind, *max_attempts).await? {
                let (image, job, attempt) = (lost.image.get(), lost.job.get(), lost.attempt.get());
                tracing::warn!(image, job, attempt, %kind, "its worker vanished; queued again");
                self.metrics.job_found_lost(*kind);
                self.metrics.job_retried(*kind, FailureCode::WorkerLost);
            }
            for lost in self.store.expired_for_good(*kind, *max_attempts).await? {
                self.give_up(lost).await?;
            }
        }
        Ok(())
    }

    /// Kept counts, old keys, old history, old events: each until nothing is left to do, in small parts, and each whatever
    /// became of the others.
    pub(super) async fn keep_house(&self) -> Result<(), StoreError> {
        let mut kept = vec![
            until_done(|| self.store.fold_tallies()).await,
            until_done(|| self.store.forget_idempotency_keys()).await,
        ];
        if let Some(age) = self.history {
            kept.push(until_done(|| self.store.forget_superseded_jobs(age)).await);
            kept.push(until_done(|| self.store.forget_waiting_webhooks(age)).await);
            kept.push(until_done(|| self.store.forget_webhook_events(age)).await);
        }
        if let Some(age) = self.events {
            kept.push(until_done(|| self.store.forget_events(age)).await);
        }
        kept.into_iter().collect()
    }

    async fn give_up(&self, lost: Lease) -> Result<(), StoreError> {
        let Lease { image, job, attempt, kind, .. } = lost;
        let text = format!("the worker vanished in attempt {attempt}, the last one");
        let failure = Failure::permanent(FailureCode::WorkerLost, text);
        match self.store.end_job(lost, &Ending::Failed(failure.clone()), &unfinished(kind, failure)).await? {
            Finish::Recorded { .. } => {
                self.metrics.job_found_lost(kind);
                self.metrics.job_failed(kind, FailureCode::WorkerLost);
                let remedy = kind.remedy(image, job);
                let (image, job, attempt) = (image.get(), job.get(), attempt.get());
                tracing::error!(
                    image, job, attempt, %kind,
                    "its worker vanished in the last attempt; failed for good; {remedy} asks for it again"
                );
            }
            // Another relay was faster, or the worker came back to life.
            Finish::LeaseLost => {}
        }
        Ok(())
    }

    pub(super) async fn find_lost_announcements(&self) -> Result<(), SearchError> {
        // Each kind, whatever became of the others.
        join_all(JobKind::ALL.iter().map(|kind| self.find_lost(*kind))).await.into_iter().collect()
    }

    async fn find_lost(&self, kind: JobKind) -> Result<(), SearchError> {
        // A broker that is away has lost nothing yet.
        let waiting = self.queue.waiting(kind).await?;
        let found = self.store.reannounce(kind, waiting == 0, self.reannounce_after).await?;
        if found > 0 {
            self.metrics.announcements_lost(kind, found);
            tracing::warn!(%kind, jobs = found, "the broker no longer holds announced jobs; announcing them again");
        }
        Ok(())
    }
}

/// Repeats a part for as long as there may be more of it.
async fn until_done<F: Future<Output = Result<bool, StoreError>>>(
    part: impl Fn() -> F,
) -> Result<(), StoreError> {
    while part().await? {}
    Ok(())
}

/// What is known of an attempt whose worker vanished.
fn unfinished(kind: JobKind, failure: Failure) -> History {
    let stage = match kind {
        JobKind::Image => Stage::Thumbnails,
        JobKind::Caption => Stage::Caption,
        JobKind::Webhook => {
            let failure = Some(failure);
            return History::Call(WebhookCall { took: Duration::ZERO, status: None, answer: None, failure });
        }
    };
    History::Stages(vec![StageRun { stage, run: Duration::ZERO, failure: Some(failure) }])
}
