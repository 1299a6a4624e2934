//! One attempt at a job: under a lease that is renewed, within a time limit, behind a panic boundary, with one ending.

use super::caption_job::no_leave;
use super::claim::{Prepared, Taken};
use super::leave_to_ask::Leave;
use super::told::Told;
use super::{BACKOFF, Worker};
use crate::domain::{Failure, FailureCode, Stage, StageRun, Verdict, reason};
use crate::files::FileError;
use crate::store::{Claim, Ending, Finish, History, Lease, MadeImage, StoreError, Work};
use crate::traces;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

/// What an attempt came to: what is kept of it, and how it ended.
pub(super) struct Outcome {
    pub(super) history: History,
    pub(super) result: Result<Ending, Failure>,
}

impl Worker {
    pub(super) async fn attempt(&self, Taken { claim: Claim { lease, work, .. }, prepared }: Taken) {
        let begun = Instant::now();
        let _running = self.metrics.attempt_begins(lease.kind, lease.waited);
        // Cancelled when nobody waits for the result any more: the lease was lost, the time is up, the process is ending.
        let cancelled = CancellationToken::new();
        let _guard = cancelled.clone().drop_guard();
        let working = self.work(lease, work, prepared, &cancelled);
        tokio::pin!(working);
        let outcome = tokio::select! {
            outcome = &mut working => outcome,
            () = self.hold(lease) => {
                // It ends soon, and the fence will refuse what it made.
                cancelled.cancel();
                working.await
            }
        };
        self.settle(lease, outcome, begun).await;
    }

    async fn work(
        &self,
        lease: Lease,
        work: Work,
        prepared: Prepared,
        cancelled: &CancellationToken,
    ) -> Outcome {
        match work {
            Work::Image { original, name } => self.image_job(lease, &original, &name, cancelled).await,
            Work::Caption { medium, format } => {
                let leave = match prepared {
                    Prepared::Leave(leave) => leave,
                    // Only a message that names another kind than its job has leads here.
                    Prepared::Nothing | Prepared::Turn(_) => Leave::None(no_leave()),
                };
                self.caption_job(lease, (&medium, format), leave, cancelled).await
            }
            Work::Webhook { event, now } => {
                let outcome = self.webhook_job(&event, now, cancelled).await;
                // Only now may others call the receiver.
                if let Prepared::Turn(turn) = prepared {
                    drop(turn);
                }
                outcome
            }
        }
    }

    /// Renews the lease for as long as it is polled; ends when the lease is lost.
    ///
    /// While Postgres is away nothing is known, and the work goes on: the fence decides in the end.
    async fn hold(&self, lease: Lease) {
        loop {
            tokio::time::sleep(self.settings.worker.renew).await;
            match self.store.renew(lease, self.settings.worker.lease).await {
                Ok(true) => self.database_answers(),
                Ok(false) => return,
                Err(error) => self.database_failed(&error, "leases cannot be renewed; the work goes on"),
            }
        }
    }

    /// Records how the attempt ended, for as long as Postgres needs to come back, within two leases.
    async fn settle(&self, lease: Lease, Outcome { history, result }: Outcome, begun: Instant) {
        let Lease { image, job, attempt, kind, .. } = lease;
        let policy = self.settings.retry_policy(kind);
        if let History::Stages(runs) = &history {
            runs.iter().for_each(|run| self.metrics.stage_ran(run.stage, run.run));
        }
        let verdict = |failure: &Failure| Verdict::of(failure, attempt, policy, rand::random());
        let (ending, retry) = match result {
            Ok(ending) => (ending, None),
            Err(failure) => match verdict(&failure) {
                Verdict::GiveUp => (Ending::Failed(failure), None),
                Verdict::RetryAfter(wait) => (Ending::Failed(failure), Some(wait)),
            },
        };
        let recorded = self.persist(|| async {
            match retry {
                Some(wait) => self.store.retry_later(lease, wait, &history).await,
                None => self.store.end_job(lease, &ending, &history).await,
            }
        });
        let finish = match recorded.instrument(traces::stage("finish")).await {
            Ok(finish) => finish,
            Err(error) => {
                let (image, job, attempt, error) = (image.get(), job.get(), attempt.get(), reason(&error));
                traces::fails(&Span::current(), "unrecorded");
                tracing::error!(image, job, attempt, %kind, error, "cannot be recorded; tried again when the lease ends");
                return;
            }
        };
        let told = if finish == Finish::LeaseLost { Told::LeaseLost } else { Told::of(&ending, retry) };
        told.mark(&Span::current());
        told.log(lease, begun.elapsed());
        told.count(kind, &self.metrics);
        self.discard(lease, finish, &ending).await;
    }

    /// Repeats a write that ends an attempt; it is fenced, so it takes effect once however often it is tried.
    pub(super) async fn persist<T, F>(&self, write: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let (begun, mut failures) = (Instant::now(), 0);
        loop {
            match write().await {
                Err(error) if error.is_transient() && begun.elapsed() < self.settings.worker.lease * 2 => {
                    self.database_failed(&error, "results cannot be recorded; trying again");
                    failures += 1;
                    tokio::time::sleep(BACKOFF.delay(failures, rand::random())).await;
                }
                Ok(done) => {
                    self.database_answers();
                    return Ok(done);
                }
                failed => return failed,
            }
        }
    }

    /// Removes files that nothing names now; what cannot be removed is left to the sweep.
    async fn discard(&self, lease: Lease, finish: Finish, ending: &Ending) {
        let keys = match (finish, ending) {
            (Finish::Recorded { superseded }, _) => superseded,
            (Finish::LeaseLost, Ending::Image(made)) => {
                let MadeImage { thumbnails, .. } = made.as_ref();
                thumbnails.iter().map(|thumbnail| thumbnail.key.clone()).collect()
            }
            (Finish::LeaseLost, _) => Vec::new(),
        };
        for key in keys {
            if let Err(error) = self.files.remove(&key).await {
                let (image, job, attempt) = (lease.image.get(), lease.job.get(), lease.attempt.get());
                let (kind, error) = (lease.kind, reason(&error));
                tracing::warn!(image, job, attempt, %kind, error, "a file that nothing names is left to the sweep");
            }
        }
    }
}

/// A stage that went wrong, as it is stored.
pub(super) fn failed_run(stage: Stage, begun: Instant, failure: &Failure) -> StageRun {
    StageRun { stage, run: begun.elapsed(), failure: Some(failure.clone()) }
}

/// Ends `work` with a failure when its time is up.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Failure::permanent(
            FailureCode::TimedOut,
            format!("not done after {} seconds", limit.as_secs_f64()),
        ))
    })
}

/// A volume that is away or full may be back in a moment; a file that is missing will not.
pub(super) fn storage_failure(error: &FileError) -> Failure {
    let failure = match error {
        FileError::Missing { .. } => Failure::permanent(FailureCode::FileMissing, "a stored file is missing"),
        FileError::Full { .. } => Failure::transient(FailureCode::StorageFull, "no room left on the volume"),
        FileError::Unavailable { .. } | FileError::Foreign { .. } => {
            Failure::transient(FailureCode::StorageUnavailable, "the volume could not be read or written")
        }
    };
    // The path is for the log alone.
    failure.with_detail(&reason(error))
}
