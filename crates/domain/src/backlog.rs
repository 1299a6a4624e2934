//! How much work waits.

use super::JobKind;
use std::time::Duration;

/// Jobs of one kind that no worker has in hand.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// Their kind.
    pub kind: JobKind,
    /// Due, and with the broker; of more than 100,000, these.
    pub announced: i64,
    /// Due, and not with the broker; of more than 100,000, these.
    pub unannounced: i64,
    /// Not due yet; of more than 100,000, these.
    pub postponed: i64,
    /// How long the one at the head of the queue, or else of those that are to be announced, has been due.
    pub oldest: Duration,
}
