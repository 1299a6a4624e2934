//! Jobs whose worker vanished, and the kept counts.

use super::error::Doing;
use super::jobs::lease;
use super::{Lease, Store, StoreError, Value, execute, query, query_one};
use crate::domain::{FailureCode, JobKind};

/// A tenth of a second's work.
const FOLDED_AT_ONCE: i64 = 20_000;

impl Store {
    /// Ends all leases, for whoever knows that nobody else can hold one: the owner of a private database, when it starts.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn expire_leases(&self) -> Result<u64, StoreError> {
        let doing = "ending the leases of a process that is gone";
        let client = self.client(doing).await?;
        execute(&client, "update jobs set lease_until = now() where state = 'running'", &[])
            .await
            .doing(doing)
    }

    /// Queues again up to 100 jobs of a kind whose lease ran out and that have an attempt left. From the second time on they are
    /// spread over some seconds: if one of them kills its worker, it shall not take the same bystanders along each time.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn requeue_expired(&self, kind: JobKind, max_attempts: u32) -> Result<Vec<Lease>, StoreError> {
        let doing = "queueing jobs with an expired lease";
        let client = self.client(doing).await?;
        let sql = "
            with spread as (
                select id, attempt, claimed_at, now() + (attempt - 1) * random() * interval '10 seconds' as due from jobs
                where state = 'running' and kind = $1 and lease_until < now() and attempt < $2
                order by lease_until limit 100 for update skip locked),
            lost as (
                insert into webhook_attempts (job_id, attempt, error_code, error, queue_ms, run_ms)
                select id, attempt, $3, 'the worker vanished; the call may have arrived', 0,
                    extract(epoch from now() - claimed_at) * 1000
                from spread where $1 = 'webhook')
            update jobs set state = 'queued', lease_until = null, announced_at = null, due_at = due, announce_at = due
            from spread where jobs.id = spread.id
            returning jobs.id, image_id, jobs.attempt, kind, 0::float8 as waited";
        let (kind, lost) = (kind.as_str(), FailureCode::WorkerLost.as_str());
        let values: [Value<'_>; 3] = [&kind, &bounded(max_attempts), &lost];
        let rows = query(&client, sql, &values).await.doing(doing)?;
        rows.iter().map(lease).collect()
    }

    /// Up to 100 jobs of a kind whose lease ran out in their last attempt, as leases to be given up.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn expired_for_good(&self, kind: JobKind, max_attempts: u32) -> Result<Vec<Lease>, StoreError> {
        let doing = "looking for jobs that lost their last worker";
        let client = self.client(doing).await?;
        let sql = "
            select id, image_id, attempt, kind, extract(epoch from claimed_at - due_at)::float8 as waited from jobs
            where state = 'running' and kind = $1 and lease_until < now() and attempt >= $2
            order by lease_until limit 100";
        let rows = query(&client, sql, &[&kind.as_str(), &bounded(max_attempts)]).await.doing(doing)?;
        rows.iter().map(lease).collect()
    }

    /// Adds up to 20,000 appended changes to the kept counts; one statement, so no count is ever seen twice or not at all.
    /// The answer is whether there may be more.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn fold_tallies(&self) -> Result<bool, StoreError> {
        let doing = "folding the tallies";
        let client = self.client(doing).await?;
        let sql = "
            with folded as (
                delete from tally_deltas where id in (
                    select id from tally_deltas order by id limit $1 for update skip locked)
                returning name, n
            ), added as (
                insert into tallies (name, n) select name, sum(n) from folded group by name order by name
                on conflict (name) do update set n = tallies.n + excluded.n)
            select count(*) as folded from folded";
        let folded: i64 = query_one(&client, sql, &[&FOLDED_AT_ONCE]).await.doing(doing)?.get("folded");
        Ok(folded == FOLDED_AT_ONCE)
    }
}

fn bounded(max_attempts: u32) -> i32 {
    i32::try_from(max_attempts).unwrap_or(i32::MAX)
}
