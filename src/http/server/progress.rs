//! How far a connection is, and when it has taken too long.

use super::Bounds;
use super::waiting::{Ticket, Waiting};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A client that has more to take must take this much within the time that it may stall; an upload is held to the same pace.
const PACE_BYTES: usize = 128 * 1024;

/// How far one connection is: told by its socket and its service, asked by the task that owns both.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<State>>);

struct State {
    bounds: Bounds,
    waiting: Waiting,
    close: CancellationToken,
    phase: Phase,
    /// Answers whose body is not at its end.
    open: usize,
    stall: Option<Stall>,
}

enum Phase {
    /// Nothing of the next request has come.
    Idle { since: Instant, ticket: Ticket },
    /// Some of a head has come. The ticket is from before: who dawdles here goes before others.
    Head { since: Instant, _ticket: Ticket },
    /// A request is being answered.
    Busy,
}

/// The system took no more bytes at a moment, and what it took after that.
struct Stall {
    since: Instant,
    taken: usize,
}

impl Progress {
    pub(super) fn new(bounds: Bounds, waiting: &Waiting, close: CancellationToken) -> Self {
        let phase = Phase::Idle { since: Instant::now(), ticket: waiting.enter(close.clone()) };
        let waiting = waiting.clone();
        Self(Arc::new(Mutex::new(State { bounds, waiting, close, phase, open: 0, stall: None })))
    }

    /// Bytes came.
    pub(super) fn read(&self) {
        let mut state = self.state();
        state.phase = match std::mem::replace(&mut state.phase, Phase::Busy) {
            Phase::Idle { ticket, .. } => Phase::Head { since: Instant::now(), _ticket: ticket },
            other => other,
        };
    }

    /// A head is complete, and its request is answered until what this returns is dropped.
    pub(super) fn answer(&self) -> Answer {
        let mut state = self.state();
        state.phase = Phase::Busy;
        state.open += 1;
        Answer(self.clone())
    }

    /// Bytes were taken by the system.
    pub(super) fn wrote(&self, count: usize) {
        let mut state = self.state();
        if let Some(stall) = &mut state.stall {
            stall.taken += count;
            if stall.taken >= PACE_BYTES {
                state.stall = None;
            }
        }
    }

    /// The system takes no more bytes at the moment.
    pub(super) fn blocked(&self) {
        self.state().stall.get_or_insert_with(|| Stall { since: Instant::now(), taken: 0 });
    }

    /// Everything that was to be written has been.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        state.stall = None;
        if matches!(state.phase, Phase::Busy) && state.open == 0 {
            let ticket = state.waiting.enter(state.close.clone());
            state.phase = Phase::Idle { since: Instant::now(), ticket };
        }
    }

    /// Whether a request is in hand. If not, whatever is written comes from the HTTP library itself.
    pub(super) fn is_answering(&self) -> bool {
        matches!(self.state().phase, Phase::Busy)
    }

    /// When the connection is to be cut if nothing happens until then.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let State { bounds, phase, stall, .. } = &*self.state();
        match phase {
            Phase::Idle { since, .. } => Some(*since + bounds.keep_alive),
            Phase::Head { since, .. } => Some(*since + bounds.header),
            Phase::Busy => stall.as_ref().map(|stall| stall.since + bounds.stalled),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being answered.
pub(super) struct Answer(Progress);

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.state().open -= 1;
    }
}
