//! What can go wrong with the database, told apart by SQLSTATE and never by text.

use super::connections::PoolError;
use tokio_postgres::error::SqlState;

/// A failed read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres cannot be reached, is shutting down, has no connection left, or took too long. It may pass. A write may
    /// or may not have happened.
    #[error("postgres is away while {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Postgres refused the statement: it did not happen, and repeating it would not help.
    #[error("postgres refused {doing}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// Why, with table, column and constraint.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A row holds what this program could not have written.
    #[error("{table}.{column} of row {row} cannot be understood")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        row: i64,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A search in names took too long. Another, or one with more conditions, may not.
    #[error("the search took too long")]
    SearchTooLong,
    /// The migrations cannot be applied.
    #[error("the migrations cannot be applied")]
    Migration(#[source] refinery::Error),
    /// A later version of this program has migrated the database. Those that run go on; to start with it would be a risk.
    #[error(
        "the schema of the database is newer than this program, which does not know {migration}; start the version that \
         applied it, or a later one"
    )]
    Newer {
        /// The first migration that is not known here.
        migration: String,
    },
    /// The database has migrations that come after one that it lacks. No release does that.
    #[error(
        "the database lacks {migration} and has later migrations: a build between two releases made it so; make the \
         database anew, or restore a copy from before"
    )]
    Gap {
        /// The first migration that is lacking.
        migration: String,
    },
    /// The URL cannot be understood. Its text is not repeated, since it holds a password.
    #[error("database.url cannot be understood")]
    Url(#[source] tokio_postgres::Error),
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::SearchTooLong)
    }

    /// Whether a process may wait for it to be mended. Besides what is transient: a login that is refused, a database or a
    /// table that is not there, a privilege that is lacking; an operator can grant each of them meanwhile.
    #[must_use]
    pub fn may_be_mended(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
                return may_pass(error) || error.code().is_some_and(is_denied);
            }
            cause = error.source();
        }
        self.is_transient()
    }
}

/// What the driver says, or that nothing was said in time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Driver(#[from] tokio_postgres::Error),
    #[error("no answer in time")]
    Silent(#[from] tokio::time::error::Elapsed),
}

impl Fault {
    pub(super) fn is(&self, state: &SqlState) -> bool {
        matches!(self, Self::Driver(error) if error.code() == Some(state))
    }

    pub(super) fn while_doing(self, doing: &'static str) -> StoreError {
        match self {
            Self::Driver(source) if !may_pass(&source) => StoreError::Refused { doing, source },
            passing => StoreError::Unavailable { doing, source: Box::new(passing) },
        }
    }
}

/// Names what was being done when a driver's error arose.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, Fault> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|fault| fault.while_doing(doing))
    }
}

impl<T> Doing<T> for Result<T, PoolError> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::Unavailable {
            doing,
            source: match error {
                PoolError::Backend(source) => Box::new(source),
                other => Box::new(other),
            },
        })
    }
}

/// Appendix A of the PostgreSQL manual: by class where a whole class is about the server's state.
fn may_pass(error: &tokio_postgres::Error) -> bool {
    let Some(state) = error.code() else {
        // No answer from the server: the connection is gone.
        return error.is_closed() || error.as_db_error().is_none();
    };
    let class = state.code().get(..2).unwrap_or_default();
    // 08 connection, 40 rolled back (deadlock, serialization), 53 out of resources, 58 system error.
    matches!(class, "08" | "40" | "53" | "58")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::QUERY_CANCELED,
            SqlState::LOCK_NOT_AVAILABLE,
            // After a failover, until the connection reaches the new primary.
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(state)
}

/// 28 invalid authorization, 3D no such database, 42501 insufficient privilege, 42P01 no such table, 55000 the database takes no connections.
fn is_denied(state: &SqlState) -> bool {
    matches!(state.code().get(..2), Some("28" | "3D"))
        || [
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::UNDEFINED_TABLE,
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        ]
        .contains(state)
}
