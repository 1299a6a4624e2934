//! Who may call, what for, and how often.
//!
//! | key | kept in | permits |
//! |---|---|---|
//! | of the settings (`auth.key_hashes`) | each process | everything, however often; it works without a database row |
//! | of the table (`--new-key`) | Postgres, by its digest | its scopes, until it expires or is revoked |

mod keyring;
mod meter;
mod reading;
mod secret;

pub use keyring::Unread;
pub use meter::Allowance;
pub use secret::ApiKey;

use crate::domain::{Caller, Scope, Scopes, Sha256};
use crate::settings::{AuthMode, Settings};
use crate::store::Store;
use keyring::Keyring;
use meter::Meter;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use subtle::ConstantTimeEq;
use tokio_util::sync::CancellationToken;

/// Decides about requests.
#[derive(Clone)]
pub struct Access(Asked);

/// Who is asked for a key.
#[derive(Clone)]
enum Asked {
    Nobody(Arc<Identity>),
    Everybody(Arc<Guard>),
}

struct Guard {
    configured: Vec<(Sha256, Arc<Identity>)>,
    table: Keyring,
}

/// A caller who was let in.
pub struct Identity {
    /// Who it is.
    pub caller: Caller,
    scopes: Scopes,
    /// 0: no limit.
    requests_per_minute: u32,
    usage: Arc<Usage>,
}

/// What this process has seen of a key.
#[derive(Debug, Default)]
struct Usage {
    meter: Mutex<Meter>,
    /// Since it was last told to the database.
    used: AtomicBool,
}

/// Why a caller was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// No key, or one that is wrong, revoked or expired: which of them is nobody's business.
    Unknown,
    /// The database is away, and without it nobody can tell.
    Untold,
}

impl Access {
    /// As the settings say. With keys, those of the table are read from `store`, again and again until `stop`.
    #[must_use]
    pub fn start(store: &Store, settings: &Settings, stop: CancellationToken) -> Self {
        let (auth, limit) = (&settings.auth, settings.limits.requests_per_minute);
        if auth.mode != AuthMode::Keys {
            return Self(Asked::Nobody(Identity::new(Caller::Anyone, Scopes::all(), 0, Arc::default())));
        }
        let configured = auth.key_hashes.iter().map(|hash| {
            let digest = Sha256::new(*hash.digest());
            // No name of a key in the table has brackets. By its digest, since a place in a list is another's after a change.
            let name = format!("auth.key_hashes[{:.8}]", digest.to_string());
            let caller = Caller::Holder { name: name.into(), digest };
            // For a start or an emergency, in which nobody wants to be told to wait.
            (digest, Identity::new(caller, Scopes::all(), 0, Arc::default()))
        });
        let configured = Vec::from_iter(configured);
        let table = Keyring::start(store.clone(), limit, configured.is_empty(), stop);
        Self(Asked::Everybody(Arc::new(Guard { configured, table })))
    }

    /// Whether callers have to show a key.
    #[must_use]
    pub const fn asks_for_keys(&self) -> bool {
        matches!(self.0, Asked::Everybody(_))
    }

    /// Whether the keys of the table are known.
    ///
    /// # Errors
    /// If they are not, or have not been read for so long that they grant nothing any more.
    pub fn check(&self) -> Result<(), Unread> {
        match &self.0 {
            Asked::Nobody(_) => Ok(()),
            Asked::Everybody(guard) => guard.table.check(),
        }
    }

    /// Who sends this key. Where no keys are asked for, it is not looked at.
    ///
    /// # Errors
    /// If it is nobody's, or nobody can tell. Answers within some seconds, whatever the database does.
    pub async fn identify(&self, sent: Option<&str>) -> Result<Arc<Identity>, Stranger> {
        let guard = match &self.0 {
            Asked::Nobody(anyone) => return Ok(anyone.clone()),
            Asked::Everybody(guard) => guard,
        };
        let sent = sent.ok_or(Stranger::Unknown)?;
        let digest = secret::digest(sent);
        if let Some(identity) = guard.configured(&digest) {
            return Ok(identity);
        }
        // What was not made here needs no look at the table.
        if !secret::has_form(sent) {
            return Err(Stranger::Unknown);
        }
        guard.in_table(&digest).await
    }

    /// Whether a caller who was let in some time ago still would be. While nobody can tell, it stays at that.
    pub async fn still_admits(&self, caller: &Caller) -> bool {
        let (Asked::Everybody(guard), Caller::Holder { digest, .. }) = (&self.0, caller) else { return true };
        guard.configured(digest).is_some() || !matches!(guard.in_table(digest).await, Err(Stranger::Unknown))
    }
}

impl Guard {
    async fn in_table(&self, digest: &Sha256) -> Result<Arc<Identity>, Stranger> {
        let identity = self.table.find(digest).await?;
        identity.usage.used.store(true, Ordering::Relaxed);
        Ok(identity)
    }

    /// Compared in constant time, each of them: the time tells neither how much of a digest was right nor which one was
    /// meant. These keys may have been thought of by people, who can be guessed from a part of a digest.
    fn configured(&self, sent: &Sha256) -> Option<Arc<Identity>> {
        let same = |digest: &Sha256| bool::from(digest.as_bytes().ct_eq(sent.as_bytes()));
        let found = self.configured.iter().fold(None, |found, (digest, identity)| match same(digest) {
            true => Some(identity),
            false => found,
        });
        found.cloned()
    }
}

impl Identity {
    fn new(caller: Caller, scopes: Scopes, requests_per_minute: u32, usage: Arc<Usage>) -> Arc<Self> {
        Arc::new(Self { caller, scopes, requests_per_minute, usage })
    }

    /// Whether this caller may do what needs `scope`.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.permit(scope)
    }

    /// Counts a request; `None` where there is no limit.
    #[must_use]
    pub fn spend(&self) -> Option<Allowance> {
        let limit = Some(self.requests_per_minute).filter(|limit| *limit > 0)?;
        let mut meter = self.usage.meter.lock().unwrap_or_else(PoisonError::into_inner);
        Some(meter.spend(limit, Instant::now()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.caller, self.scopes)
    }
}
