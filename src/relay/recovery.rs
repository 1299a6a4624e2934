//! Repeating work, and what an outage means for it.

use crate::domain::{Outage, reason};
use std::future::Future;
use std::time::{Duration, Instant};

/// How work has gone so far.
#[derive(Debug, Clone, Copy)]
pub(super) enum Health {
    /// It never failed, or an outage is long past.
    Sound,
    /// It failed the last time.
    Failing,
    /// It failed, and works again since then.
    BackSince(Instant),
}

impl Health {
    const fn after(self, succeeded: bool, now: Instant) -> Self {
        match (self, succeeded) {
            (_, false) => Self::Failing,
            (Self::Failing, true) => Self::BackSince(now),
            (same, true) => same,
        }
    }

    pub(super) const fn is_failing(self) -> bool {
        matches!(self, Self::Failing)
    }

    /// Whether leases that ran out did so for good reason.
    ///
    /// While Postgres is away no worker can renew. Right after it every lease looks expired, and jobs would be taken from
    /// workers that are alive and about to renew; so they are given the time of one lease first.
    pub(super) fn is_sound_for(self, lease: Duration) -> bool {
        match self {
            Self::Sound => true,
            Self::Failing => false,
            Self::BackSince(since) => since.elapsed() >= lease,
        }
    }
}

/// Repeats `work` with `pause` in between; says when it begins to fail and when it works again, not each time.
pub(super) async fn repeat<E: std::error::Error + 'static, F: Future<Output = Result<(), E>>>(
    doing: &'static str,
    pause: Duration,
    work: impl Fn(Health) -> F,
) {
    let (mut health, mut outage) = (Health::Sound, Outage::none());
    loop {
        let outcome = work(health).await;
        health = health.after(outcome.is_ok(), Instant::now());
        match outcome {
            Ok(()) => {
                if let Some(lasted) = outage.ends() {
                    tracing::info!(doing, seconds = lasted.as_secs(), "works again");
                }
            }
            Err(error) => {
                let error = reason(&error);
                if outage.fails(&error) {
                    tracing::warn!(doing, error, "failed; trying until it works");
                }
            }
        }
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_trusted_again_one_lease_after_an_outage() {
        let (lease, now) = (Duration::from_secs(60), Instant::now());
        assert!(Health::Sound.is_sound_for(lease));
        let away = Health::Sound.after(false, now).after(false, now);
        assert!(!away.is_sound_for(lease));
        let back = away.after(true, now).after(true, now + lease);
        assert!(!back.is_sound_for(lease), "counted from the first success");
        assert!(back.is_sound_for(Duration::ZERO));
    }
}
