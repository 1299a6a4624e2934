//! Lines of the log that any caller can cause, a thousand times a second: one of them a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one line in this time.
const PERIOD: Duration = Duration::from_secs(60);

/// Lets one line through and counts the others.
pub(super) struct Throttle(Mutex<State>);

struct State {
    last: Option<Instant>,
    untold: u64,
}

impl Throttle {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(State { last: None, untold: 0 }))
    }

    /// Whether to write a line now, and if so, how many were not written since the last one.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.duration_since(last) < PERIOD) {
            state.untold += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_and_the_number_of_the_others() {
        let (throttle, begin) = (Throttle::new(), Instant::now());
        let after = |seconds| throttle.admit(begin + Duration::from_secs(seconds));
        assert_eq!(
            [after(0), after(1), after(59), after(60), after(61)],
            [Some(0), None, None, Some(2), None]
        );
    }
}
