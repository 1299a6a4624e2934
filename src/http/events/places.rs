//! Places for clients that follow events: so many, and of them no more than a share for each key.

use crate::domain::{Caller, Sha256};
use crate::http::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The share of one key: who forgets to close streams takes no place from others.
const SHARE: usize = 4;

/// All places of this process.
pub(super) struct Places {
    all: usize,
    free: Arc<Semaphore>,
    for_each: usize,
    held: Held,
}

/// How many places each key holds; keys without any are not in it.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<HashMap<Sha256, usize>>>);

/// A place of a client; free again when it is dropped.
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    _share: Option<Share>,
}

struct Share {
    held: Held,
    key: Sha256,
}

impl Places {
    /// So many for all, and a quarter of them for each key.
    pub(super) fn new(places: usize) -> Self {
        let for_each = (places / SHARE).max(1);
        Self { all: places, free: Arc::new(Semaphore::new(places)), for_each, held: Held::default() }
    }

    /// A place, if there is one for this caller. Where nobody is asked for a key, callers cannot be told apart.
    pub(super) fn take(&self, caller: &Caller) -> Result<Place, Refusal> {
        let share = match caller {
            Caller::Anyone => None,
            Caller::Holder { digest, .. } => Some(self.share(*digest).ok_or(Refusal::TooManyStreamsOfKey)?),
        };
        let place = self.free.clone().try_acquire_owned().map_err(|_| Refusal::TooManyEventClients)?;
        Ok(Place { _place: place, _share: share })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.all.saturating_sub(self.free.available_permits())
    }

    fn share(&self, key: Sha256) -> Option<Share> {
        let mut counts = self.held.counts();
        let count = counts.get(&key).copied().unwrap_or_default();
        if count >= self.for_each {
            return None;
        }
        counts.insert(key, count + 1);
        Some(Share { held: self.held.clone(), key })
    }
}

impl Held {
    fn counts(&self) -> MutexGuard<'_, HashMap<Sha256, usize>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.held.counts();
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(number: u8) -> Caller {
        Caller::Holder { name: "k".into(), digest: Sha256::new([number; 32]) }
    }

    #[test]
    fn a_key_has_a_quarter_of_the_places_and_nobody_in_particular_has_all() {
        let places = Places::new(9);
        let mut held = vec![places.take(&holder(1)).ok(), places.take(&holder(1)).ok()];
        assert!(matches!(places.take(&holder(1)), Err(Refusal::TooManyStreamsOfKey)));
        held.extend((0..7).map(|_| places.take(&Caller::Anyone).ok()));
        assert!(held.iter().all(Option::is_some));
        assert!(matches!(places.take(&Caller::Anyone), Err(Refusal::TooManyEventClients)));
        assert!(matches!(places.take(&holder(2)), Err(Refusal::TooManyEventClients)));
        assert_eq!(places.taken(), 9);
        held.remove(0);
        assert!(places.take(&holder(1)).is_ok(), "its own is free again");
        drop(held);
        assert!(places.held.counts().is_empty() && places.free.available_permits() == 9);
    }

    #[test]
    fn there_is_a_place_for_each_key_however_few_there_are() {
        let places = Places::new(1);
        assert!(places.take(&holder(1)).is_ok());
        assert_eq!(places.for_each, 1);
    }
}
