//! How many descriptors the process may have, and how many connections that makes.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process opens beside connections: the pool, the broker, a few files, the sockets it listens on.
const OWN: u64 = 64;

/// A connection has its socket, and may have a file in hand: an upload, or an original on its way out.
const EACH: u64 = 2;

/// Raises the soft limit of descriptors to what `connections` need, as far as the hard limit allows. Most systems give a
/// process 1,024 and let it have more if it asks; nothing here hands descriptors to `select`, for which that is.
pub fn raise(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let needed = OWN + EACH * connections as u64;
    let current = limit.current.unwrap_or(u64::MAX);
    let allowed = needed.min(limit.maximum.unwrap_or(u64::MAX));
    if allowed > current {
        // If it is refused, the connections are bounded by what there is.
        setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum: limit.maximum }).ok();
    }
}

/// As many of `wanted` as there are descriptors for, so that no request in hand fails for want of one.
pub(super) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let possible = usize::try_from(limit.saturating_sub(OWN) / EACH).unwrap_or(usize::MAX).max(1);
    if possible < wanted {
        tracing::info!(
            limit,
            wanted,
            possible,
            "the limit of open files (ulimit -n) allows fewer connections than limits.max_connections"
        );
    }
    wanted.min(possible)
}
