//! From the row to the broker.

use super::Relay;
use crate::domain::{Backoff, JobKind, Outage, reason};
use crate::queue::{Announcement, Message, QueueError};
use crate::store::{DueJob, Notice, StoreError, Subscription};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Jobs announced in one batch.
const BATCH: i64 = 64;

/// The relay's own lease on a batch: all that a relay that dies, or an answer of Postgres that is lost, can delay a job by.
/// Publishing may take half of it.
const LEASE: Duration = Duration::from_secs(20);

/// A due job that somebody else has locked is no reason to spin.
const SHORTEST: Duration = Duration::from_millis(20);

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));

#[derive(Debug, thiserror::Error)]
enum AnnounceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("the broker returned {0} messages: their queue is gone")]
    Returned(usize),
}

impl Relay {
    /// Announces the jobs of one kind; the others have a loop of their own, and none waits for another's queue.
    pub(super) async fn announce_until(&self, kind: JobKind, stop: &CancellationToken) {
        let mut notices = self.notices.subscribe();
        let (mut failures, mut outage, mut forgotten) = (0, Outage::none(), self.queue.forgets());
        while !stop.is_cancelled() {
            // Before looking at the rows: a job that appears from here on is noticed.
            notices.drain();
            match self.announce_all(kind, &mut forgotten, stop).await {
                Ok(wait) => {
                    if let Some(lasted) = outage.ends() {
                        tracing::info!(%kind, seconds = lasted.as_secs(), "announcing jobs again");
                    }
                    failures = 0;
                    let work = wait_for_work(kind, &mut notices, wait.min(self.poll).max(SHORTEST));
                    stop.run_until_cancelled(work).await;
                }
                Err(error) => {
                    let error = reason(&error);
                    if outage.fails(&error) {
                        tracing::warn!(%kind, error, "jobs cannot be announced; they wait in the database");
                    }
                    failures += 1;
                    let pause = tokio::time::sleep(BACKOFF.delay(failures, rand::random()));
                    stop.run_until_cancelled(pause).await;
                }
            }
        }
    }

    /// Announces all that is due; the answer is how long until the next one is.
    async fn announce_all(
        &self,
        kind: JobKind,
        forgotten: &mut bool,
        stop: &CancellationToken,
    ) -> Result<Duration, AnnounceError> {
        if *forgotten {
            // What the last process had in its memory went with it.
            self.store.reannounce_all(kind).await?;
            *forgotten = false;
        }
        while self.announce_batch(kind).await? && !stop.is_cancelled() {}
        Ok(self.store.next_announcement(kind).await?.unwrap_or(Duration::MAX))
    }

    /// Whether there may be more.
    async fn announce_batch(&self, kind: JobKind) -> Result<bool, AnnounceError> {
        let Some((lease, due)) = self.store.due_jobs(kind, BATCH, LEASE).await? else { return Ok(false) };
        let message = |due: &DueJob| Message {
            announcement: Announcement { job: due.job, image: due.image, kind: due.kind },
            trace: due.trace.clone(),
        };
        let batch = due.iter().map(message).collect();
        let jobs: Vec<_> = due.iter().map(|due| due.job).collect();
        let begun = Instant::now();
        let publishing = tokio::time::timeout(LEASE / 2, self.queue.publish(kind, batch)).await;
        let stored = match publishing.unwrap_or(Err(QueueError::Silent("publishing"))) {
            Ok(stored) => stored,
            Err(error) => {
                self.metrics.announcements_failed(kind, jobs.len());
                // Some may have been stored all the same; a doubled announcement is harmless.
                self.store.release_announcement(lease, &jobs).await?;
                return Err(error.into());
            }
        };
        for (due, _) in due.iter().zip(&stored).filter(|(_, stored)| **stored) {
            self.metrics.announced(kind, due.waited + begun.elapsed());
        }
        let (announced, returned): (Vec<_>, Vec<_>) =
            jobs.into_iter().zip(stored).partition(|(_, stored)| *stored);
        let ids = |part: Vec<(_, bool)>| part.into_iter().map(|(job, _)| job).collect::<Vec<_>>();
        let (announced, returned) = (ids(announced), ids(returned));
        self.store.mark_announced(lease, &announced).await?;
        if !returned.is_empty() {
            self.metrics.announcements_returned(kind, returned.len());
            self.store.release_announcement(lease, &returned).await?;
            return Err(AnnounceError::Returned(returned.len()));
        }
        Ok(i64::try_from(announced.len()) == Ok(BATCH))
    }
}

async fn wait_for_work(kind: JobKind, notices: &mut Subscription, at_most: Duration) {
    let is_work = |notice| match notice {
        Notice::JobDue(due) => due.is_none_or(|due| due == kind),
        Notice::Resumed => true,
        Notice::ImageChanged(_) | Notice::EventsNumbered => false,
    };
    let noticed = async { while !is_work(notices.next().await) {} };
    // Running out of time is the ordinary case of the safety net.
    tokio::time::timeout(at_most, noticed).await.ok();
}
