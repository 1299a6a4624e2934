//! The end of an attempt: results, failure or retry, in one statement that only the holder of the lease can make.
//!
//! A statement of several parts is a transaction of its own and one trip to the server. Its parts see the rows as they were
//! before it, and each hangs on `closed`, which is empty if the lease was lost.

use super::connections::Lent;
use super::error::Doing;
use super::{History, Lease, Store, StoreError, Value, query_opt};
use crate::domain::{
    Failure, FailureCode, FileKey, Finding, ImageStatus, JobKind, JobState, Metadata, PerceptualHash,
    ThumbnailFormat, ThumbnailSize,
};
use serde_json::json;
use std::time::Duration;
use tokio_postgres::Row;

/// How a job ends.
#[derive(Debug, Clone)]
pub enum Ending {
    /// Metadata and thumbnails were made.
    Image(Box<MadeImage>),
    /// A caption was made.
    Caption(String),
    /// A webhook was delivered.
    Delivered,
    /// The job failed for good. An image job fails its image; captions and webhooks that failed never do.
    Failed(Failure),
}

/// All that an image job makes.
#[derive(Debug, Clone)]
pub struct MadeImage {
    /// What was read.
    pub metadata: Metadata,
    /// What was drawn, one of each size.
    pub thumbnails: [MadeThumbnail; 2],
    /// What the picture looks like, unless it is even.
    pub perceptual_hash: Option<PerceptualHash>,
    /// What is odd about the file.
    pub findings: Vec<Finding>,
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

/// The image first, the job second: the order of all that locks both. `$1` is the image, `$2` the job, `$3` the attempt.
///
/// The condition says `lease_until`, which is set while a job runs, and not `state = 'running'`: that is what a small index
/// is made of, and a planner that takes it for smaller than it is walks it instead of looking the job up.
const CLOSED: &str = "
    with image as materialized (select id from images where id = $1 for no key update),
    closed as (
        update jobs set state = $4, lease_until = null, finished_at = now(), error_code = $5, error = $6
        from image where jobs.id = $2 and image_id = image.id and attempt = $3 and lease_until is not null
        returning jobs.id as job, image_id as image, traceparent, tracestate)";

/// As [`CLOSED`]; the job is due again after `$4` seconds.
const REOPENED: &str = "
    with image as materialized (select id from images where id = $1 for no key update),
    closed as (
        update jobs set state = 'queued', lease_until = null, announced_at = null,
            due_at = now() + $4 * interval '1 second', announce_at = now() + $4 * interval '1 second'
        from image where jobs.id = $2 and image_id = image.id and attempt = $3 and lease_until is not null
        returning jobs.id as job, image_id as image)";

impl Store {
    /// Ends a job: its results or its failure, its history, the state of its image, and the caption job if one is wanted,
    /// all or nothing.
    ///
    /// # Errors
    /// If Postgres is away (then it may or may not be recorded, and the call may be repeated) or refuses.
    pub async fn end_job(
        &self,
        lease: Lease,
        ending: &Ending,
        history: &History,
    ) -> Result<Finish, StoreError> {
        let client = self.client("ending a job").await?;
        let (state, failure) = match ending {
            Ending::Image(_) | Ending::Caption(_) | Ending::Delivered => (JobState::Succeeded, None),
            Ending::Failed(failure) => (JobState::Failed, Some(failure)),
        };
        let closing = Closing { lease, state, failure, history };
        let ended = match (ending, lease.kind) {
            (Ending::Image(made), _) => end_with_results(&client, &closing, made).await?,
            (Ending::Caption(text), _) => end_with_status(&client, &closing, Some(text), None).await?,
            // A caption that failed never fails its image.
            (Ending::Failed(_), JobKind::Caption) => end_with_status(&client, &closing, None, None).await?,
            (Ending::Failed(failure), JobKind::Image) => {
                end_with_status(&client, &closing, None, Some(failure)).await?
            }
            (Ending::Delivered, _) | (Ending::Failed(_), JobKind::Webhook) => {
                end_alone(&client, &closing).await?
            }
        };
        match ended {
            Some(superseded) => Ok(Finish::Recorded { superseded }),
            None if was_ended(&client, lease, state).await? => Ok(Finish::RECORDED),
            None => Ok(Finish::LeaseLost),
        }
    }

    /// Puts a job back into the queue, due after `wait`.
    ///
    /// # Errors
    /// As for [`Store::end_job`].
    pub async fn retry_later(
        &self,
        lease: Lease,
        wait: Duration,
        history: &History,
    ) -> Result<Finish, StoreError> {
        let doing = "recording a retry";
        let client = self.client(doing).await?;
        let sql = format!(
            "{REOPENED}, {}
            select pg_notify('darkroom_images', image::text), pg_notify('darkroom_jobs', '') from closed",
            history.recorded(5, 6)
        );
        let values: [Value<'_>; 6] = [
            &lease.image.get(),
            &lease.job.get(),
            &lease.attempt.get(),
            &wait.as_secs_f64(),
            &(lease.waited.as_secs_f64() * 1e3),
            &history.rows(),
        ];
        if query_opt(&client, &sql, &values).await.doing(doing)?.is_some() {
            return Ok(Finish::RECORDED);
        }
        // The statement above has written the history of this attempt: the answer to it was lost, and it is being repeated.
        // Unless the reaper did, who took the attempt for lost.
        let sql = format!(
            "select 1 from {} where job_id = $1 and attempt = $2 and error_code is distinct from $3",
            history.table()
        );
        let lost = FailureCode::WorkerLost.as_str();
        let values: [Value<'_>; 3] = [&lease.job.get(), &lease.attempt.get(), &lost];
        let repeated = query_opt(&client, &sql, &values).await.doing(doing)?.is_some();
        Ok(if repeated { Finish::RECORDED } else { Finish::LeaseLost })
    }
}

/// What every ending writes.
struct Closing<'a> {
    lease: Lease,
    state: JobState,
    failure: Option<&'a Failure>,
    history: &'a History,
}

/// The files that were superseded; `None` if the lease was lost.
async fn end_with_results(
    client: &Lent,
    closing: &Closing<'_>,
    made: &MadeImage,
) -> Result<Option<Vec<FileKey>>, StoreError> {
    let sql = format!(
        "{CLOSED}, {},
        old as (select file_key from thumbnails, closed where image_id = closed.image),
        drawn as (
            insert into thumbnails (image_id, size, file_key, media_type, width, height, size_bytes)
            select image, t.* from closed, jsonb_to_recordset($9)
                as t (size text, file_key text, media_type text, width integer, height integer, size_bytes bigint)
            on conflict (image_id, size) do update set file_key = excluded.file_key, media_type = excluded.media_type,
                width = excluded.width, height = excluded.height, size_bytes = excluded.size_bytes),
        known as (
            update images set width = $10, height = $11, taken_at = $12, orientation = $13, has_gps = $14, exif = $15,
                warnings = $16, status = case when $17 then 'processing' else 'success' end,
                completed_at = case when $17 then null else now() end, camera = $18, caption = coalesce(caption, $21)
            from closed where images.id = closed.image),
        hashed as (
            insert into perceptual_hashes (image_id, hash) select image, $19 from closed where $19::bigint is not null
            on conflict (image_id) do update set hash = excluded.hash),
        found as (
            insert into findings (image_id, code, sentence, evidence)
            select image, f.* from closed, jsonb_to_recordset($20) as f (code text, sentence text, evidence jsonb)
            on conflict (image_id, code) do update set sentence = excluded.sentence, evidence = excluded.evidence),
        described as (
            insert into captions (image_id, source, text) select image, 'embedded', $21 from closed where $21 is not null
            on conflict (image_id) where source = 'embedded' do update set text = excluded.text),
        asked as (
            insert into jobs (image_id, kind, traceparent, tracestate)
            select image, 'caption', traceparent, tracestate from closed where $17)
        select image as id, array(select file_key from old) as superseded, pg_notify('darkroom_images', image::text),
            case when $17 then pg_notify('darkroom_jobs', 'caption') end
        from closed",
        closing.history.recorded(7, 8)
    );
    let metadata = &made.metadata;
    let thumbnails = thumbnails_as_json(&made.thumbnails);
    let exif = serde_json::Value::from_iter(
        metadata.exif.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let (width, height) = (pixels(metadata.width), pixels(metadata.height));
    let orientation = i16::from(metadata.orientation.exif());
    let hash = made.perceptual_hash.map(|hash| hash.bits().cast_signed());
    let findings = findings_as_json(&made.findings);
    let values: [Value<'_>; 13] = [
        &thumbnails,
        &width,
        &height,
        &metadata.taken_at,
        &orientation,
        &metadata.has_gps,
        &exif,
        &metadata.warnings,
        &made.wants_caption,
        &metadata.camera,
        &hash,
        &findings,
        &metadata.description,
    ];
    let row = close(client, closing, &sql, &values).await?;
    row.as_ref().map(superseded).transpose()
}

/// Settles the image without new pictures, so no file is superseded; `None` if the lease was lost.
async fn end_with_status(
    client: &Lent,
    closing: &Closing<'_>,
    caption: Option<&str>,
    failure: Option<&Failure>,
) -> Result<Option<Vec<FileKey>>, StoreError> {
    // Where there are records of captions, they decide (V10); without a new one, the older one stays.
    let sql = format!(
        "{CLOSED}, {},
        settled as (
            update images set status = $9, error_code = $11, error = $12,
                completed_at = case when status = 'processing' then now() else completed_at end,
                caption = coalesce($10, caption)
            from closed where images.id = closed.image)
        select pg_notify('darkroom_images', image::text) from closed",
        closing.history.recorded(7, 8)
    );
    let status = failure.map_or(ImageStatus::Success, |_| ImageStatus::Failed).as_str();
    let (code, text) = (failure.map(|f| f.code().as_str()), failure.map(Failure::text));
    let row = close(client, closing, &sql, &[&status, &caption, &code, &text]).await?;
    Ok(row.map(|_| Vec::new()))
}

/// Ends the job and leaves its image as it is; `None` if the lease was lost.
async fn end_alone(client: &Lent, closing: &Closing<'_>) -> Result<Option<Vec<FileKey>>, StoreError> {
    let sql = format!("{CLOSED}, {} select job from closed", closing.history.recorded(7, 8));
    Ok(close(client, closing, &sql, &[]).await?.map(|_| Vec::new()))
}

async fn close(
    client: &Lent,
    Closing { lease, state, failure, history }: &Closing<'_>,
    sql: &str,
    own: &[Value<'_>],
) -> Result<Option<Row>, StoreError> {
    let (image, job, attempt) = (lease.image.get(), lease.job.get(), lease.attempt.get());
    let (code, text) = (failure.map(|f| f.code().as_str()), failure.map(Failure::text));
    let (state, waited_ms, rows) = (state.as_str(), lease.waited.as_secs_f64() * 1e3, history.rows());
    let mut values: Vec<Value<'_>> = vec![&image, &job, &attempt, &state, &code, &text, &waited_ms, &rows];
    values.extend_from_slice(own);
    query_opt(client, sql, &values).await.doing("ending a job")
}

/// Whether this very write went through before: the answer to it was lost, and it is being repeated.
async fn was_ended(client: &Lent, lease: Lease, state: JobState) -> Result<bool, StoreError> {
    let sql = "select 1 from jobs where id = $1 and attempt = $2 and state = $3";
    let values: [Value<'_>; 3] = [&lease.job.get(), &lease.attempt.get(), &state.as_str()];
    Ok(query_opt(client, sql, &values).await.doing("ending a job")?.is_some())
}

fn thumbnails_as_json(made: &[MadeThumbnail]) -> serde_json::Value {
    let as_json = |thumbnail: &MadeThumbnail| {
        json!({
            "size": thumbnail.size.as_str(),
            "file_key": thumbnail.key.as_str(),
            "media_type": thumbnail.format.as_str(),
            "width": pixels(thumbnail.width),
            "height": pixels(thumbnail.height),
            "size_bytes": thumbnail.size_bytes,
        })
    };
    made.iter().map(as_json).collect()
}

fn findings_as_json(found: &[Finding]) -> serde_json::Value {
    let as_json = |finding: &Finding| {
        json!({
            "code": finding.code.as_str(),
            "sentence": finding.text,
            "evidence": finding.evidence,
        })
    };
    found.iter().map(as_json).collect()
}

fn superseded(row: &Row) -> Result<Vec<FileKey>, StoreError> {
    let unreadable = |source: crate::domain::InvalidFileKey| StoreError::Unreadable {
        table: "thumbnails",
        column: "file_key",
        row: row.get("id"),
        source: Box::new(source),
    };
    let keys: Vec<&str> = row.get("superseded");
    keys.into_iter().map(|key| key.parse().map_err(unreadable)).collect()
}

/// The probe refuses pictures whose sides exceed 65,535 (JPEG) or 2³¹ − 1 (PNG), so nothing is cut here.
fn pixels(side: u32) -> i32 {
    i32::try_from(side).unwrap_or(i32::MAX)
}
