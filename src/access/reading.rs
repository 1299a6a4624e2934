//! What this process has read of the table of keys.

use super::{Identity, Usage};
use crate::domain::{Caller, Sha256};
use crate::store::InForce;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// While the database is away, known keys work so long.
const OUTLASTS: Duration = Duration::from_secs(60);

/// The last reading of the table, and the last of all keys that succeeded.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) begun: Option<Instant>,
    pub(super) failed: Option<String>,
    known: HashMap<Sha256, Known>,
    known_since: Option<Instant>,
}

pub(super) struct Known {
    identity: Arc<Identity>,
    until: Option<Instant>,
}

impl Reading {
    pub(super) fn identity(&self, digest: &Sha256, now: Instant) -> Option<Arc<Identity>> {
        let known = self.known.get(digest).filter(|_| self.is_recent(now))?;
        known.until.is_none_or(|until| now < until).then(|| known.identity.clone())
    }

    pub(super) fn is_recent(&self, now: Instant) -> bool {
        self.known_since.is_some_and(|since| now.saturating_duration_since(since) < OUTLASTS)
    }

    /// What was read, in the form in which it is looked up. What this process has seen of a key stays.
    pub(super) fn understood(
        &self,
        begun: Instant,
        keys: Vec<InForce>,
        limit: u32,
    ) -> HashMap<Sha256, Known> {
        let known = |key: InForce| {
            let usage = self.known.get(&key.digest).map(|known| known.identity.usage.clone());
            (key.digest, Known::new(usage.unwrap_or_default(), key, limit, begun))
        };
        keys.into_iter().map(known).collect()
    }

    /// All keys were read. What was known before is left in `known`.
    pub(super) fn replace(&mut self, begun: Instant, known: &mut HashMap<Sha256, Known>) {
        std::mem::swap(&mut self.known, known);
        (self.begun, self.known_since, self.failed) = (Some(begun), Some(begun), None);
    }

    /// New keys were read, which tells nothing of the others.
    pub(super) fn extend(&mut self, begun: Instant, known: HashMap<Sha256, Known>) {
        self.known.extend(known);
        (self.begun, self.failed) = (Some(begun), None);
    }

    pub(super) fn fail(&mut self, begun: Instant, error: String) {
        (self.begun, self.failed) = (Some(begun), Some(error));
    }

    /// The keys that were used since this was last asked.
    pub(super) fn take_used(&self) -> Vec<Sha256> {
        let used = |known: &Known| known.identity.usage.used.swap(false, Ordering::Relaxed);
        self.known.iter().filter(|(_, known)| used(known)).map(|(digest, _)| *digest).collect()
    }
}

impl Known {
    fn new(usage: Arc<Usage>, key: InForce, limit: u32, begun: Instant) -> Self {
        let caller = Caller::Holder { name: key.name.as_str().into(), digest: key.digest };
        let requests_per_minute = key.requests_per_minute.unwrap_or(limit);
        // What Postgres says is left of it was left when it was asked, or later; sooner is the safe side.
        let until = key.valid_for.and_then(|length| begun.checked_add(length));
        Self { identity: Identity::new(caller, key.scopes, requests_per_minute, usage), until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Scope, Scopes};

    fn key(name: &str, valid_for: Option<Duration>) -> InForce {
        InForce {
            id: 1,
            name: name.parse().unwrap(),
            digest: crate::access::secret::digest(name),
            scopes: Scopes::new([Scope::Read]).unwrap(),
            requests_per_minute: None,
            valid_for,
        }
    }

    impl Reading {
        fn succeed(&mut self, begun: Instant, keys: Vec<InForce>) {
            let mut known = self.understood(begun, keys, 60);
            self.replace(begun, &mut known);
        }
    }

    #[tokio::test]
    async fn known_keys_outlast_the_database_by_a_minute_and_never_their_own_end() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        let (lasting, brief) = (key("lasting", None), key("brief", Some(Duration::from_secs(3))));
        reading.succeed(begun, vec![lasting.clone(), brief.clone()]);
        let works = |reading: &Reading, key: &InForce, seconds| {
            reading.identity(&key.digest, begun + Duration::from_secs(seconds)).is_some()
        };
        assert!(works(&reading, &brief, 2) && !works(&reading, &brief, 3));
        reading.fail(begun + Duration::from_secs(5), "away".to_owned());
        assert!(works(&reading, &lasting, 59) && !works(&reading, &lasting, 60));
        reading.succeed(begun + Duration::from_secs(61), vec![]);
        assert!(!works(&reading, &lasting, 61), "revoked meanwhile");
    }

    #[tokio::test]
    async fn what_was_counted_stays_and_what_is_revoked_is_forgotten() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        let (one, other) = (key("one", None), key("other", None));
        reading.succeed(begun, vec![one.clone(), other]);
        let identity = reading.identity(&one.digest, begun).unwrap();
        assert_eq!(identity.spend().unwrap().remaining, 59);
        identity.usage.used.store(true, Ordering::Relaxed);
        reading.succeed(begun, vec![one.clone()]);
        assert_eq!(reading.identity(&one.digest, begun).unwrap().spend().unwrap().remaining, 58);
        assert_eq!(
            (reading.known.len(), reading.take_used(), reading.take_used()),
            (1, vec![one.digest], vec![])
        );
    }

    #[tokio::test]
    async fn new_keys_come_beside_the_others_and_do_not_make_them_younger() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        let (one, new) = (key("one", None), key("new", None));
        reading.succeed(begun, vec![one.clone()]);
        let late = begun + Duration::from_secs(59);
        let found = reading.understood(late, vec![new.clone()], 60);
        reading.extend(late, found);
        assert!([&one, &new].iter().all(|key| reading.identity(&key.digest, late).is_some()));
        assert!(reading.identity(&one.digest, late + Duration::from_secs(1)).is_none());
    }
}
