//! Asking again for what has failed: one image, or all of them in small transactions.

use super::connections::Transaction;
use super::error::Doing;
use super::trace::Trace;
use super::webhooks::replay_last;
use super::{Store, StoreError, Value, begin, commit, parsed, query, query_one, query_opt};
use crate::domain::{ImageId, ImageStatus, JobKind};

/// What became of a wish to process an image again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Retried {
    /// A job is queued; this is the image's original name.
    Queued(String),
    /// Neither the image nor its caption has failed.
    NothingFailed(ImageStatus),
    /// There is no such image.
    NoSuchImage,
}

/// A walk over what has failed, in the order of ids, from the oldest to what was there when the walk began: what fails
/// again meanwhile is not met a second time.
#[derive(Debug, Clone)]
pub struct FailedWalk {
    kind: JobKind,
    after: i64,
    until: i64,
}

/// What a walk meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedImage {
    /// The image that failed, or whose caption or webhook did.
    pub image: ImageId,
    /// The code of the failure.
    pub code: String,
}

/// Rows looked at in one step of a walk. Most jobs have not failed, so that a step over them is a longer one.
const IMAGES_A_STEP: i64 = 1_000;
const JOBS_A_STEP: i64 = 20_000;

impl Store {
    /// Queues a new job for what has failed: the whole image, or its caption alone.
    ///
    /// # Errors
    /// If Postgres is away, refuses, or holds what cannot be understood.
    pub async fn retry_image(&self, id: ImageId) -> Result<Retried, StoreError> {
        let doing = "retrying an image";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        let sql = "
            select status, original_name, (select state from jobs where image_id = images.id and kind = 'caption'
                            order by id desc limit 1) as caption_job
            from images where id = $1 for update";
        let Some(row) = query_opt(&transaction, sql, &[&id.get()]).await.doing(doing)? else {
            return Ok(Retried::NoSuchImage);
        };
        let status: ImageStatus = parsed(&row, "images", "status", id.get())?;
        let kind = match (status, row.get("caption_job")) {
            (ImageStatus::Failed, _) => JobKind::Image,
            (ImageStatus::Success, Some("failed")) => JobKind::Caption,
            _ => return Ok(Retried::NothingFailed(status)),
        };
        // A caption may have been settled while this waited for the lock.
        if reopen(&transaction, kind, &[id.get()]).await?.is_empty() {
            return Ok(Retried::NothingFailed(status));
        }
        commit(transaction).await.doing(doing)?;
        Ok(Retried::Queued(row.get("original_name")))
    }

    /// Begins a walk over the images that failed, or over those whose caption, or whose newest webhook, did.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn failed(&self, kind: JobKind) -> Result<FailedWalk, StoreError> {
        let doing = "looking for what has failed";
        let client = self.client(doing).await?;
        let sql = match kind {
            JobKind::Image => "select coalesce(max(id), 0) as newest from images",
            JobKind::Caption | JobKind::Webhook => "select coalesce(max(id), 0) as newest from jobs",
        };
        let until = query_one(&client, sql, &[]).await.doing(doing)?.get("newest");
        Ok(FailedWalk { kind, after: i64::MIN, until })
    }

    /// The next step of a walk, which may meet nothing; `None` at its end. However many images there are, and however few
    /// of them have failed, one step is short.
    ///
    /// # Errors
    /// If Postgres is away or refuses; the step may be repeated.
    pub async fn next_failed(&self, walk: &mut FailedWalk) -> Result<Option<Vec<FailedImage>>, StoreError> {
        let doing = "looking for what has failed";
        let client = self.client(doing).await?;
        let (ends_at, step) = match walk.kind {
            JobKind::Image => (
                "select max(id) as last from (
                    select id from images where status = 'failed' and id > $1 and id <= $2 order by id limit $3) as step",
                IMAGES_A_STEP,
            ),
            JobKind::Caption | JobKind::Webhook => (
                "select max(id) as last from (
                    select id from jobs where id > $1 and id <= $2 order by id limit $3) as step",
                JOBS_A_STEP,
            ),
        };
        let row = query_one(&client, ends_at, &[&walk.after, &walk.until, &step]).await.doing(doing)?;
        let Some(last) = row.get::<_, Option<i64>>("last") else { return Ok(None) };
        let rows = query(&client, &failures(walk.kind), &[&walk.after, &last]).await.doing(doing)?;
        walk.after = last;
        let met = |row: &tokio_postgres::Row| FailedImage {
            image: ImageId::new(row.get("image_id")),
            code: row.get("error_code"),
        };
        Ok(Some(rows.iter().map(met).collect()))
    }

    /// Queues new jobs of a kind for those of `images` that still need one, in one transaction; the answer names them.
    /// An image that was deleted, or that somebody else retried, is left out.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not have happened, and may be repeated) or refuses.
    pub async fn retry_all(&self, kind: JobKind, images: &[ImageId]) -> Result<Vec<ImageId>, StoreError> {
        let doing = "retrying images";
        let mut client = self.client(doing).await?;
        let transaction = begin(&mut client).await.doing(doing)?;
        let ids: Vec<i64> = images.iter().map(|image| image.get()).collect();
        // Waits for whoever has one of them in hand, and sees what that left. In the order of ids, so that two who retry
        // in bulk cannot wait in a circle.
        let sql = "select id from images where id = any($1) and status = any($2) order by id for update";
        let locked = query(&transaction, sql, &[&ids, &retried(kind)]).await.doing(doing)?;
        let locked: Vec<i64> = locked.iter().map(|row| row.get("id")).collect();
        let queued = match kind {
            JobKind::Image | JobKind::Caption => reopen(&transaction, kind, &locked).await?,
            JobKind::Webhook => replay_last(&transaction, &locked).await?,
        };
        commit(transaction).await.doing(doing)?;
        Ok(queued)
    }
}

/// What has failed between two ids: of images, or of jobs whose failure is the newest of their kind.
fn failures(kind: JobKind) -> String {
    let jobs = |status| {
        format!(
            "select j.image_id, j.error_code from jobs j join images i on i.id = j.image_id
             where j.id > $1 and j.id <= $2 and j.kind = '{kind}' and j.state = 'failed' and i.status {status}
               and not exists (select 1 from jobs newer
                               where newer.image_id = j.image_id and newer.kind = '{kind}' and newer.id > j.id)
             order by j.id"
        )
    };
    match kind {
        JobKind::Image => "select id as image_id, error_code from images
                           where status = 'failed' and id > $1 and id <= $2 order by id"
            .to_owned(),
        JobKind::Caption => jobs("= 'success'"),
        // What an image told that is being processed again is not true any more.
        JobKind::Webhook => jobs("<> 'processing'"),
    }
}

/// The statuses of images whose jobs of a kind can be asked for again.
fn retried(kind: JobKind) -> Vec<&'static str> {
    let statuses: &[ImageStatus] = match kind {
        JobKind::Image => &[ImageStatus::Failed],
        JobKind::Caption => &[ImageStatus::Success],
        JobKind::Webhook => &[ImageStatus::Success, ImageStatus::Failed],
    };
    statuses.iter().map(|status| status.as_str()).collect()
}

/// Queues a job for each of these images, which are locked; a caption only where the last one has failed.
async fn reopen(
    transaction: &Transaction<'_>,
    kind: JobKind,
    images: &[i64],
) -> Result<Vec<ImageId>, StoreError> {
    let sql = "
        with reopened as (
            update images set status = 'processing', completed_at = null, error_code = null, error = null
            where id = any($1) and ($2 = 'image' or 'failed' = (
                select state from jobs where image_id = images.id and kind = 'caption' order by id desc limit 1))
            returning id
        ), job as (
            insert into jobs (image_id, kind, traceparent, tracestate, caption_model)
            select id, $2, $3, $4, case $2 when 'caption' then (
                select caption_model from jobs where image_id = reopened.id and kind = $2 order by id desc limit 1) end
            from reopened order by id)
        select id, pg_notify('darkroom_jobs', ''), pg_notify('darkroom_images', id::text) from reopened";
    let trace = Trace::current();
    let values: [Value<'_>; 4] = [&images, &kind.as_str(), &trace.traceparent, &trace.tracestate];
    let rows = query(transaction, sql, &values).await.doing("queueing jobs again")?;
    Ok(rows.iter().map(|row| ImageId::new(row.get("id"))).collect())
}
