//! The keys of the table, as this process knows them.
//!
//! They are few, so that all of them are read every few seconds, instead of each being looked up when it comes: a key that
//! is known costs no look-up and works on while the database is away; wrong ones, however many come, are answered from one
//! reading; and nothing grows with what strangers send.

use super::{Identity, Stranger, Usage};
use crate::domain::{Caller, Outage, Sha256, reason};
use crate::store::{InForce, Store};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How often the table is read: so long may a key work after it was revoked.
const EVERY: Duration = Duration::from_secs(5);

/// A key that is not known may have been made just now, so that the table is read for it at once; but not more often than
/// this, whoever tries keys.
const AT_MOST_EVERY: Duration = Duration::from_millis(250);

/// While the database is away, known keys work so long.
const OUTLASTS: Duration = Duration::from_secs(60);

/// How long a caller waits for a reading.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Keyring {
    read: watch::Receiver<Reading>,
    wanted: Arc<Notify>,
}

/// The last reading of the table, and the last that succeeded.
#[derive(Default)]
struct Reading {
    begun: Option<Instant>,
    failed: bool,
    known: HashMap<Sha256, Known>,
    known_since: Option<Instant>,
}

struct Known {
    identity: Arc<Identity>,
    until: Option<Instant>,
}

impl Keyring {
    /// Begins to read, until `stop`. `limit` is for keys that have none of their own; if `alone`, there are no other keys than
    /// these, and if there are none the log says so.
    pub(super) fn start(store: Store, limit: u32, alone: bool, stop: CancellationToken) -> Self {
        let (publish, read) = watch::channel(Reading::default());
        let wanted = Arc::new(Notify::new());
        let reader = Reader { store, limit, publish, wanted: wanted.clone() };
        tokio::spawn(async move { stop.run_until_cancelled(reader.read_for_ever(alone)).await });
        Self { read, wanted }
    }

    /// Whose key has this digest. A hash table's look-up takes a time that depends on the digest; from that nobody gets to a
    /// key of 256 random bits.
    pub(super) async fn find(&self, digest: &Sha256) -> Result<Arc<Identity>, Stranger> {
        let now = Instant::now();
        if let Some(identity) = self.read.borrow().identity(digest, now) {
            return Ok(identity);
        }
        self.wanted.notify_one();
        let mut read = self.read.clone();
        let since = |reading: &Reading| reading.begun.is_some_and(|begun| begun >= now);
        match timeout(PATIENCE, read.wait_for(|reading| since(reading))).await {
            Ok(Ok(reading)) => match reading.identity(digest, now) {
                Some(identity) => Ok(identity),
                None if reading.failed => Err(Stranger::Untold),
                None => Err(Stranger::Unknown),
            },
            // Out of patience, or the process is ending.
            _ => Err(Stranger::Untold),
        }
    }
}

impl Reading {
    fn identity(&self, digest: &Sha256, now: Instant) -> Option<Arc<Identity>> {
        let is_recent = self.known_since.is_some_and(|since| now.saturating_duration_since(since) < OUTLASTS);
        let known = self.known.get(digest).filter(|_| is_recent)?;
        known.until.is_none_or(|until| now < until).then(|| known.identity.clone())
    }

    /// Replaces what was known. What this process has seen of a key stays.
    fn succeed(&mut self, begun: Instant, keys: Vec<InForce>, limit: u32) {
        let mut before = std::mem::take(&mut self.known);
        self.known = keys
            .into_iter()
            .map(|key| {
                let usage = before.remove(&key.digest).map(|known| known.identity.usage.clone());
                (key.digest, Known::new(key, usage.unwrap_or_default(), limit, begun))
            })
            .collect();
        (self.begun, self.known_since, self.failed) = (Some(begun), Some(begun), false);
    }

    fn fail(&mut self, begun: Instant) {
        (self.begun, self.failed) = (Some(begun), true);
    }

    /// The keys that were used since this was last asked.
    fn take_used(&self) -> Vec<Sha256> {
        let used = |known: &Known| known.identity.usage.used.swap(false, Ordering::Relaxed);
        self.known.iter().filter(|(_, known)| used(known)).map(|(digest, _)| *digest).collect()
    }
}

impl Known {
    fn new(key: InForce, usage: Arc<Usage>, limit: u32, begun: Instant) -> Self {
        let caller = Caller::Holder { name: key.name.as_str().into(), digest: key.digest };
        let requests_per_minute = key.requests_per_minute.unwrap_or(limit);
        // What Postgres says is left of it was left when it was asked, or later; sooner is the safe side.
        let until = key.valid_for.and_then(|length| begun.checked_add(length));
        Self { identity: Identity::new(caller, key.scopes, requests_per_minute, usage), until }
    }
}

struct Reader {
    store: Store,
    limit: u32,
    publish: watch::Sender<Reading>,
    wanted: Arc<Notify>,
}

impl Reader {
    async fn read_for_ever(self, alone: bool) {
        let (mut outage, mut look_for_none, mut noted) = (Outage::none(), alone, Instant::now());
        loop {
            let begun = Instant::now();
            match self.store.keys_in_force().await {
                Ok(keys) => {
                    if let Some(lasted) = outage.ends() {
                        tracing::info!(seconds = lasted.as_secs(), "the API keys are read again");
                    }
                    if std::mem::take(&mut look_for_none) && keys.is_empty() {
                        tracing::warn!(
                            "auth.mode is \"keys\", and there is none: everybody is refused until --new-key makes one"
                        );
                    }
                    self.publish.send_modify(|reading| reading.succeed(begun, keys, self.limit));
                    if noted.elapsed() >= EVERY {
                        noted = Instant::now();
                        self.note_use().await;
                    }
                }
                Err(error) => {
                    let error = reason(&error);
                    if outage.fails(&error) {
                        tracing::warn!(error, "the API keys cannot be read; those known work for a minute");
                    }
                    self.publish.send_modify(|reading| reading.fail(begun));
                }
            }
            sleep(AT_MOST_EVERY).await;
            // Either is a reason to read.
            timeout(EVERY.saturating_sub(begun.elapsed()), self.wanted.notified()).await.ok();
        }
    }

    async fn note_use(&self) {
        let used = self.publish.borrow().take_used();
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.store.note_use_of_keys(&used).await {
            tracing::debug!(error = reason(&error), "when API keys were last used is not noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Scope, Scopes};

    fn key(name: &str, valid_for: Option<Duration>) -> InForce {
        InForce {
            name: name.parse().unwrap(),
            digest: super::super::secret::digest(name),
            scopes: Scopes::new([Scope::Read]).unwrap(),
            requests_per_minute: None,
            valid_for,
        }
    }

    #[tokio::test]
    async fn known_keys_outlast_the_database_by_a_minute_and_never_their_own_end() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        let (lasting, brief) = (key("lasting", None), key("brief", Some(Duration::from_secs(3))));
        reading.succeed(begun, vec![lasting.clone(), brief.clone()], 60);
        let works = |reading: &Reading, key: &InForce, seconds| {
            reading.identity(&key.digest, begun + Duration::from_secs(seconds)).is_some()
        };
        assert!(works(&reading, &brief, 2) && !works(&reading, &brief, 3));
        reading.fail(begun + Duration::from_secs(5));
        assert!(works(&reading, &lasting, 59) && !works(&reading, &lasting, 60));
        reading.succeed(begun + Duration::from_secs(61), vec![], 60);
        assert!(!works(&reading, &lasting, 61), "revoked meanwhile");
    }

    #[tokio::test]
    async fn what_was_counted_stays_and_what_is_revoked_is_forgotten() {
        let (mut reading, begun) = (Reading::default(), Instant::now());
        let (one, other) = (key("one", None), key("other", None));
        reading.succeed(begun, vec![one.clone(), other], 60);
        let identity = reading.identity(&one.digest, begun).unwrap();
        assert_eq!(identity.spend().unwrap().remaining, 59);
        identity.usage.used.store(true, Ordering::Relaxed);
        reading.succeed(begun, vec![one.clone()], 60);
        assert_eq!(reading.identity(&one.digest, begun).unwrap().spend().unwrap().remaining, 58);
        assert_eq!(
            (reading.known.len(), reading.take_used(), reading.take_used()),
            (1, vec![one.digest], vec![])
        );
    }
}
