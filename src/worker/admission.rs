//! Memory is admitted by weight: what a picture will need while it is decoded, not how many pictures there are.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One permit of the semaphore stands for this many bytes, so that budgets beyond 4 GiB fit its counter.
const GRAIN: u64 = 64 * 1024;

/// A budget of bytes, shared by all jobs of a worker, first come first served.
pub(super) struct Admission {
    free: Arc<Semaphore>,
    budget: u32,
}

/// Bytes set aside, until it is dropped.
pub(super) struct Admitted {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Admission {
    pub(super) fn new(budget_bytes: u64) -> Self {
        let budget = grains(budget_bytes).min(Semaphore::MAX_PERMITS.try_into().unwrap_or(u32::MAX));
        Self { free: Arc::new(Semaphore::new(budget as usize)), budget }
    }

    /// Waits until `bytes` are free. What exceeds the whole budget would wait for ever, so it is admitted alone;
    /// the pipeline then refuses it by its price, before any pixel is decoded.
    pub(super) async fn admit(&self, bytes: u64) -> Admitted {
        let weight = grains(bytes).min(self.budget);
        // The semaphore is never closed, so there is always a permit in the end.
        Admitted { _permit: self.free.clone().acquire_many_owned(weight).await.ok() }
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
        let memory = Admission::new(10 * GRAIN);
        let first = memory.admit(6 * GRAIN).await;
        let waiting = memory.admit(5 * GRAIN);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut waiting).await.is_err());
        drop(first);
        drop(waiting.await);
        drop(memory.admit(1000 * GRAIN).await);
    }
}
