//! The caption job: the upright medium thumbnail is shown to one provider after the other, until one has said something.

use super::Worker;
use super::attempt::{Outcome, failed_run, storage_failure};
use super::leave_to_ask::{Asked, Leave, PermittedCall};
use crate::captioner::Captioner;
use crate::domain::{
    Caption, Failure, FailureCode, FileKey, Persistence, Stage, StageRun, ThumbnailFormat, reason,
};
use crate::settings::Captioner as Settings;
use crate::store::{EndedCall, Ending, Lease, ProviderVerdict};
use crate::traces;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How many times as long as at first a circuit breaker stays open at the most.
const LONGEST_PAUSE: u32 = 20;

impl Worker {
    pub(super) async fn caption_job(
        &self,
        lease: Lease,
        (medium, format): (&FileKey, ThumbnailFormat),
        leave: Leave,
        cancelled: &CancellationToken,
    ) -> Outcome {
        let begun = Instant::now();
        let asking = self.caption(lease, medium, format, leave);
        let result = cancelled.run_until_cancelled(asking).await.unwrap_or_else(|| {
            Err(Failure::transient(FailureCode::CaptionerUnavailable, "the lease was lost during the call"))
        });
        let run = match &result {
            Ok(_) => StageRun { stage: Stage::Caption, run: begun.elapsed(), failure: None },
            Err(failure) => failed_run(Stage::Caption, begun, failure),
        };
        Outcome { history: vec![run].into(), result: result.map(Ending::Caption) }
    }

    async fn caption(
        &self,
        lease: Lease,
        medium: &FileKey,
        format: ThumbnailFormat,
        leave: Leave,
    ) -> Result<String, Failure> {
        let (mut call, captioner) = match (leave, &self.captioner) {
            (Leave::Known(text), _) => return Ok(text),
            (Leave::None(failure), _) => return Err(failure),
            (Leave::Call(call), Some(captioner)) => (call, captioner),
            // Leave is only given by a captioner.
            (Leave::Call(_), None) => return Err(no_leave()),
        };
        let ends = Instant::now() + self.settings.worker.caption_limit;
        let picture = match traces::staged("read thumbnail", self.thumbnail(medium, ends)).await {
            Ok(picture) => picture,
            Err(failure) => {
                self.give_back(&call).await;
                return Err(failure);
            }
        };
        let mut so_far: Option<Failure> = None;
        loop {
            let next = call.provider + 1;
            let failure = match self.ask(lease, captioner, &call, &picture, format, ends).await {
                Ok(caption) => return Ok(caption.text),
                Err(failure) => failure,
            };
            let failure = so_far.take().map_or(failure.clone(), |before| hopeful(before, failure));
            if captioner.providers().len() > next && Instant::now() + self.settings.captioner.call / 2 > ends
            {
                // No time for a call that is worth it. The next attempt may find the first one well, or left alone.
                return Err(hopeful(failure.clone(), Failure::transient(failure.code(), failure.text())));
            }
            let asked = self.first_leave(captioner, lease.job, Some(lease.attempt), next).await;
            call = match asked {
                Ok(Asked::Leave(Leave::Call(next))) => next,
                Ok(Asked::Leave(Leave::Known(text))) => return Ok(text),
                Ok(Asked::Leave(Leave::None(_)) | Asked::NoSuchJob) => return Err(failure),
                // The next one may be asked later.
                Ok(Asked::NotNow(wait) | Asked::ModelNotNow(wait)) => {
                    let later = Failure::transient_after(failure.code(), failure.text(), Some(wait.wait));
                    return Err(hopeful(failure, later));
                }
                Err(error) => {
                    self.database_failed(&error, "other captioners cannot be asked");
                    return Err(failure);
                }
            };
            so_far = Some(failure);
        }
    }

    async fn thumbnail(&self, medium: &FileKey, ends: Instant) -> Result<Vec<u8>, Failure> {
        let read = tokio::time::timeout_at(ends.into(), self.files.read_whole(medium)).await;
        let silent =
            |_| Failure::transient(FailureCode::StorageUnavailable, "the volume did not answer in time");
        read.map_err(silent)?.map_err(|error| storage_failure(&error))
    }

    /// One call, of which a row tells before and after; not beyond `ends`.
    async fn ask(
        &self,
        lease: Lease,
        captioner: &Captioner,
        permitted: &PermittedCall,
        picture: &[u8],
        format: ThumbnailFormat,
        ends: Instant,
    ) -> Result<Caption, Failure> {
        let Some(provider) = captioner.providers().get(permitted.provider) else { return Err(no_leave()) };
        tokio::time::sleep(permitted.starts_in).await;
        let begun = Instant::now();
        let span = traces::ask(&permitted.question.provider, &permitted.question.model);
        let asking = provider.ask(&permitted.question, picture, format.media_type()).instrument(span.clone());
        // Only the call is bounded: what it brought is recorded, however long that takes.
        let result = tokio::time::timeout_at(ends.into(), asking).await.unwrap_or_else(|_| {
            Err(Failure::transient(FailureCode::CaptionerUnavailable, "the captioner did not answer in time"))
        });
        match &result {
            Ok(caption) => caption.tokens.iter().for_each(|tokens| traces::counted(&span, *tokens)),
            Err(failure) => traces::fails(&span, failure.code().as_str()),
        }
        drop(span);
        let (named, failure) = (&permitted.question.provider, result.as_ref().err().map(Failure::code));
        self.metrics.captioner_called(named, failure, begun.elapsed());
        let is_its_own = provider.is_shared() && permitted.question.model == provider.question().model;
        let has_fallback = permitted.provider + 1 < captioner.providers().len();
        let verdict = match is_its_own {
            true => verdict(result.as_ref().err(), has_fallback, &self.settings.captioner),
            false => ProviderVerdict::Unchanged,
        };
        let ended = EndedCall {
            attempt: lease.attempt,
            run: begun.elapsed(),
            result: result.as_ref(),
            question: &permitted.question,
            endpoint: provider.endpoint(),
            verdict,
        };
        if let Err(error) = self.persist(|| self.store.end_call(permitted.call, &ended)).await {
            let (image, job, error) = (lease.image.get(), lease.job.get(), reason(&error));
            tracing::error!(
                image,
                job,
                error,
                "a call to a captioner cannot be recorded; it is counted as lost"
            );
        }
        result
    }

    /// Lapses by itself if that fails.
    pub(super) async fn give_back(&self, permitted: &PermittedCall) {
        if let Err(error) = self.store.give_back_call(permitted.call).await {
            self.database_failed(&error, "a call that was not made cannot be given back; it lapses");
        }
    }
}

pub(super) fn no_leave() -> Failure {
    let text = "leave to call was asked for by nobody";
    Failure::transient(FailureCode::CaptionerUnavailable, text)
}

/// Of two failures the one after which another attempt makes sense.
fn hopeful(before: Failure, after: Failure) -> Failure {
    match before.persistence() {
        Persistence::Transient { .. } => before,
        Persistence::Permanent => after,
    }
}

/// What a call says of its provider.
fn verdict(failure: Option<&Failure>, has_fallback: bool, settings: &Settings) -> ProviderVerdict {
    let Some(failure) = failure else { return ProviderVerdict::Answers };
    let longest = settings.breaker * LONGEST_PAUSE;
    let named = match failure.persistence() {
        Persistence::Transient { retry_after } => retry_after,
        // Somebody has to mend the settings. Until then the others are asked right away; without others each image is told.
        Persistence::Permanent if failure.code() == FailureCode::CaptionerMisconfigured && has_fallback => {
            Some(longest)
        }
        // The picture was at fault.
        Persistence::Permanent => return ProviderVerdict::Answers,
    };
    ProviderVerdict::Fails { named, tolerated: settings.breaker_failures, pause: settings.breaker, longest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings as All;
    use std::time::Duration;

    #[test]
    fn what_a_call_says_of_its_provider() {
        use FailureCode::{
            CaptionerMisconfigured, CaptionerRateLimited, CaptionerRefused, CaptionerUnavailable,
        };
        let settings = All::load(None, []).unwrap().captioner;
        let of = |failure: &Failure, has_fallback| verdict(Some(failure), has_fallback, &settings);
        let fails = |named: Option<u64>| ProviderVerdict::Fails {
            named: named.map(Duration::from_secs),
            tolerated: 5,
            pause: Duration::from_secs(30),
            longest: Duration::from_secs(600),
        };
        assert_eq!(verdict(None, true, &settings), ProviderVerdict::Answers);
        let paused = Failure::transient_after(CaptionerRateLimited, "429", Some(Duration::from_secs(7)));
        assert_eq!(of(&paused, false), fails(Some(7)));
        assert_eq!(of(&Failure::transient(CaptionerUnavailable, "away"), false), fails(None));
        assert_eq!(of(&Failure::permanent(CaptionerRefused, "x"), true), ProviderVerdict::Answers);
        let locked_out = Failure::permanent(CaptionerMisconfigured, "401");
        assert_eq!(of(&locked_out, false), ProviderVerdict::Answers);
        assert_eq!(of(&locked_out, true), fails(Some(600)));
    }
}
