//! Jobs on their way to the broker.
//!
//! A relay takes due jobs under a short lease of its own (`announce_at` moves into the future), publishes them with no
//! transaction open, and then says how it went. A relay that dies in between delays its jobs by that lease and loses none.

use super::error::Doing;
use super::{
    Store, StoreError, Value, begin, commit, execute, parsed, query, query_opt, trace, without_sorting,
};
use crate::domain::{ImageId, JobId, JobKind, TraceContext};
use std::time::Duration;
use time::OffsetDateTime;

/// A job to be announced.
#[derive(Debug, Clone)]
pub struct DueJob {
    /// The job.
    pub job: JobId,
    /// Its image.
    pub image: ImageId,
    /// Its kind, which is its queue.
    pub kind: JobKind,
    /// How long it has been due.
    pub waited: Duration,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
}

/// The right to say how the announcement of some jobs went.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct AnnouncementLease(OffsetDateTime);

impl Store {
    /// Takes up to `limit` due jobs of a kind that no other relay has in hand, oldest first, for `lease`.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn due_jobs(
        &self,
        kind: JobKind,
        limit: i64,
        lease: Duration,
    ) -> Result<Option<(AnnouncementLease, Vec<DueJob>)>, StoreError> {
        let doing = "looking for due jobs";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        without_sorting(&transaction, doing).await?;
        let sql = format!(
            "update jobs set announce_at = now() + $2 * interval '1 second'
            where id in (
                select id from jobs where {} and announce_at <= now()
                order by announce_at limit $1 for update skip locked)
            returning id, image_id, kind, announce_at, extract(epoch from now() - due_at)::float8 as waited,
                traceparent, tracestate",
            to_announce(kind)
        );
        let rows = query(&transaction, &sql, &[&limit, &lease.as_secs_f64()]).await.doing(doing)?;
        commit(transaction).await.doing(doing)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let lease = AnnouncementLease(first.get("announce_at"));
        let mut jobs = rows.iter().map(due_job).collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by_key(|due| due.job);
        Ok(Some((lease, jobs)))
    }

    /// The broker holds these jobs now. One that was claimed meanwhile is left alone.
    ///
    /// # Errors
    /// If Postgres is away or refuses; the jobs are then announced again, which is harmless.
    pub async fn mark_announced(&self, lease: AnnouncementLease, jobs: &[JobId]) -> Result<(), StoreError> {
        self.end_announcement(
            "marking jobs as announced",
            lease,
            jobs,
            "announce_at = null, announced_at = now()",
        )
        .await
    }

    /// The broker did not take these jobs; they are due again.
    ///
    /// # Errors
    /// If Postgres is away or refuses; the jobs are then due when the lease ends.
    pub async fn release_announcement(
        &self,
        lease: AnnouncementLease,
        jobs: &[JobId],
    ) -> Result<(), StoreError> {
        self.end_announcement("releasing jobs", lease, jobs, "announce_at = now()").await
    }

    async fn end_announcement(
        &self,
        doing: &'static str,
        lease: AnnouncementLease,
        jobs: &[JobId],
        change: &'static str,
    ) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let client = self.client(doing).await?;
        let ids: Vec<i64> = jobs.iter().map(|job| job.get()).collect();
        // Only queued jobs have an `announce_at`. To ask for the state too would lead a planner to the indexes of all that wait.
        let sql = format!("update jobs set {change} where id = any($1) and announce_at = $2");
        execute(&client, &sql, &[&ids, &lease.0]).await.doing(doing).map(drop)
    }

    /// How long until the next job of a kind is due; `None` if none is waiting to be announced.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn next_announcement(&self, kind: JobKind) -> Result<Option<Duration>, StoreError> {
        let doing = "looking for the next due job";
        let client = self.client(doing).await?;
        // Not min(): a planner that expects few rows reads them all for that.
        let sql = format!(
            "select extract(epoch from announce_at - now())::float8 as wait from jobs where {} order by announce_at limit 1",
            to_announce(kind)
        );
        let first = query_opt(&client, &sql, &[]).await.doing(doing)?;
        let wait = first.map(|row| row.get::<_, f64>("wait"));
        Ok(wait.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
    }

    /// Announces again what was announced more than `age` ago, was not claimed, and which the queue cannot hold any more:
    /// because the queue is empty, or because jobs announced `age` later are already running, and a queue keeps its order.
    ///
    /// A backlog that is merely waiting is thus never multiplied, however old it is.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn reannounce(
        &self,
        kind: JobKind,
        queue_is_empty: bool,
        age: Duration,
    ) -> Result<u64, StoreError> {
        let doing = "announcing lost jobs again";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        without_sorting(&transaction, doing).await?;
        let sql = "
            update jobs set announce_at = now()
            where id in (
                select id from jobs
                where kind = $1 and state = 'queued' and announce_at is null
                  and announced_at < case when $2 then now() else (
                      select max(announced_at) from jobs where state = 'running' and kind = $1
                  ) end - $3 * interval '1 second'
                order by announced_at limit 1000 for update skip locked)";
        let values: [Value<'_>; 3] = [&kind.as_str(), &queue_is_empty, &age.as_secs_f64()];
        let found = execute(&transaction, sql, &values).await.doing(doing)?;
        commit(transaction).await.doing(doing)?;
        Ok(found)
    }

    /// Announces all jobs of a kind again: for a carrier that forgets when its process ends, and that no other process shares.
    ///
    /// In parts, so that no backlog is too long for one statement; each part takes its rows out of the index that the next
    /// one begins to read.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn reannounce_all(&self, kind: JobKind) -> Result<(), StoreError> {
        let doing = "announcing all jobs again";
        let client = self.client(doing).await?;
        let announced = "
            update jobs set announce_at = due_at
            where id in (
                select id from jobs where kind = $1 and state = 'queued' and announce_at is null limit 5000)";
        while execute(&client, announced, &[&kind.as_str()]).await.doing(doing)? > 0 {}
        // What the relay had in hand at the end is a batch.
        let in_hand = "
            update jobs set announce_at = due_at
            where kind = $1 and state = 'queued' and announce_at > now() and due_at <= now()";
        execute(&client, in_hand, &[&kind.as_str()]).await.doing(doing).map(drop)
    }
}

/// The condition of the index of a kind, word for word: a kind that is a value of the statement would not be known when the
/// statement is planned.
pub(super) fn to_announce(kind: JobKind) -> String {
    format!("kind = '{kind}' and state = 'queued' and announce_at is not null")
}

fn due_job(row: &tokio_postgres::Row) -> Result<DueJob, StoreError> {
    let id = row.get("id");
    Ok(DueJob {
        job: JobId::new(id),
        image: ImageId::new(row.get("image_id")),
        kind: parsed(row, "jobs", "kind", id)?,
        waited: Duration::try_from_secs_f64(row.get("waited")).unwrap_or_default(),
        trace: trace::read(row),
    })
}
