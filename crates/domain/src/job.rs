//! Jobs: `queued → running → succeeded | failed`, and back to `queued` by a retry or an expired lease.

use super::image::named;
use super::{Failure, ImageId, JobId, Persistence, RetryPolicy};
use std::fmt;
use std::time::Duration;

/// What a job does. Each kind has its own queue, so that neither a slow captioner nor a receiver that hangs delays a thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKind {
    /// Metadata and thumbnails: bound by the processor and by memory.
    Image,
    /// One call to a captioner: slow, rate-limited, and it costs money.
    Caption,
    /// One call that tells somebody's server how an image ended. It changes nothing of the image.
    Webhook,
}
named!(JobKind, "job kind", { Image => "image", Caption => "caption", Webhook => "webhook" });

impl JobKind {
    /// How a job of this kind that has failed for good is asked for again, as the log tells it.
    #[must_use]
    pub fn remedy(self, image: ImageId, job: JobId) -> String {
        match self {
            Self::Image => format!("POST /api/images/{image}/retry or --retry-failed"),
            Self::Caption => format!("POST /api/images/{image}/retry or --retry-failed --captions"),
            Self::Webhook => {
                format!("POST /api/images/{image}/deliveries/{job}/replay or --retry-failed --webhooks")
            }
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Waiting to be claimed.
    Queued,
    /// Claimed by a worker that holds a lease.
    Running,
    /// Ended with its results recorded.
    Succeeded,
    /// Ended with a failure recorded.
    Failed,
}
named!(JobState, "job state", { Queued => "queued", Running => "running", Succeeded => "succeeded", Failed => "failed" });

/// The number of a claim, from 1. It is the fence: a write under an older number hits no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(i32);

impl Attempt {
    /// Wraps the number that a claim returned.
    #[must_use]
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number as the database holds it.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Whether no further attempt is allowed after this one.
    #[must_use]
    pub const fn is_last(self, max_attempts: u32) -> bool {
        self.0.unsigned_abs() >= max_attempts
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The job goes back into the queue, due after this wait.
    RetryAfter(Duration),
    /// The job has failed for good.
    GiveUp,
}

impl Verdict {
    /// A transient failure is retried while attempts are left: after the backoff, and not before the time that the other
    /// side named. `chance` is uniform in `0.0..1.0`.
    #[must_use]
    pub fn of(failure: &Failure, attempt: Attempt, policy: RetryPolicy, chance: f64) -> Self {
        match failure.persistence() {
            Persistence::Transient { retry_after } if !attempt.is_last(policy.max_attempts) => {
                let wait = policy.backoff.delay(attempt.get().unsigned_abs(), chance);
                Self::RetryAfter(retry_after.map_or(wait, |named| named.max(wait)))
            }
            _ => Self::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backoff, FailureCode};

    #[test]
    fn only_what_may_pass_is_retried_and_only_while_attempts_are_left() {
        let backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));
        let policy = RetryPolicy { max_attempts: 3, backoff };
        let verdict = |failure: &Failure, attempt| Verdict::of(failure, Attempt::new(attempt), policy, 1.0);
        let permanent = Failure::permanent(FailureCode::Corrupt, "no end of block");
        let transient = Failure::transient(FailureCode::StorageFull, "no room");
        let paused =
            Failure::transient_after(FailureCode::CaptionerRateLimited, "429", Some(Duration::from_secs(30)));
        assert_eq!(verdict(&permanent, 1), Verdict::GiveUp);
        assert_eq!(verdict(&transient, 1), Verdict::RetryAfter(Duration::from_secs(2)));
        assert_eq!(verdict(&transient, 2), Verdict::RetryAfter(Duration::from_secs(4)));
        assert_eq!(verdict(&transient, 3), Verdict::GiveUp);
        assert_eq!(verdict(&paused, 1), Verdict::RetryAfter(Duration::from_secs(30)));
    }
}
