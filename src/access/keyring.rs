//! The keys of the table, as this process knows them.
//!
//! They are few, so that all of them are read every few seconds, instead of each being looked up when it comes: a key that
//! is known costs no look-up and works on while the database is away; wrong ones, however many come, are answered from one
//! reading; and nothing grows with what strangers send. What has become of keys is told by a reading of all of them; for one
//! that is not known only newer ones are read.

use super::reading::Reading;
use super::{Identity, Stranger};
use crate::domain::{Outage, Sha256, reason};
use crate::store::{InForce, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How often the table is read: so long may a key work after it was revoked.
const EVERY: Duration = Duration::from_secs(5);

/// A key that is not known may have been made just now, so that new ones are looked for at once; but not more often than this,
/// whoever tries keys.
const AT_MOST_EVERY: Duration = Duration::from_millis(250);

/// How long a caller waits for a reading.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Keyring {
    read: watch::Receiver<Reading>,
    wanted: Arc<Notify>,
}

/// Why the keys of the table are not known.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The process has just started.
    #[error("the API keys have not been read yet")]
    NotYet,
    /// Every try has failed for long.
    #[error("the API keys cannot be read: {0}")]
    Failed(String),
    /// The process is stopping, or its reader has broken off.
    #[error("the API keys are no longer read")]
    Ended,
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
                None if reading.failed.is_some() => Err(Stranger::Untold),
                None => Err(Stranger::Unknown),
            },
            // Out of patience, or the process is ending.
            _ => Err(Stranger::Untold),
        }
    }

    pub(super) fn check(&self) -> Result<(), Unread> {
        // There is no sender without a reader.
        if self.read.has_changed().is_err() {
            return Err(Unread::Ended);
        }
        let reading = self.read.borrow();
        match &reading.failed {
            _ if reading.is_recent(Instant::now()) => Ok(()),
            Some(error) => Err(Unread::Failed(error.clone())),
            None => Err(Unread::NotYet),
        }
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
        let (mut outage, mut unreadable, mut look_for_none) = (Outage::none(), Outage::none(), alone);
        // When all keys were read, and the highest number among them and those that were read since.
        let (mut all_read, mut highest) = (None::<Instant>, 0);
        loop {
            let begun = Instant::now();
            let after = if all_read.is_some_and(|at| begun.duration_since(at) < EVERY) { highest } else { 0 };
            match self.store.keys_in_force(after).await {
                Ok(found) => {
                    if let Some(lasted) = outage.ends() {
                        tracing::info!(seconds = lasted.as_secs(), "the API keys are read again");
                    }
                    if std::mem::take(&mut look_for_none) && found.is_empty() {
                        tracing::warn!(
                            "auth.mode is \"keys\", and there is none: everybody is refused until --new-key makes one"
                        );
                    }
                    let keys = understood(found, &mut unreadable);
                    // Of two keys the later one may appear first, so that a lower number may be new, too. The next reading of
                    // all keys finds it.
                    highest = keys.iter().map(|key| key.id).fold(after, i64::max);
                    let mut known = self.publish.borrow().understood(begun, keys, self.limit);
                    if after > 0 {
                        self.publish.send_modify(|reading| reading.extend(begun, known));
                    } else {
                        all_read = Some(begun);
                        self.publish.send_modify(|reading| reading.replace(begun, &mut known));
                        self.note_use().await;
                    }
                }
                Err(error) => {
                    let error = reason(&error);
                    if outage.fails(&error) {
                        tracing::warn!(error, "the API keys cannot be read; those known work for a minute");
                    }
                    self.publish.send_modify(|reading| reading.fail(begun, error));
                }
            }
            sleep(AT_MOST_EVERY).await;
            // Either is a reason to read.
            let rest = all_read.map_or(EVERY, |at| EVERY.saturating_sub(at.elapsed()));
            timeout(rest, self.wanted.notified()).await.ok();
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

/// The keys, without those that this version does not understand; of these the log tells once.
fn understood(found: Vec<Result<InForce, StoreError>>, unreadable: &mut Outage) -> Vec<InForce> {
    let mut keys = Vec::with_capacity(found.len());
    for key in found {
        match key {
            Ok(key) => keys.push(key),
            Err(error) => {
                let error = reason(&error);
                if unreadable.fails(&error) {
                    tracing::warn!(error, "an API key is refused, since it cannot be understood");
                }
            }
        }
    }
    keys
}
