//! How often a key may be used: a bucket of tokens, one for each request, that fills up again within a minute.

use std::time::{Duration, Instant};

/// A full bucket's worth of requests is granted in this time.
const WINDOW: Duration = Duration::from_secs(60);

/// The bucket of one key, as the moment at which it will be full again (GCRA; ITU-T I.371, annex A): so it knows neither its
/// size nor its rate, and either may change.
#[derive(Debug, Default)]
pub(super) struct Meter {
    full_at: Option<Instant>,
}

/// What a key may still ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in a minute; also how many may come at once.
    pub limit: u32,
    /// How many may still come at once.
    pub remaining: u32,
    /// Why this request may not: so long it takes until the next one may.
    pub exhausted_for: Option<Duration>,
}

impl Meter {
    /// Takes a token if there is one; a request that is refused costs nothing. A `limit` of 0 counts as 1.
    pub(super) fn spend(&mut self, limit: u32, now: Instant) -> Allowance {
        let limit = limit.max(1);
        let each = WINDOW / limit;
        let missing = self.full_at.map_or(Duration::ZERO, |full_at| full_at.saturating_duration_since(now));
        let after = missing + each;
        if let Some(exhausted_for) = after.checked_sub(WINDOW).filter(|wait| !wait.is_zero()) {
            return Allowance { limit, remaining: 0, exhausted_for: Some(exhausted_for) };
        }
        self.full_at = Some(now + after);
        let left = WINDOW.saturating_sub(after).as_nanos() / each.as_nanos().max(1);
        Allowance { limit, remaining: u32::try_from(left).unwrap_or(limit), exhausted_for: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_is_granted_at_once_and_then_one_after_the_other() {
        for limit in [1, 7, 60, 6000, 100_000] {
            let (mut meter, begin) = (Meter::default(), Instant::now());
            for left in (0..limit).rev() {
                let granted = meter.spend(limit, begin);
                assert_eq!(granted, Allowance { limit, remaining: left, exhausted_for: None });
            }
            let each = WINDOW / limit;
            let refused = meter.spend(limit, begin);
            let wait = refused.exhausted_for.unwrap();
            assert!(
                refused.remaining == 0 && wait <= each && wait + Duration::from_micros(1) > each - each / 2
            );
            assert_eq!(meter.spend(limit, begin), refused, "a refusal costs nothing");
            assert_eq!(meter.spend(limit, begin + wait).exhausted_for, None, "it says when");
            assert!(meter.spend(limit, begin + wait).exhausted_for.is_some(), "one, and no more");
        }
    }

    #[test]
    fn it_fills_up_within_a_minute_and_no_further() {
        let (mut meter, begin) = (Meter::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(meter.spend(10, begin).exhausted_for, None);
        }
        assert_eq!(meter.spend(10, begin + WINDOW / 2).remaining, 4);
        assert_eq!(meter.spend(10, begin + WINDOW * 9).remaining, 9);
    }

    #[test]
    fn another_limit_counts_at_once() {
        let (mut meter, begin) = (Meter::default(), Instant::now());
        for _ in 0..10 {
            assert_eq!(meter.spend(10, begin).exhausted_for, None);
        }
        assert_eq!(meter.spend(100, begin + WINDOW / 10).remaining, 9, "a tenth of a larger bucket");
    }
}
