//! Leave to call a captioner: asked for before the job is claimed, so that waiting costs no attempt.

use super::Worker;
use super::claim::NotTaken;
use crate::captioner::{Captioner, Provider};
use crate::domain::{Attempt, CallId, Failure, FailureCode, JobId, Question, reason};
use crate::queue::Announcement;
use crate::store::{CallPermit, StoreError, Wait, WaitReason, WantedCall};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The longest that a job is put off at once: budgets and providers may be mended meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// What an attempt at a caption begins with.
pub(super) enum Leave {
    /// A call may be made.
    Call(PermittedCall),
    /// The caption is known; nothing is to be paid.
    Known(String),
    /// There will be no call.
    None(Failure),
}

/// A call that is counted already.
pub(super) struct PermittedCall {
    /// Which of the captioner's providers.
    pub(super) provider: usize,
    pub(super) question: Question,
    pub(super) call: CallId,
    pub(super) starts_in: Duration,
}

/// Whether a provider may be called.
pub(super) enum Asked {
    Leave(Leave),
    NotNow(Wait),
    /// For a model that somebody chose; others may be asked.
    ModelNotNow(Wait),
    NoSuchJob,
}

impl Worker {
    /// Leave for a job that nobody has claimed. If there is none now, the job is put off.
    pub(super) async fn leave_to_ask(
        &self,
        Announcement { job, image, .. }: Announcement,
        stop: &CancellationToken,
    ) -> Result<Leave, NotTaken> {
        let Some(captioner) = &self.captioner else {
            let text = "this worker has no captioner configured";
            return Ok(Leave::None(Failure::permanent(FailureCode::CaptionerMisconfigured, text)));
        };
        self.wait_while_held(stop).await;
        let (wait, all_wait) =
            match self.patiently(stop, || self.first_leave(captioner, job, None, 0)).await? {
                Ok(Asked::Leave(leave)) => return Ok(leave),
                Ok(Asked::NotNow(wait)) => (wait, true),
                Ok(Asked::ModelNotNow(wait)) => (wait, false),
                Ok(Asked::NoSuchJob) => return Err(NotTaken::Settled),
                Err(error) => {
                    let (image, job, error) = (image.get(), job.get(), reason(&error));
                    tracing::error!(
                        image,
                        job,
                        error,
                        "leave to call a captioner cannot be asked for; announced again later"
                    );
                    return Err(NotTaken::Settled);
                }
            };
        let give_up = self.settings.captioner.give_up;
        if let WaitReason::Open(why) = &wait.reason
            && wait.waited >= give_up
        {
            let hours = wait.waited.as_secs_f64() / 3600.0;
            let text = format!("no captioner could be asked for {hours:.1} hours: {why}");
            return Ok(Leave::None(Failure::permanent(FailureCode::CaptionerUnavailable, text)));
        }
        if all_wait && wait.reason != WaitReason::UnderWay {
            self.hold_back(wait.wait);
        }
        // Spread, so that those who wait for the same do not come back together.
        let longest = LONGEST_WAIT.min(give_up.saturating_sub(wait.waited).max(Duration::from_secs(1)));
        let off = wait.wait.min(longest).mul_f64(1.0 + rand::random::<f64>() / 2.0);
        let (image, ms) = (image.get(), u64::try_from(off.as_millis()).unwrap_or(u64::MAX));
        match self.patiently(stop, || self.store.postpone(job, off)).await? {
            Ok(()) => {
                tracing::debug!(image, job = job.get(), ms, why = ?wait.reason, "no captioner may be asked now; put off")
            }
            Err(error) => {
                let error = reason(&error);
                tracing::error!(image, job = job.get(), error, "cannot be put off; announced again later");
            }
        }
        Err(NotTaken::Settled)
    }

    /// Asks the providers from the `from`th on, in their order, for the first that may be called; else when that may be.
    pub(super) async fn first_leave(
        &self,
        captioner: &Captioner,
        job: JobId,
        attempt: Option<Attempt>,
        from: usize,
    ) -> Result<Asked, StoreError> {
        let mut soonest: Option<Wait> = None;
        for (index, provider) in captioner.providers().iter().enumerate().skip(from) {
            let permit = self.permit(job, attempt, provider, provider.question()).await?;
            let permit = match permit {
                CallPermit::OtherModel(model) if from == 0 => {
                    return self.leave_for_model(captioner, job, attempt, model).await;
                }
                // Who chose a model wants no other.
                CallPermit::OtherModel(_) => return Ok(Asked::NoSuchJob),
                permit => permit,
            };
            match asked(permit, index, provider.question()) {
                Asked::NotNow(wait) if wait.reason != WaitReason::UnderWay => {
                    soonest = Some(soonest.map_or(wait.clone(), |other| either(other, wait)));
                }
                answer => return Ok(answer),
            }
        }
        Ok(soonest.map_or(Asked::NoSuchJob, Asked::NotNow))
    }

    /// The same for a model that somebody chose: of the provider that has it, or else of the first one.
    async fn leave_for_model(
        &self,
        captioner: &Captioner,
        job: JobId,
        attempt: Option<Attempt>,
        model: String,
    ) -> Result<Asked, StoreError> {
        let providers = captioner.providers();
        let of_its_own = providers.iter().position(|provider| provider.question().model == model);
        // A local model is no other one.
        let index = of_its_own.or_else(|| providers.iter().position(Provider::is_shared)).unwrap_or(0);
        let Some(provider) = providers.get(index) else { return Ok(Asked::NoSuchJob) };
        let question = provider.question_for(model);
        Ok(match asked(self.permit(job, attempt, provider, &question).await?, index, &question) {
            Asked::NotNow(wait) => Asked::ModelNotNow(wait),
            answer => answer,
        })
    }

    async fn permit(
        &self,
        job: JobId,
        attempt: Option<Attempt>,
        provider: &Provider,
        question: &Question,
    ) -> Result<CallPermit, StoreError> {
        let wanted = WantedCall {
            job,
            attempt,
            question,
            endpoint: provider.endpoint(),
            per_minute: provider.per_minute(),
            per_day: provider.per_day(),
            lasts: self.settings.captioner.call,
        };
        self.store.permit_call(&wanted).await
    }

    /// What one delivery has learned holds for those behind it: they stay with the broker instead of being put off one by
    /// one.
    fn hold_back(&self, wait: Duration) {
        // Not for so long that they would be announced again.
        let until = Instant::now() + wait.min(self.settings.relay.reannounce / 2);
        *self.captions_held.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    async fn wait_while_held(&self, stop: &CancellationToken) {
        let held = *self.captions_held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = held {
            stop.run_until_cancelled(tokio::time::sleep_until(until.into())).await;
        }
    }
}

/// When one of two providers may be asked. Only if both are left alone, and for as long as both are, is anything given up.
fn either(one: Wait, other: Wait) -> Wait {
    let reason = match (one.reason, other.reason) {
        (WaitReason::Open(why), WaitReason::Open(_)) => WaitReason::Open(why),
        _ => WaitReason::Budget,
    };
    Wait { wait: one.wait.min(other.wait), waited: one.waited.min(other.waited), reason }
}

fn asked(permit: CallPermit, provider: usize, question: &Question) -> Asked {
    match permit {
        CallPermit::Granted { call, starts_in } => {
            let question = question.clone();
            Asked::Leave(Leave::Call(PermittedCall { provider, question, call, starts_in }))
        }
        CallPermit::Known(text) => Asked::Leave(Leave::Known(text)),
        CallPermit::NotNow(wait) => Asked::NotNow(wait),
        CallPermit::OtherModel(_) | CallPermit::NoSuchJob => Asked::NoSuchJob,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_given_up_while_one_provider_waits_for_its_budget() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let open = |waited| Wait { wait: hours(1), waited, reason: WaitReason::Open("503".to_owned()) };
        let budget = Wait { wait: hours(9), waited: Duration::ZERO, reason: WaitReason::Budget };
        for both in [either(open(hours(30)), budget.clone()), either(budget, open(hours(30)))] {
            assert_eq!((both.wait, both.reason), (hours(1), WaitReason::Budget));
        }
        let both = either(open(hours(30)), open(hours(2)));
        assert_eq!((both.waited, both.reason), (hours(2), WaitReason::Open("503".to_owned())));
    }
}
