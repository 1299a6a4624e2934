//! Jobs: `queued → running → succeeded | failed`, and back to `queued` by a retry or an expired lease.

use super::image::named;
use super::{Backoff, Failure, Persistence};
use std::fmt;
use std::time::Duration;

/// What a job does. Each kind has its own queue, so that a slow captioner never delays a thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKind {
    /// Metadata and thumbnails: bound by the processor and by memory.
    Image,
    /// One call to a captioner: slow, rate-limited, and it costs money.
    Caption,
}
named!(JobKind, "job kind", { Image => "image", Caption => "caption" });

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
    pub fn of(failure: &Failure, attempt: Attempt, max_attempts: u32, backoff: Backoff, chance: f64) -> Self {
        match failure.persistence() {
            Persistence::Transient { retry_after } if !attempt.is_last(max_attempts) => {
                let wait = backoff.delay(attempt.get().unsigned_abs(), chance);
                Self::RetryAfter(retry_after.map_or(wait, |named| named.max(wait)))
            }
            _ => Self::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FailureCode;

    #[test]
    fn only_what_may_pass_is_retried_and_only_while_attempts_are_left() {
        let backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(60));
        let verdict =
            |failure: &Failure, attempt| Verdict::of(failure, Attempt::new(attempt), 3, backoff, 1.0);
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
