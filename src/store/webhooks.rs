//! The log of deliveries, and telling it all again.

use super::connections::{Session, Transaction};
use super::error::Doing;
use super::trace::Trace;
use super::{Store, StoreError, Value, begin, commit, execute, parsed, query, query_opt};
use crate::domain::{CallbackUrl, ImageId, JobId, JobState};
use serde::Deserialize;
use std::time::Duration;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

/// Deliveries of one image that are shown, the newest ones.
const SHOWN: i64 = 50;

/// Attempts of one delivery that are shown, the newest ones.
const SHOWN_ATTEMPTS: i64 = 20;

/// Deliveries of one event that are kept beside the one that is under way: whoever replays it for ever fills no table.
const KEPT: i64 = 20;

/// One job that tells of one event.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The job.
    pub job: JobId,
    /// Known to the receiver; the same for all deliveries of an event.
    pub message_id: String,
    /// `image.success` or `image.failed`.
    pub event_type: String,
    /// Who is told.
    pub url: CallbackUrl,
    /// Where it stands.
    pub state: JobState,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it is tried next, if it waits.
    pub due_at: Option<OffsetDateTime>,
    /// The newest attempts that ended, in their order.
    pub attempts: Vec<DeliveryAttempt>,
}

/// One call, as it was logged.
#[derive(Debug, Clone, Deserialize)]
pub struct DeliveryAttempt {
    /// Its number, from 1.
    pub attempt: i32,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub finished_at: OffsetDateTime,
    /// How long it took, in milliseconds.
    pub run_ms: f64,
    /// The status of the answer, if there was one.
    pub http_status: Option<i32>,
    /// How the body of the answer begins.
    pub answer: Option<String>,
    /// The code of the failure, if it failed.
    pub error_code: Option<String>,
    /// A sentence to it.
    pub error: Option<String>,
}

/// What became of a wish to have an event told again.
#[derive(Debug, Clone)]
#[must_use]
pub enum Replayed {
    /// A new delivery waits.
    Queued(Box<Delivery>),
    /// One is under way.
    StillTried,
    /// There is no such image, or it has no such delivery.
    NoSuchDelivery,
}

/// The columns of a delivery; `j` is the job, `e` the event, `$2` how many attempts.
const DELIVERY: &str = "
    j.id, j.state, j.created_at, case j.state when 'queued' then j.due_at end as due_at, e.message_id, e.type, e.url,
    (select coalesce(jsonb_agg(to_jsonb(a) order by a.attempt), '[]') from (
        select attempt, finished_at, run_ms, http_status, answer, error_code, error
        from webhook_attempts where job_id = j.id order by attempt desc limit $2
    ) a) as attempts";

impl Store {
    /// Who a job tells; `None` if it tells nobody now: it is not due, in other hands, done, or gone.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn receiver(&self, job: JobId) -> Result<Option<CallbackUrl>, StoreError> {
        let doing = "looking for the receiver of a webhook";
        let client = self.client(doing).await?;
        let sql = "
            select e.url from jobs j join webhook_events e on e.id = j.event_id
            where j.id = $1 and j.state = 'queued' and j.due_at <= now()";
        let found = query_opt(&client, sql, &[&job.get()]).await.doing(doing)?;
        found.map(|row| parsed(&row, "webhook_events", "url", job.get())).transpose()
    }

    /// Puts a job that nobody has claimed off by `wait`. It is announced then, and no attempt is counted.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not have happened, and may be repeated) or refuses.
    pub async fn postpone(&self, job: JobId, wait: Duration) -> Result<(), StoreError> {
        let doing = "putting a job off";
        let client = self.client(doing).await?;
        let sql = "
            with postponed as (
                update jobs set announced_at = null,
                    due_at = now() + $2 * interval '1 second', announce_at = now() + $2 * interval '1 second'
                where id = $1 and state = 'queued' and due_at <= now()
                returning kind)
            select pg_notify('darkroom_jobs', kind) from postponed";
        query_opt(&client, sql, &[&job.get(), &wait.as_secs_f64()]).await.doing(doing).map(drop)
    }

    /// The newest deliveries of an image, newest first; `None` if there is no such image.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn deliveries(&self, image: ImageId) -> Result<Option<Vec<Delivery>>, StoreError> {
        let doing = "reading deliveries";
        let client = self.client(doing).await?;
        let sql = format!(
            "select {DELIVERY} from jobs j join webhook_events e on e.id = j.event_id
             where j.image_id = $1 and j.kind = 'webhook' order by j.id desc limit $3"
        );
        let values: [Value<'_>; 3] = [&image.get(), &SHOWN_ATTEMPTS, &SHOWN];
        let rows = query(&client, &sql, &values).await.doing(doing)?;
        if rows.is_empty() {
            let sql = "select 1 from images where id = $1";
            let there = query_opt(&client, sql, &[&image.get()]).await.doing(doing)?;
            return Ok(there.map(|_| Vec::new()));
        }
        rows.iter().map(delivery).collect::<Result<_, _>>().map(Some)
    }

    /// Queues another delivery of the event that `of` told, or tried to tell.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not have happened, and may be repeated), refuses, or holds what cannot be
    /// understood.
    pub async fn replay(&self, image: ImageId, of: JobId) -> Result<Replayed, StoreError> {
        let doing = "replaying a delivery";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        let lock = "select 1 from images where id = $1 for no key update";
        let there = query_opt(&transaction, lock, &[&image.get()]).await.doing(doing)?;
        let sql = "select event_id from jobs where id = $1 and image_id = $2 and kind = 'webhook'";
        let known = query_opt(&transaction, sql, &[&of.get(), &image.get()]).await.doing(doing)?;
        let (Some(_), Some(known)) = (there, known) else { return Ok(Replayed::NoSuchDelivery) };
        let event: i64 = known.get("event_id");
        let sql = "
            insert into jobs (image_id, kind, event_id, traceparent, tracestate) values ($1, 'webhook', $2, $3, $4)
            on conflict do nothing
            returning id, pg_notify('darkroom_jobs', 'webhook')";
        let trace = Trace::current();
        let values: [Value<'_>; 4] = [&image.get(), &event, &trace.traceparent, &trace.tracestate];
        let queued = match query_opt(&transaction, sql, &values).await {
            Ok(Some(queued)) => queued,
            Ok(None) => return Ok(Replayed::StillTried),
            // The event was forgotten a moment ago.
            Err(fault) if fault.is(&SqlState::FOREIGN_KEY_VIOLATION) => return Ok(Replayed::NoSuchDelivery),
            Err(fault) => return Err(fault.while_doing(doing)),
        };
        let sql = "
            delete from jobs where id in (
                select id from jobs where event_id = $1 and finished_at is not null order by id desc offset $2)";
        execute(&transaction, sql, &[&event, &KEPT]).await.doing(doing)?;
        let queued = by_id(&transaction, JobId::new(queued.get("id"))).await?;
        commit(transaction).await.doing(doing)?;
        Ok(queued.map_or(Replayed::NoSuchDelivery, |queued| Replayed::Queued(Box::new(queued))))
    }
}

/// Queues another delivery of what each of these images, which are locked, has told last, where that has failed.
pub(super) async fn replay_last(
    transaction: &Transaction<'_>,
    images: &[i64],
) -> Result<Vec<ImageId>, StoreError> {
    let sql = "
        with queued as (
            insert into jobs (image_id, kind, event_id)
            select last.image_id, 'webhook', last.event_id
            from unnest($1::bigint[]) as image (id)
            cross join lateral (
                select image_id, event_id, state from jobs where image_id = image.id and kind = 'webhook'
                order by id desc limit 1) last
            where last.state = 'failed' order by image.id
            on conflict do nothing returning image_id)
        select image_id, pg_notify('darkroom_jobs', 'webhook') from queued";
    let rows = query(transaction, sql, &[&images]).await.doing("replaying webhooks")?;
    Ok(rows.iter().map(|row| ImageId::new(row.get("image_id"))).collect())
}

async fn by_id(client: &impl Session, job: JobId) -> Result<Option<Delivery>, StoreError> {
    let sql =
        format!("select {DELIVERY} from jobs j join webhook_events e on e.id = j.event_id where j.id = $1");
    let found = query_opt(client, &sql, &[&job.get(), &SHOWN_ATTEMPTS]).await.doing("reading a delivery")?;
    found.as_ref().map(delivery).transpose()
}

fn delivery(row: &Row) -> Result<Delivery, StoreError> {
    let id = row.get("id");
    let attempts = serde_json::from_value(row.get("attempts")).map_err(|source| StoreError::Unreadable {
        table: "webhook_attempts",
        column: "finished_at",
        row: id,
        source: Box::new(source),
    })?;
    Ok(Delivery {
        job: JobId::new(id),
        message_id: row.get("message_id"),
        event_type: row.get("type"),
        url: parsed(row, "webhook_events", "url", id)?,
        state: parsed(row, "jobs", "state", id)?,
        created_at: row.get("created_at"),
        due_at: row.get("due_at"),
        attempts,
    })
}
