//! The one place where statements are made: each within its time, and each told of in the trace that it belongs to.

use super::Value;
use super::error::Fault;
use super::summary::Summary;
use crate::traces;
use deadpool_postgres::{GenericClient, Object, Transaction};
use std::future::Future;
use std::time::Duration;
use tokio_postgres::Row;
use tracing::Instrument;

/// The longest that one statement may take, on either side of the wire.
const STATEMENT: Duration = Duration::from_secs(8);

/// A server that is there and says nothing (frozen, or its disk is) must not hold anybody for ever. The connection is not
/// lent again before it has answered.
pub(super) async fn answered<T>(
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Fault> {
    Ok(tokio::time::timeout(STATEMENT, asked).await??)
}

/// As [`answered`], of a statement that a trace tells of.
pub(super) async fn told<T>(
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
    client: &impl GenericClient,
    sql: &str,
    values: &[Value<'_>],
) -> Result<Vec<Row>, Fault> {
    told(sql, async { client.query(&client.prepare_cached(sql).await?, values).await }).await
}

pub(super) async fn query_opt(
    client: &impl GenericClient,
    sql: &str,
    values: &[Value<'_>],
) -> Result<Option<Row>, Fault> {
    told(sql, async { client.query_opt(&client.prepare_cached(sql).await?, values).await }).await
}

pub(super) async fn query_one(
    client: &impl GenericClient,
    sql: &str,
    values: &[Value<'_>],
) -> Result<Row, Fault> {
    told(sql, async { client.query_one(&client.prepare_cached(sql).await?, values).await }).await
}

/// How many rows were hit.
pub(super) async fn execute(
    client: &impl GenericClient,
    sql: &str,
    values: &[Value<'_>],
) -> Result<u64, Fault> {
    told(sql, async { client.execute(&client.prepare_cached(sql).await?, values).await }).await
}

pub(super) async fn begin(client: &mut Object) -> Result<Transaction<'_>, Fault> {
    told("begin", client.transaction()).await
}

pub(super) async fn commit(transaction: Transaction<'_>) -> Result<(), Fault> {
    told("commit", transaction.commit()).await
}
