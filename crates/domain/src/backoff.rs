//! Exponential backoff with jitter.

use std::time::Duration;

/// How long to wait before trying again.
///
/// The wait doubles from `first` up to `longest`; "equal jitter" then draws from its upper half, so that many who failed
/// together do not come back together, yet nobody comes back at once. Source: Marc Brooker, "Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// A backoff that starts at `first` and never exceeds `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The wait after failure number `failures` (from 1); `chance` is uniform in `0.0..1.0`.
    #[must_use]
    pub fn delay(self, failures: u32, chance: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1_u32 << doublings).min(self.longest);
        whole.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }

    /// The longest wait.
    #[must_use]
    pub const fn longest(self) -> Duration {
        self.longest
    }
}

/// How often, and how soon, a job is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub max_attempts: u32,
    /// The wait between two of them.
    pub backoff: Backoff,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_longest_and_never_below_half() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        assert_eq!(backoff.delay(1, 1.0), Duration::from_secs(1));
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(500));
        assert_eq!(backoff.delay(4, 1.0), Duration::from_secs(8));
        assert_eq!(backoff.delay(5, 1.0), Duration::from_secs(10));
        assert_eq!(backoff.delay(u32::MAX, 1.0), Duration::from_secs(10));
    }
}
