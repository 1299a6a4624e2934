//! How many calls go to one receiver at a time.
//!
//! A receiver that hangs holds each call for as long as a call may take. Without a bound, its calls would soon be all that a
//! worker makes, and everybody else would wait for them; and whoever may upload could point a whole worker at one victim.

use crate::domain::CallbackUrl;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Calls to one receiver at the same time, from one worker.
const AT_ONCE: u32 = 2;

/// How long a call is taken to last as long as none to that receiver has ended.
const GUESS: Duration = Duration::from_millis(200);

/// The longest that a call is taken to last, whatever the last one took: one that hung says nothing about those that come
/// when the receiver answers again.
const LONGEST_GUESS: Duration = Duration::from_secs(1);

/// The longest that a call is sent away for, however many were sent away before it.
const LONGEST: Duration = Duration::from_secs(300);

/// Who is being called, and when it is whose turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<Receiver, Line>>>);

/// Host and port. Paths do not matter: it is the same server that answers, or does not.
type Receiver = (String, u16);

/// Those who want to call one receiver.
#[derive(Debug)]
struct Line {
    calling: u32,
    /// How long a call is taken to last.
    lasts: Duration,
    /// When everybody who was sent away will have had a turn.
    ends: Instant,
}

/// The right to call a receiver, for as long as it is held.
#[derive(Debug)]
#[must_use]
pub struct Turn {
    turns: Turns,
    receiver: Receiver,
    begun: Instant,
}

impl Turns {
    /// A turn; or how long to stay away. Each who is sent away is told a later time than the one before, as much later as a
    /// call to this receiver is taken to last: so they come back one by one, about as fast as they can be served, or half a
    /// second apart where calls last longer than a second; then some are sent away again, which costs no attempt.
    pub(super) fn take(&self, url: &CallbackUrl, now: Instant) -> Result<Turn, Duration> {
        let receiver = url.host_and_port();
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, line| line.calling > 0 || line.ends > now);
        let line = lines.entry(receiver.clone()).or_insert(Line { calling: 0, lasts: GUESS, ends: now });
        if line.calling < AT_ONCE {
            line.calling += 1;
            return Ok(Turn { turns: self.clone(), receiver, begun: now });
        }
        line.ends = (line.ends.max(now) + line.lasts / AT_ONCE).min(now + LONGEST);
        Err(line.ends - now)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lines = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&self.receiver) {
            line.calling = line.calling.saturating_sub(1);
            line.lasts = self.begun.elapsed().min(LONGEST_GUESS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> CallbackUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_receiver_is_called_twice_at_a_time_and_others_do_not_wait_for_it() {
        let (turns, now) = (Turns::default(), Instant::now());
        let take = |text| turns.take(&url(text), now);
        let first = take("https://example.com/a").unwrap();
        let _second = take("https://EXAMPLE.com.:443/b?c").unwrap();
        assert_eq!(take("https://example.com/").unwrap_err(), GUESS / AT_ONCE);
        assert_eq!(take("https://example.com/").unwrap_err(), GUESS, "after the one before");
        for other in ["https://example.com:8443/", "http://example.com/", "https://example.org/"] {
            assert!(take(other).is_ok(), "{other}");
        }
        drop(first);
        assert!(take("https://example.com/").is_ok());
    }

    #[test]
    fn a_call_that_hung_keeps_nobody_away_for_as_long() {
        let (turns, now) = (Turns::default(), Instant::now());
        let url = url("http://192.0.2.1/");
        let hung = turns.take(&url, now - Duration::from_secs(25)).unwrap();
        let _others = turns.take(&url, now).unwrap();
        drop(hung);
        let _calling = turns.take(&url, now).unwrap();
        assert_eq!(turns.take(&url, now).unwrap_err(), LONGEST_GUESS / AT_ONCE);
    }

    #[test]
    fn a_line_has_an_end_and_is_forgotten() {
        let (turns, now) = (Turns::default(), Instant::now());
        let url = url("http://192.0.2.1/");
        let calls = [turns.take(&url, now).unwrap(), turns.take(&url, now).unwrap()];
        let waits: Vec<_> = (0..5000).map(|_| turns.take(&url, now).unwrap_err()).collect();
        assert_eq!(waits.last(), Some(&LONGEST));
        drop(calls);
        let other = "http://192.0.2.2/".parse().unwrap();
        let _other = turns.take(&other, now + LONGEST + GUESS).unwrap();
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
