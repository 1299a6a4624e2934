//! Claims and leases.

use super::error::Doing;
use super::{Store, StoreError, Value, execute, parsed, query_opt, trace};
use crate::domain::{Attempt, FileKey, ImageId, JobId, JobKind, ThumbnailFormat, TraceContext, WebhookEvent};
use std::time::Duration;
use time::OffsetDateTime;
use tokio_postgres::Row;

/// The right to end one attempt of a job: every write that does is fenced by it.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Its image.
    pub image: ImageId,
    /// Its kind.
    pub kind: JobKind,
    /// The number of the claim.
    pub attempt: Attempt,
    /// How long the job waited since it was due.
    pub waited: Duration,
}

/// A job that this worker holds.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The right to end it.
    pub lease: Lease,
    /// What is to be done.
    pub work: Work,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
}

/// What a job works on.
#[derive(Debug, Clone)]
pub enum Work {
    /// Metadata and thumbnails of an original.
    Image {
        /// Where the original is.
        original: FileKey,
        /// The client's name for it.
        name: String,
    },
    /// A caption for the medium thumbnail.
    Caption {
        /// Where that thumbnail is.
        medium: FileKey,
        /// What it is.
        format: ThumbnailFormat,
    },
    /// A call that tells of an event.
    Webhook {
        /// What is told, and to whom.
        event: WebhookEvent,
        /// When the job was claimed, by the one clock that counts.
        now: OffsetDateTime,
    },
}

impl Store {
    /// Takes a job under a lease of `length`, if it is queued and due. `claimant` is random, and the same when the call is
    /// repeated because its answer was lost: then the job is ours already. `None` means that another delivery of the same message was faster,
    /// or that the job has ended or is gone: nothing is left to do.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn claim(
        &self,
        job: JobId,
        claimant: i64,
        length: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let doing = "claiming a job";
        let client = self.client(doing).await?;
        let sql = "
            with claimed as (
                update jobs set state = 'running', attempt = attempt + (state = 'queued')::integer, announce_at = null,
                    claimed_by = $3, claimed_at = now(), lease_until = now() + $2 * interval '1 second'
                where id = $1 and ((state = 'queued' and due_at <= now()) or (state = 'running' and claimed_by = $3))
                returning id, image_id, kind, attempt, extract(epoch from now() - due_at)::float8 as waited, event_id,
                    traceparent, tracestate
            )
            select c.id, c.image_id, c.kind, c.attempt, c.waited, i.original_key, i.original_name, t.file_key, t.media_type,
                e.message_id, e.url, e.body, now() as now, c.traceparent, c.tracestate
            from claimed c
            join images i on i.id = c.image_id
            left join thumbnails t on t.image_id = i.id and t.size = 'medium'
            left join webhook_events e on e.id = c.event_id";
        let row =
            query_opt(&client, sql, &[&job.get(), &length.as_secs_f64(), &claimant]).await.doing(doing)?;
        row.as_ref().map(claim).transpose()
    }

    /// Extends the lease. `false` means that it was lost: the job ended, was taken over, or is gone.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn renew(&self, lease: Lease, length: Duration) -> Result<bool, StoreError> {
        let doing = "renewing a lease";
        let client = self.client(doing).await?;
        // A lease is set while a job runs. For why the state is not asked, see `finish::CLOSED`.
        let sql = "update jobs set lease_until = now() + $3 * interval '1 second'
                   where id = $1 and attempt = $2 and lease_until is not null";
        let values: [Value<'_>; 3] = [&lease.job.get(), &lease.attempt.get(), &length.as_secs_f64()];
        let hit = execute(&client, sql, &values).await.doing(doing)?;
        Ok(hit == 1)
    }
}

fn claim(row: &Row) -> Result<Claim, StoreError> {
    let lease = lease(row)?;
    let id = lease.job.get();
    let work = match lease.kind {
        JobKind::Image => Work::Image {
            original: parsed(row, "images", "original_key", id)?,
            name: row.get("original_name"),
        },
        JobKind::Caption => Work::Caption {
            medium: parsed(row, "thumbnails", "file_key", id)?,
            format: parsed(row, "thumbnails", "media_type", id)?,
        },
        JobKind::Webhook => Work::Webhook {
            event: WebhookEvent {
                message_id: row.get("message_id"),
                url: parsed(row, "webhook_events", "url", id)?,
                body: row.get("body"),
            },
            now: row.get("now"),
        },
    };
    Ok(Claim { lease, work, trace: trace::read(row) })
}

pub(super) fn lease(row: &Row) -> Result<Lease, StoreError> {
    let id = row.get("id");
    Ok(Lease {
        job: JobId::new(id),
        image: ImageId::new(row.get("image_id")),
        kind: parsed(row, "jobs", "kind", id)?,
        attempt: Attempt::new(row.get("attempt")),
        waited: Duration::try_from_secs_f64(row.get("waited")).unwrap_or_default(),
    })
}
