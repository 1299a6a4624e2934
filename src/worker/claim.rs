//! A delivery becomes a claim: patiently while Postgres is away, and for a webhook or a caption only if its call can be made
//! now.

use super::leave_to_ask::Leave;
use super::{BACKOFF, Worker};
use crate::domain::{JobKind, reason};
use crate::queue::Announcement;
use crate::store::{Claim, StoreError};
use crate::webhooks::{Turn, Webhooks};
use std::future::Future;
use tokio_util::sync::CancellationToken;

/// A job in hand.
pub(super) struct Taken {
    pub(super) claim: Claim,
    pub(super) prepared: Prepared,
}

/// What had to be had before the claim.
pub(super) enum Prepared {
    Nothing,
    /// Of a webhook; it ends with the attempt.
    Turn(Turn),
    /// Of a caption.
    Leave(Leave),
}

/// Why a delivery leads to no attempt.
pub(super) enum NotTaken {
    /// There is nothing to do about it now: the job is done, in other hands, or not due.
    Settled,
    /// The worker stops; somebody else shall have it.
    Stopping,
}

impl Worker {
    pub(super) async fn take(
        &self,
        announced: Announcement,
        stop: &CancellationToken,
    ) -> Result<Taken, NotTaken> {
        let prepared = match (announced.kind, &self.webhooks) {
            (JobKind::Webhook, Some(webhooks)) => {
                self.turn(webhooks, announced, stop).await?.map_or(Prepared::Nothing, Prepared::Turn)
            }
            (JobKind::Caption, _) => Prepared::Leave(self.leave_to_ask(announced, stop).await?),
            _ => Prepared::Nothing,
        };
        let taken = self.claim(announced, stop).await;
        if let (Err(_), Prepared::Leave(Leave::Call(permitted))) = (&taken, &prepared) {
            self.give_back(permitted).await;
        }
        taken.map(|claim| Taken { claim, prepared })
    }

    async fn claim(&self, announced: Announcement, stop: &CancellationToken) -> Result<Claim, NotTaken> {
        let (claimant, lease) = (rand::random(), self.settings.worker.lease);
        let Announcement { job, image, kind } = announced;
        match self.patiently(stop, || self.store.claim(job, claimant, lease)).await? {
            Ok(Some(claim)) => Ok(claim),
            Ok(None) => {
                let (image, job) = (image.get(), job.get());
                tracing::debug!(image, job, %kind, "nothing to claim: done, in other hands, or not due");
                Err(NotTaken::Settled)
            }
            // This row alone is at fault. If it was claimed all the same, its attempts come to an end by its leases.
            Err(error) => {
                let (image, job, error) = (image.get(), job.get(), reason(&error));
                tracing::error!(image, job, %kind, error, "cannot be worked on; left until its lease ends");
                Err(NotTaken::Settled)
            }
        }
    }

    /// The turn of a call. If others call its receiver, the call is put off before it is claimed, so that it costs no attempt.
    async fn turn(
        &self,
        webhooks: &Webhooks,
        Announcement { job, image, .. }: Announcement,
        stop: &CancellationToken,
    ) -> Result<Option<Turn>, NotTaken> {
        let url = match self.patiently(stop, || self.store.receiver(job)).await? {
            Ok(Some(url)) => url,
            Ok(None) => return Err(NotTaken::Settled),
            // The claim will meet the same, and says so.
            Err(_) => return Ok(None),
        };
        let wait = match webhooks.turn(&url) {
            Ok(turn) => return Ok(Some(turn)),
            Err(wait) => wait,
        };
        let (image, ms) = (image.get(), u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        match self.patiently(stop, || self.store.postpone(job, wait)).await? {
            Ok(()) => tracing::debug!(image, job = job.get(), ms, "others call its receiver; put off"),
            Err(error) => {
                let error = reason(&error);
                tracing::error!(image, job = job.get(), error, "cannot be put off; announced again later");
            }
        }
        Err(NotTaken::Settled)
    }

    /// Holds on to the delivery while Postgres is away: giving it back would only make it come again at once. Stops in between
    /// and never while a claim is under way, which may have been made and would cost an attempt.
    pub(super) async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        stop: &CancellationToken,
        ask: impl Fn() -> F,
    ) -> Result<Result<T, StoreError>, NotTaken> {
        let mut failures = 0;
        loop {
            if stop.is_cancelled() {
                return Err(NotTaken::Stopping);
            }
            match ask().await {
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
                Err(error) => return Ok(Err(error)),
                Ok(answer) => {
                    self.database_answers();
                    return Ok(Ok(answer));
                }
            }
        }
    }
}
