//! What is forgotten, and when. In small parts, so that no backlog of it is too long for one statement.

use super::error::Doing;
use super::{Store, StoreError, Value, begin, commit, execute, query, query_one};
use std::time::Duration;

/// Rows removed by one statement.
const PART: i64 = 1000;

impl Store {
    /// Forgets up to a thousand idempotency keys older than 24 hours. The answer is whether there may be more.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn forget_idempotency_keys(&self) -> Result<bool, StoreError> {
        let doing = "forgetting idempotency keys";
        let client = self.client(doing).await?;
        let sql = "
            delete from idempotency_keys where key in (
                select key from idempotency_keys where created_at < now() - interval '24 hours'
                order by created_at limit $1 for update skip locked)";
        Ok(execute(&client, sql, &[&PART]).await.doing(doing)? == PART.unsigned_abs())
    }

    /// Forgets up to a thousand jobs, with their stages, that a retry has superseded and that ended more than `age` ago. The
    /// newest job of each kind belongs to its image and stays. The answer is whether there may be more.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn forget_superseded_jobs(&self, age: Duration) -> Result<bool, StoreError> {
        let doing = "forgetting superseded jobs";
        let client = self.client(doing).await?;
        let sql = "
            delete from jobs where id in (
                select id from jobs where superseded and finished_at < now() - $2 * interval '1 second'
                order by finished_at limit $1 for update skip locked)";
        Ok(execute(&client, sql, &[&PART, &age.as_secs_f64()]).await.doing(doing)? == PART.unsigned_abs())
    }

    /// Forgets up to a thousand events that were numbered more than `age` ago. The answer is whether there may be more.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn forget_events(&self, age: Duration) -> Result<bool, StoreError> {
        let doing = "forgetting events";
        let client = self.client(doing).await?;
        // From the oldest on, so that what is kept has no gap; and not from before it, where the index is full of what was
        // forgotten. In one statement: a process that stops in its midst would keep others from numbering.
        let sql = "
            with gone as (
                delete from events where id in (
                    select id from (
                        select id, numbered_at from events where id > (select forgotten from event_log)
                        order by id limit $1
                    ) as oldest
                    where numbered_at < now() - $2 * interval '1 second')
                returning id
            ), noted as (
                update event_log set forgotten = greatest(forgotten, (select max(id) from gone))
                where exists (select from gone)
            )
            select count(*) as forgotten from gone";
        let row = query_one(&client, sql, &[&PART, &age.as_secs_f64()]).await.doing(doing)?;
        Ok(row.get::<_, i64>("forgotten") == PART)
    }

    /// Forgets up to a thousand events that happened more than `age` ago, with all that is known of their delivery, unless
    /// they are still being told. The answer is whether there may be more.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn forget_webhook_events(&self, age: Duration) -> Result<bool, StoreError> {
        let doing = "forgetting webhooks";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        let old = "
            select e.id from webhook_events e
            where e.created_at < now() - $2 * interval '1 second' and not exists (
                select from jobs
                where event_id = e.id and kind = 'webhook' and state in ('queued', 'running'))";
        // The image first, as everywhere; so nobody replays what goes here, or deletes it in another order.
        let lock = format!(
            "select id from images where id in (
                select image_id from webhook_events where id in ({old} order by e.created_at limit $1))
             order by id for no key update skip locked"
        );
        let images = query(&transaction, &lock, &[&PART, &age.as_secs_f64()]).await.doing(doing)?;
        let images: Vec<i64> = images.iter().map(|row| row.get("id")).collect();
        // What was queued before the lock is seen by this statement, and not by the one above.
        let delete = format!(
            "delete from webhook_events where id in ({old} and e.image_id = any($3) order by e.created_at limit $1)"
        );
        let values: [Value<'_>; 3] = [&PART, &age.as_secs_f64(), &images];
        let gone = execute(&transaction, &delete, &values).await.doing(doing)?;
        commit(transaction).await.doing(doing)?;
        Ok(gone == PART.unsigned_abs())
    }

    /// Gives up on up to a thousand deliveries that were asked for more than `age` ago, of events that are older too, and that
    /// nobody has in hand: no worker may ever take them. The answer is whether there may be more.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn forget_waiting_webhooks(&self, age: Duration) -> Result<bool, StoreError> {
        let doing = "forgetting webhooks that nobody sends";
        let client = self.client(doing).await?;
        // By the age of the events: in the order of an index, and what waits for days is not walked each time.
        let sql = "
            delete from jobs where id in (
                select j.id from webhook_events e join jobs j on j.event_id = e.id
                where e.created_at < now() - $2 * interval '1 second' and j.kind = 'webhook' and j.state = 'queued'
                  and j.created_at < now() - $2 * interval '1 second'
                order by e.created_at limit $1 for update of j skip locked)";
        Ok(execute(&client, sql, &[&PART, &age.as_secs_f64()]).await.doing(doing)? == PART.unsigned_abs())
    }
}
