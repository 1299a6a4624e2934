//! The one place where statements are made: each within its time, and each told of in the trace that it belongs to.

use super::Value;
use super::connections::{Lent, Session, Transaction};
use super::error::Fault;
use super::summary::Summary;
use crate::traces;
use std::future::Future;
use std::time::Duration;
use tokio_postgres::types::Type;
use tokio_postgres::{GenericClient, Row};
use tracing::Instrument;

/// The longest that one statement may take, on either side of the wire.
const STATEMENT: Duration = Duration::from_secs(8);

/// A server that is there and says nothing (frozen, or its disk is) must not hold anybody for ever.
async fn answered<T>(asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fault> {
    Ok(tokio::time::timeout(STATEMENT, asked).await??)
}

/// As [`answered`], of a statement that a trace tells of.
async fn told<T>(
    sql: &str,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Fault> {
    let span = traces::statement(&Summary(sql));
    let outcome = answered(asked).instrument(span.clone()).await;
    match &outcome {
        Ok(_) => {}
        Err(Fault::Driver(error)) => match error.code() {
            Some(state) => traces::refused(&span, state.code()),
            None => traces::fails(&span, "connection"),
        },
        Err(Fault::Silent(_)) => traces::fails(&span, "timeout"),
    }
    outcome
}

pub(super) async fn query(
    session: &impl Session,
    sql: &str,
    values: &[Value<'_>],
) -> Result<Vec<Row>, Fault> {
    asked(session, sql, async { session.client().query(&session.prepared(sql).await?, values).await }).await
}

pub(super) async fn query_opt(
    session: &impl Session,
    sql: &str,
    values: &[Value<'_>],
) -> Result<Option<Row>, Fault> {
    asked(session, sql, async { session.client().query_opt(&session.prepared(sql).await?, values).await })
        .await
}

pub(super) async fn query_one(session: &impl Session, sql: &str, values: &[Value<'_>]) -> Result<Row, Fault> {
    asked(session, sql, async { session.client().query_one(&session.prepared(sql).await?, values).await })
        .await
}

/// How many rows were hit.
pub(super) async fn execute(session: &impl Session, sql: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
    asked(session, sql, async { session.client().execute(&session.prepared(sql).await?, values).await }).await
}

/// A statement that is planned anew each time, for which way is best depends on the values.
pub(super) async fn query_planned(
    session: &impl Session,
    sql: &str,
    values: &[(Value<'_>, Type)],
) -> Result<Vec<Row>, Fault> {
    asked(session, sql, session.client().query_typed(sql, values)).await
}

/// Statements without values.
pub(super) async fn batch(session: &impl Session, sql: &str) -> Result<(), Fault> {
    asked(session, sql, session.client().batch_execute(sql)).await
}

async fn asked<T>(
    session: &impl Session,
    sql: &str,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Fault> {
    told(sql, session.unanswered().while_asking(asked)).await
}

pub(super) async fn begin(client: &mut Lent) -> Result<Transaction<'_>, Fault> {
    told("begin", client.begin()).await
}

/// A transaction that sees one moment, and only reads.
pub(super) async fn begin_reading(client: &mut Lent) -> Result<Transaction<'_>, Fault> {
    told("begin", client.begin_reading()).await
}

pub(super) async fn commit(transaction: Transaction<'_>) -> Result<(), Fault> {
    let (transaction, unanswered) = transaction.into_parts();
    told("commit", unanswered.while_asking(transaction.commit())).await
}

pub(super) async fn rollback(transaction: Transaction<'_>) -> Result<(), Fault> {
    let (transaction, unanswered) = transaction.into_parts();
    told("rollback", unanswered.while_asking(transaction.rollback())).await
}

/// Asks for a sign of life; no trace is told of it.
pub(super) async fn ping(session: &impl Session) -> Result<(), Fault> {
    let asked = session.client().batch_execute("select 1");
    answered(session.unanswered().while_asking(asked)).await
}
