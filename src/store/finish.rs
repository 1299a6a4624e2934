//! The end of an attempt: results, failure or retry, in one transaction that only the holder of the lease can make.

use super::error::Doing;
use super::{Lease, Store, StoreError, Value, answered, execute, parsed, query, query_opt};
use crate::domain::{
    Failure, FileKey, JobKind, JobState, Metadata, StageRun, ThumbnailFormat, ThumbnailSize,
};
use deadpool_postgres::Transaction;
use std::time::Duration;

/// How a job ends.
#[derive(Debug, Clone)]
pub enum Ending {
    /// Metadata and thumbnails were made.
    Image(Box<MadeImage>),
    /// A caption was made.
    Caption(String),
    /// The job failed for good. Its image fails with it, except that a caption that failed never fails its image.
    Failed(Failure),
}

/// All that an image job makes.
#[derive(Debug, Clone)]
pub struct MadeImage {
    /// What was read.
    pub metadata: Metadata,
    /// What was drawn, one of each size.
    pub thumbnails: [MadeThumbnail; 2],
    /// Whether a caption is to be asked for.
    pub wants_caption: bool,
}

/// A thumbnail whose file is durable.
#[derive(Debug, Clone)]
pub struct MadeThumbnail {
    /// Which size.
    pub size: ThumbnailSize,
    /// Where it is.
    pub key: FileKey,
    /// What it is.
    pub format: ThumbnailFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Length in bytes.
    pub size_bytes: u64,
}

/// What became of the write that ends an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Finish {
    /// It is recorded. Files that the image no longer names are listed, to be removed.
    Recorded {
        /// Thumbnails of an earlier run.
        superseded: Vec<FileKey>,
    },
    /// The lease was lost: somebody else decides about this job, or it is gone. Nothing was written.
    LeaseLost,
}

impl Finish {
    const RECORDED: Self = Self::Recorded { superseded: Vec::new() };
}

impl Store {
    /// Ends a job: its results or its failure, its stages, the state of its image, and the caption job if one is wanted,
    /// all or nothing.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not be recorded, and the call may be repeated) or refuses.
    pub async fn end_job(
        &self,
        lease: Lease,
        ending: &Ending,
        runs: &[StageRun],
    ) -> Result<Finish, StoreError> {
        let doing = "ending a job";
        let mut client = self.client(doing).await?;
        let transaction = answered(client.transaction()).await.doing(doing)?;
        match close(&transaction, lease, ending).await? {
            Fence::Open => {}
            Fence::Passed => return Ok(Finish::RECORDED),
            Fence::Closed => return Ok(Finish::LeaseLost),
        }
        record_runs(&transaction, lease, runs).await?;
        let (mut superseded, mut caption_due) = (Vec::new(), false);
        match (ending, lease.kind) {
            (Ending::Image(made), _) => {
                superseded = replace_thumbnails(&transaction, lease, &made.thumbnails).await?;
                record_metadata(&transaction, lease, made).await?;
                caption_due = made.wants_caption;
                if caption_due {
                    let sql = "insert into jobs (image_id, kind) values ($1, 'caption')";
                    execute(&transaction, sql, &[&lease.image.get()]).await.doing(doing)?;
                }
            }
            (Ending::Caption(text), _) => settle_caption(&transaction, lease, Some(text)).await?,
            (Ending::Failed(_), JobKind::Caption) => settle_caption(&transaction, lease, None).await?,
            (Ending::Failed(failure), JobKind::Image) => fail_image(&transaction, lease, failure).await?,
        }
        announce_change(&transaction, lease, caption_due).await?;
        answered(transaction.commit()).await.doing(doing)?;
        Ok(Finish::Recorded { superseded })
    }

    /// Puts a job back into the queue, due after `wait`.
    ///
    /// # Errors
    /// As for [`Store::end_job`].
    pub async fn retry_later(
        &self,
        lease: Lease,
        wait: Duration,
        runs: &[StageRun],
    ) -> Result<Finish, StoreError> {
        let doing = "recording a retry";
        let mut client = self.client(doing).await?;
        let transaction = answered(client.transaction()).await.doing(doing)?;
        lock_image(&transaction, lease).await?;
        let sql = "
            update jobs set state = 'queued', lease_until = null, announced_at = null,
                due_at = now() + $3 * interval '1 second', announce_at = now() + $3 * interval '1 second'
            where id = $1 and attempt = $2 and state = 'running'";
        let values: [Value<'_>; 3] = [&lease.job.get(), &lease.attempt.get(), &wait.as_secs_f64()];
        if execute(&transaction, sql, &values).await.doing(doing)? == 0 {
            return Ok(Finish::LeaseLost);
        }
        record_runs(&transaction, lease, runs).await?;
        announce_change(&transaction, lease, true).await?;
        answered(transaction.commit()).await.doing(doing)?;
        Ok(Finish::RECORDED)
    }
}

/// Whether the write that ends an attempt may go on.
enum Fence {
    Open,
    /// This very write went through before: the answer to its commit was lost, and it is being repeated.
    Passed,
    Closed,
}

async fn close(transaction: &Transaction<'_>, lease: Lease, ending: &Ending) -> Result<Fence, StoreError> {
    let doing = "ending a job";
    lock_image(transaction, lease).await?;
    let (state, failure) = match ending {
        Ending::Image(_) | Ending::Caption(_) => (JobState::Succeeded, None),
        Ending::Failed(failure) => (JobState::Failed, Some(failure)),
    };
    let sql = "
        update jobs set state = $3, lease_until = null, finished_at = now(), error_code = $4, error = $5
        where id = $1 and attempt = $2 and state = 'running'";
    let (job, attempt, state) = (lease.job.get(), lease.attempt.get(), state.as_str());
    let (code, text) = (failure.map(|f| f.code().as_str()), failure.map(Failure::text));
    if execute(transaction, sql, &[&job, &attempt, &state, &code, &text]).await.doing(doing)? == 1 {
        return Ok(Fence::Open);
    }
    let sql = "select 1 from jobs where id = $1 and attempt = $2 and state = $3";
    let repeated = query_opt(transaction, sql, &[&job, &attempt, &state]).await.doing(doing)?.is_some();
    Ok(if repeated { Fence::Passed } else { Fence::Closed })
}

/// The image first, the job second: the order of every transaction.
async fn lock_image(transaction: &Transaction<'_>, lease: Lease) -> Result<(), StoreError> {
    let sql = "select 1 from images where id = $1 for no key update";
    query_opt(transaction, sql, &[&lease.image.get()]).await.doing("locking an image").map(drop)
}

async fn settle_caption(
    transaction: &Transaction<'_>,
    lease: Lease,
    text: Option<&str>,
) -> Result<(), StoreError> {
    let sql = "update images set status = 'success', completed_at = now(), caption = $2 where id = $1";
    execute(transaction, sql, &[&lease.image.get(), &text]).await.doing("settling a caption").map(drop)
}

async fn fail_image(
    transaction: &Transaction<'_>,
    lease: Lease,
    failure: &Failure,
) -> Result<(), StoreError> {
    let sql = "update images set status = 'failed', completed_at = now(), error_code = $2, error = $3 where id = $1";
    let values: [Value<'_>; 3] = [&lease.image.get(), &failure.code().as_str(), &failure.text()];
    execute(transaction, sql, &values).await.doing("failing an image").map(drop)
}

async fn replace_thumbnails(
    transaction: &Transaction<'_>,
    lease: Lease,
    made: &[MadeThumbnail; 2],
) -> Result<Vec<FileKey>, StoreError> {
    let doing = "recording thumbnails";
    let image = lease.image.get();
    let sql = "delete from thumbnails where image_id = $1 returning file_key";
    let old = query(transaction, sql, &[&image]).await.doing(doing)?;
    let sql = "
        insert into thumbnails (image_id, size, file_key, media_type, width, height, size_bytes)
        values ($1, $2, $3, $4, $5, $6, $7)";
    for thumbnail in made {
        let values: [Value<'_>; 7] = [
            &image,
            &thumbnail.size.as_str(),
            &thumbnail.key.as_str(),
            &thumbnail.format.as_str(),
            &pixels(thumbnail.width),
            &pixels(thumbnail.height),
            &i64::try_from(thumbnail.size_bytes).unwrap_or(i64::MAX),
        ];
        execute(transaction, sql, &values).await.doing(doing)?;
    }
    old.iter().map(|row| parsed(row, "thumbnails", "file_key", image)).collect()
}

async fn record_metadata(
    transaction: &Transaction<'_>,
    lease: Lease,
    made: &MadeImage,
) -> Result<(), StoreError> {
    let metadata = &made.metadata;
    let sql = "
        update images set width = $2, height = $3, taken_at = $4, orientation = $5, has_gps = $6, exif = $7, warnings = $8,
            status = case when $9 then 'processing' else 'success' end,
            completed_at = case when $9 then null else now() end
        where id = $1";
    let exif = serde_json::Value::from_iter(
        metadata.exif.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let values: [Value<'_>; 9] = [
        &lease.image.get(),
        &pixels(metadata.width),
        &pixels(metadata.height),
        &metadata.taken_at,
        &i16::from(metadata.orientation.exif()),
        &metadata.has_gps,
        &exif,
        &metadata.warnings,
        &made.wants_caption,
    ];
    execute(transaction, sql, &values).await.doing("recording metadata").map(drop)
}

async fn record_runs(
    transaction: &Transaction<'_>,
    lease: Lease,
    runs: &[StageRun],
) -> Result<(), StoreError> {
    let sql = "
        insert into stage_runs (image_id, job_id, attempt, stage, queue_ms, run_ms, error_code, error)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    for run in runs {
        let values: [Value<'_>; 8] = [
            &lease.image.get(),
            &lease.job.get(),
            &lease.attempt.get(),
            &run.stage.as_str(),
            &(lease.waited.as_secs_f64() * 1e3),
            &(run.run.as_secs_f64() * 1e3),
            &run.failure.as_ref().map(|f| f.code().as_str()),
            &run.failure.as_ref().map(Failure::text),
        ];
        execute(transaction, sql, &values).await.doing("recording a stage")?;
    }
    Ok(())
}

/// Reaches those who wait when, and only if, the transaction commits.
async fn announce_change(
    transaction: &Transaction<'_>,
    lease: Lease,
    job_due: bool,
) -> Result<(), StoreError> {
    let sql = "select pg_notify('darkroom_images', $1), case when $2 then pg_notify('darkroom_jobs', '') end";
    query(transaction, sql, &[&lease.image.to_string(), &job_due])
        .await
        .doing("announcing a change")
        .map(drop)
}

/// The probe refuses pictures whose sides exceed 65,535 (JPEG) or 2³¹ − 1 (PNG), so nothing is cut here.
fn pixels(side: u32) -> i32 {
    i32::try_from(side).unwrap_or(i32::MAX)
}
