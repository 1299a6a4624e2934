//! Connections that wait without a request, and may be closed if there is need.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// All connections that wait, the longest-waiting first.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    next: u64,
    tokens: BTreeMap<u64, CancellationToken>,
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
        queue.tokens.insert(number, close);
        Ticket { waiting: self.clone(), number }
    }

    /// Has the connection that has waited longest closed, if any waits.
    pub(super) fn close_longest(&self) {
        let longest = self.queue().tokens.pop_first();
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
        waiting.close_longest();
        assert_eq!(closes.each_ref().map(CancellationToken::is_cancelled), [false, true, false]);
        waiting.close_longest();
        waiting.close_longest();
        assert!(closes[2].is_cancelled() && !closes[0].is_cancelled());
    }
}
