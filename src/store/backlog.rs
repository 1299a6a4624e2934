//! How much work waits, for those who watch over it.

use super::announcements::to_announce;
use super::error::Doing;
use super::{Store, StoreError, begin_reading, commit, parsed, query, without_sorting};
use crate::domain::{Backlog, JobKind};
use std::time::Duration;

/// Jobs of a kind and of a state that are counted at the most. A backlog beyond it is long, whatever its exact length.
const COUNTED: u32 = 100_000;

/// No relay holds jobs for as long before it lets go of them, or another takes them.
const IN_HAND: &str = "interval '1 minute'";

/// What the pool of connections is doing.
#[derive(Debug, Clone, Copy)]
pub struct PoolStatus {
    /// Connections that it holds.
    pub open: usize,
    /// Of these, lent to nobody.
    pub idle: usize,
    /// Those who wait for one.
    pub waiting: usize,
    /// As many as it may hold.
    pub most: usize,
}

impl Store {
    /// What waits, by kind. Reads entries of indexes, as many as are counted.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        let doing = "counting what waits";
        let mut client = self.client(doing).await?;
        let transaction = begin_reading(&mut client).await.doing(doing)?;
        without_sorting(&transaction, doing).await?;
        let sql = JobKind::ALL.iter().map(|kind| of_kind(*kind)).collect::<Vec<_>>().join(" union all ");
        let rows = query(&transaction, &sql, &[]).await.doing(doing)?;
        commit(transaction).await.doing(doing)?;
        let backlog = |row: &tokio_postgres::Row| {
            let in_hand: i64 = row.get("in_hand");
            Ok(Backlog {
                kind: parsed(row, "jobs", "kind", 0)?,
                announced: row.get("announced"),
                unannounced: row.get::<_, i64>("unannounced") + in_hand,
                postponed: row.get::<_, i64>("later") - in_hand,
                // Negative only if the clock of the database was set back.
                oldest: Duration::try_from_secs_f64(row.get("oldest")).unwrap_or_default(),
            })
        };
        rows.iter().map(backlog).collect()
    }

    /// What the pool is doing at this moment.
    #[must_use]
    pub fn pool_status(&self) -> PoolStatus {
        let status = self.pool.status();
        PoolStatus {
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
            most: status.max_size,
        }
    }
}

/// Each part in the order of its index and with an end: else a planner without statistics reads the whole table.
fn of_kind(kind: JobKind) -> String {
    let announced = format!("from jobs where kind = '{kind}' and state = 'queued' and announce_at is null");
    let queued = to_announce(kind);
    let unannounced = format!("from jobs where {queued} and announce_at <= now()");
    let later = format!("from jobs where {queued} and announce_at > now()");
    // What a relay has in hand is announced later by its row, and is due.
    let in_hand = format!("{later} and announce_at <= now() + {IN_HAND} and due_at <= now()");
    let count = |part: &str, order: &str| {
        format!("(select count(*) from (select {part} order by {order} limit {COUNTED}) as counted)")
    };
    let oldest = |part: &str, order: &str| format!("(select due_at {part} order by {order} limit 1)");
    format!(
        "select '{kind}' as kind, {} as announced, {} as unannounced, {} as later, {} as in_hand,
            coalesce(extract(epoch from now() - least({}, {}, {})), 0)::float8 as oldest",
        count(&announced, "announced_at"),
        count(&unannounced, "announce_at"),
        count(&later, "announce_at"),
        count(&in_hand, "announce_at"),
        oldest(&announced, "announced_at"),
        oldest(&unannounced, "announce_at"),
        oldest(&in_hand, "announce_at"),
    )
}
