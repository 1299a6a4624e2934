//! The only SQL. Postgres decides: what is not in a row has not happened.
//!
//! Every transaction that touches an image and its jobs locks the image first and the job second, so that none can wait
//! in a circle. `now()` of Postgres is the only wall clock.

mod announcements;
mod backlog;
mod caption_calls;
mod caption_gaps;
mod caption_permits;
mod captions;
mod conditions;
mod connections;
mod error;
mod events;
mod fill_in;
mod finish;
mod history;
mod images;
mod installation;
mod jobs;
mod keys;
mod list;
mod migrate;
mod named_files;
mod notices;
mod reaper;
mod record;
mod retention;
mod retries;
mod selection;
mod similar;
mod statement;
mod stats;
mod summary;
mod trace;
mod uploads;
mod webhooks;

pub use announcements::{AnnouncementLease, DueJob};
pub use backlog::PoolStatus;
pub use caption_calls::{EndedCall, ProviderVerdict};
pub use caption_gaps::{CaptionGap, CaptionStep};
pub use caption_permits::{CallPermit, Wait, WaitReason, WantedCall};
pub use captions::{AskedAgain, CaptionCall, CaptionOrigin, CaptionRecord, Withdrawn};
pub use error::StoreError;
pub use events::{Change, Event, EventMark, EventPage, Kept};
pub use fill_in::{FillIn, FillInStep, Unfilled};
pub use finish::{Ending, Finish, MadeImage, MadeThumbnail};
pub use history::History;
pub use images::{Deleted, StoredFile};
pub use jobs::{Claim, Lease, Work};
pub use keys::{InForce, KeyRecord, KeyRecorded, KeyRevoked, NewKey};
pub use list::{ListFilter, Page, Position, Sort, SortValue, Span};
pub use named_files::{NamedFile, NamedStep};
pub use notices::{Notice, Notices, Subscription};
pub use record::{ImageRecord, ImageSummary, StageRecord};
pub use retries::{FailedImage, FailedWalk, Retried};
pub use similar::{Similar, SimilarImage, SimilarPosition};
pub use stats::{StageStats, Stats, WebhookStats};
pub use uploads::{NewImage, Recorded};
pub use webhooks::{Delivery, DeliveryAttempt, Replayed};

use crate::settings::Database;
use connections::{Connections, Lent, Pool, Transaction};
use deadpool_postgres::{Runtime, Timeouts};
use error::Doing;
use secrecy::{ExposeSecret, SecretString};
use statement::{
    batch, begin, begin_reading, commit, execute, ping, query, query_one, query_opt, query_planned, rollback,
};
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// A value bound to a statement.
type Value<'a> = &'a (dyn ToSql + Sync);

/// A bounded pool of connections.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    connection: tokio_postgres::Config,
}

impl Store {
    /// Prepares a pool for the database at `url`; connects only when something is asked.
    ///
    /// # Errors
    /// If the URL cannot be understood.
    pub fn new(url: &SecretString, settings: &Database) -> Result<Self, StoreError> {
        let connection = connection(url, settings.wait)?;
        let wait = Some(settings.wait);
        let pool = Pool::builder(Connections::to(connection.clone()))
            .max_size(settings.max_connections)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait, create: wait, recycle: wait })
            .build()
            .map_err(|source| StoreError::Unavailable {
                doing: "preparing the pool",
                source: Box::new(source),
            })?;
        Ok(Self { pool, connection })
    }

    /// Asks Postgres for a sign of life.
    ///
    /// # Errors
    /// If it is away.
    pub async fn check(&self) -> Result<(), StoreError> {
        let client = self.client("checking the connection").await?;
        ping(&client).await.doing("checking the connection")
    }

    async fn client(&self, doing: &'static str) -> Result<Lent, StoreError> {
        self.pool.get().await.doing(doing)
    }
}

/// No statement holds anybody for long: neither while it runs, nor while it waits for a lock.
const LIMITS: &str = "-c statement_timeout=8s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s";

/// Each statement looks up its rows by an index. A planner whose statistics are old (a queue turns over quickly) or missing
/// (after a restore) may take it for cheaper to hash or merge a whole table; so these ways are left for where there is no
/// other. Compiling a short statement takes longer than running it.
const PLANS: &str = "-c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

/// A silent server is noticed by the kernel within `wait`.
fn connection(url: &SecretString, wait: Duration) -> Result<tokio_postgres::Config, StoreError> {
    let mut config: tokio_postgres::Config = url.expose_secret().parse().map_err(StoreError::Url)?;
    let ours = format!("{LIMITS} {PLANS}");
    let options = config.get_options().map_or_else(|| ours.clone(), |own| format!("{ours} {own}"));
    config
        .options(options)
        .application_name("darkroom")
        .connect_timeout(wait)
        .tcp_user_timeout(wait * 2)
        .keepalives_idle(wait * 2)
        .keepalives_interval(wait);
    Ok(config)
}

/// For statements that take the first few rows of a long backlog in the order of its index: without statistics a planner may
/// take the backlog for so short that it reads and sorts all of it. Holds until the transaction ends.
///
/// Only where that index exists: else an order is looked for in a walk over another one.
async fn without_sorting(transaction: &Transaction<'_>, doing: &'static str) -> Result<(), StoreError> {
    execute(transaction, "set local enable_sort = off", &[]).await.doing(doing).map(drop)
}

/// Reads a column whose text this program wrote itself.
fn parsed<T>(row: &Row, table: &'static str, column: &'static str, id: i64) -> Result<T, StoreError>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let unreadable = |source| StoreError::Unreadable { table, column, row: id, source };
    let text: &str = row.try_get(column).map_err(|e| unreadable(Box::new(e)))?;
    text.parse().map_err(|e| unreadable(Box::new(e)))
}
