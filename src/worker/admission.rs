//! Which pictures may be drawn: as many at a time as there are processors for, and as fit into memory together. That goes by weight:
//! by what each will need while it is decoded.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One permit of the semaphore stands for this many bytes, so that budgets beyond 4 GiB fit its counter.
const GRAIN: u64 = 64 * 1024;

/// Processors and a budget of bytes, shared by all jobs of a worker, first come first served.
pub(super) struct Admission {
    turns: Arc<Semaphore>,
    free: Arc<Semaphore>,
    budget: u32,
}

/// A processor and bytes set aside, until it is dropped.
pub(super) struct Admitted {
    _turn: Option<OwnedSemaphorePermit>,
    _bytes: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// For so many pictures at a time, and so many bytes.
    pub(super) fn new(at_once: usize, budget_bytes: u64) -> Self {
        let budget = grains(budget_bytes).min(Semaphore::MAX_PERMITS.try_into().unwrap_or(u32::MAX));
        let turns = Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self { turns, free: Arc::new(Semaphore::new(budget as usize)), budget }
    }

    /// Waits for a turn, and then until `bytes` are free. What exceeds the whole budget would wait for ever, so it is admitted alone;
    /// the pipeline then refuses it by its price, before any pixel is decoded.
    pub(super) async fn admit(&self, bytes: u64) -> Admitted {
        let weight = grains(bytes).min(self.budget);
        // The semaphores are never closed, so there is always a permit in the end.
        let turn = self.turns.clone().acquire_owned().await.ok();
        Admitted { _turn: turn, _bytes: self.free.clone().acquire_many_owned(weight).await.ok() }
    }
}

fn grains(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(GRAIN)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn what_does_not_fit_waits_until_it_does() {
        let admission = Admission::new(3, 10 * GRAIN);
        let first = admission.admit(6 * GRAIN).await;
        waits_for(first, admission.admit(5 * GRAIN)).await;
        drop(admission.admit(1000 * GRAIN).await);
    }

    #[tokio::test]
    async fn no_more_are_drawn_at_a_time_than_there_are_turns() {
        let admission = Admission::new(2, 10 * GRAIN);
        let (first, _second) = (admission.admit(1).await, admission.admit(1).await);
        waits_for(first, admission.admit(1)).await;
    }

    async fn waits_for(before: Admitted, waiting: impl Future<Output = Admitted>) {
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut waiting).await.is_err());
        drop(before);
        drop(waiting.await);
    }
}
