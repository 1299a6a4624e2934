//! Connections to Postgres, lent by a pool.

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::{ClientWrapper, ManagerConfig, RecyclingMethod};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_postgres::{Error, GenericClient, IsolationLevel, NoTls, Statement};

/// A connection that was lent last longer ago is asked for a sign of life before it is lent again: what lies between us and the
/// server may have forgotten it.
const RESTED: Duration = Duration::from_secs(1);

/// Makes connections, and looks at those that come back.
pub(super) struct Connections(deadpool_postgres::Manager);

/// Connections that are lent to one at a time.
pub(super) type Pool = managed::Pool<Connections>;

/// Why no connection was to be had.
pub(super) type PoolError = managed::PoolError<Error>;

/// A connection in somebody's hands.
pub(super) type Lent = managed::Object<Connections>;

/// A connection, and what it still owes.
pub(super) struct Connection {
    client: ClientWrapper,
    unanswered: Unanswered,
}

/// How many statements were not answered well: they were refused, their time was over, or whoever asked is gone.
#[derive(Debug, Default)]
pub(super) struct Unanswered(AtomicUsize);

/// A transaction; dropped, it is rolled back.
pub(super) struct Transaction<'c> {
    inner: deadpool_postgres::Transaction<'c>,
    unanswered: &'c Unanswered,
}

/// What statements are sent by: a connection, or a transaction on it.
pub(super) trait Session: Sync {
    /// The driver's side of it.
    type Client: GenericClient + Sync;

    fn client(&self) -> &Self::Client;

    fn unanswered(&self) -> &Unanswered;

    /// A statement that is prepared once for each connection.
    fn prepared(&self, sql: &str) -> impl Future<Output = Result<Statement, Error>> + Send;
}

impl Connections {
    pub(super) fn to(server: tokio_postgres::Config) -> Self {
        let verified = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        Self(deadpool_postgres::Manager::from_config(server, NoTls, verified))
    }
}

impl managed::Manager for Connections {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection, Error> {
        let client = managed::Manager::create(&self.0).await?;
        Ok(Connection { client, unanswered: Unanswered::default() })
    }

    /// Nobody shall wait behind a statement that was given up, so a connection that owes an answer is not lent before it came.
    /// Nor is one whose last answer was an error before it has shown that it lives: it may have been the server's last word.
    /// One that has answered well, and just now, needs not be asked: that would be a second trip each time it is lent. (A
    /// rollback that nobody waited for is answered in its turn, before what comes next.)
    async fn recycle(&self, connection: &mut Connection, metrics: &Metrics) -> RecycleResult<Error> {
        let Connection { client, unanswered } = connection;
        if client.is_closed() {
            return Err(RecycleError::message("it was closed"));
        }
        if unanswered.any() || metrics.last_used() > RESTED {
            managed::Manager::recycle(&self.0, client, metrics).await?;
            *unanswered = Unanswered::default();
        }
        Ok(())
    }

    fn detach(&self, connection: &mut Connection) {
        managed::Manager::detach(&self.0, &mut connection.client);
    }
}

impl Connection {
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        let Self { client, unanswered } = self;
        Ok(Transaction { inner: unanswered.while_asking(client.transaction()).await?, unanswered })
    }

    /// A transaction that sees one moment, and only reads.
    pub(super) async fn begin_reading(&mut self) -> Result<Transaction<'_>, Error> {
        let Self { client, unanswered } = self;
        let moment =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        Ok(Transaction { inner: unanswered.while_asking(moment.start()).await?, unanswered })
    }
}

impl Unanswered {
    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Counts what is asked until it is answered well; if it never is, until the connection has shown that it lives.
    pub(super) async fn while_asking<T>(
        &self,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let answer = asked.await?;
        self.0.fetch_sub(1, Ordering::Relaxed);
        Ok(answer)
    }
}

impl Session for Lent {
    type Client = tokio_postgres::Client;

    fn client(&self) -> &Self::Client {
        &self.client
    }

    fn unanswered(&self) -> &Unanswered {
        &self.unanswered
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, Error> {
        self.client.prepare_cached(sql).await
    }
}

impl<'c> Transaction<'c> {
    /// The driver's side of it, to be ended, and where to count that.
    pub(super) fn into_parts(self) -> (deadpool_postgres::Transaction<'c>, &'c Unanswered) {
        (self.inner, self.unanswered)
    }
}

impl<'c> Session for Transaction<'c> {
    type Client = tokio_postgres::Transaction<'c>;

    fn client(&self) -> &Self::Client {
        &self.inner
    }

    fn unanswered(&self) -> &Unanswered {
        self.unanswered
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, Error> {
        self.inner.prepare_cached(sql).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// Whether an answer is owed once this was asked as well.
    fn owed(unanswered: &Unanswered, asked: impl Future<Output = Result<(), Error>>) -> bool {
        unanswered.while_asking(asked).now_or_never();
        unanswered.any()
    }

    #[test]
    fn an_answer_is_owed_unless_it_came_and_was_good() {
        let refused = || "no url".parse::<tokio_postgres::Config>().map(drop);
        let (good, given_up, bad) = <[Unanswered; 3]>::default().into();
        assert!(!owed(&good, std::future::ready(Ok(()))));
        assert!(owed(&given_up, std::future::pending()));
        assert!(owed(&bad, std::future::ready(refused())));
        assert!(owed(&bad, std::future::ready(Ok(()))), "another answer does not settle it");
    }
}
