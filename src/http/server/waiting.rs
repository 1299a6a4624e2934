//! Connections that wait without a request, and may be closed if there is need.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection that has waited for less than this is spared: its request may have arrived and not been looked at yet.
const SPARED: Duration = Duration::from_millis(250);

/// All connections that wait, the longest-waiting first.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    next: u64,
    tokens: BTreeMap<u64, (Instant, CancellationToken)>,
}

/// A place in the queue; dropped, it is left.
pub(super) struct Ticket {
    waiting: Waiting,
    number: u64,
}

impl Waiting {
    /// Waits; `close` is cancelled if the connection is to go.
    pub(super) fn enter(&self, close: CancellationToken) -> Ticket {
        let mut queue = self.queue();
        let number = queue.next;
        queue.next += 1;
        queue.tokens.insert(number, (Instant::now(), close));
        Ticket { waiting: self.clone(), number }
    }

    /// Has the connection closed that has waited longest until `now`, if any has for long enough.
    pub(super) fn close_longest(&self, now: Instant) {
        let longest = {
            let mut queue = self.queue();
            let longest = queue.tokens.first_entry();
            longest.filter(|entry| now.duration_since(entry.get().0) >= SPARED).map(|entry| entry.remove())
        };
        if let Some((_, close)) = longest {
            close.cancel();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.waiting.queue().tokens.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_waiting_is_closed_and_who_left_is_not() {
        let waiting = Waiting::default();
        let closes: [CancellationToken; 3] = Default::default();
        let mut tickets: Vec<Ticket> = closes.iter().map(|close| waiting.enter(close.clone())).collect();
        drop(tickets.remove(0));
        let now = Instant::now();
        waiting.close_longest(now);
        assert!(closes.iter().all(|close| !close.is_cancelled()), "it has only just come");
        waiting.close_longest(now + SPARED);
        assert_eq!(closes.each_ref().map(CancellationToken::is_cancelled), [false, true, false]);
        waiting.close_longest(now + SPARED);
        waiting.close_longest(now + SPARED);
        assert!(closes[2].is_cancelled() && !closes[0].is_cancelled());
    }
}
