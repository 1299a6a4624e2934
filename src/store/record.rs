//! What is known of an image, read in one statement so that it is one moment's truth.

use super::{StoreError, parsed};
use crate::domain::{
    CallbackUrl, CaptionSource, Finding, ImageFormat, ImageId, ImageStatus, PerceptualHash, Sha256, Stage,
    StageStatus, ThumbnailSize,
};
use std::collections::BTreeMap;
use time::{OffsetDateTime, PrimitiveDateTime};
use tokio_postgres::Row;

/// An image as lists show it.
#[derive(Debug, Clone)]
pub struct ImageSummary {
    /// Its id.
    pub id: ImageId,
    /// The client's name for it.
    pub original_name: String,
    /// Its status.
    pub status: ImageStatus,
    /// When it was uploaded.
    pub created_at: OffsetDateTime,
    /// When its status became final.
    pub completed_at: Option<OffsetDateTime>,
    /// Of the bytes as uploaded.
    pub sha256: Sha256,
    /// By content.
    pub format: ImageFormat,
    /// Length in bytes.
    pub size_bytes: i64,
    /// Width and height in pixels as displayed, once they are known.
    pub displayed: Option<(i32, i32)>,
    /// Capture time, without a zone.
    pub taken_at: Option<PrimitiveDateTime>,
    /// What it was taken with.
    pub camera: Option<String>,
    /// The thumbnails that exist.
    pub thumbnails: Vec<ThumbnailSize>,
    /// The caption, if there is one.
    pub caption: Option<String>,
    /// Why it failed: code and text.
    pub error: Option<(String, String)>,
}

/// An image with all its details.
#[derive(Debug, Clone)]
pub struct ImageRecord {
    /// What lists show.
    pub summary: ImageSummary,
    /// Exif orientation, 1 to 8.
    pub orientation: i16,
    /// Whether the file says where it was taken.
    pub has_gps: bool,
    /// Exif fields.
    pub exif: BTreeMap<String, String>,
    /// What was odd.
    pub warnings: Vec<String>,
    /// What the picture looks like.
    pub perceptual_hash: Option<PerceptualHash>,
    /// What is odd about the file.
    pub findings: Vec<Finding>,
    /// Who is told how it ends.
    pub callback_url: Option<CallbackUrl>,
    /// Who made the caption, if there is one.
    pub caption_source: Option<CaptionSource>,
    /// How each stage stands.
    pub stages: Vec<StageRecord>,
}

/// How a stage stands.
#[derive(Debug, Clone)]
pub struct StageRecord {
    /// Which stage.
    pub stage: Stage,
    /// Where it stands.
    pub status: StageStatus,
    /// Attempts begun.
    pub attempts: i32,
    /// Waiting time before the last recorded run, in milliseconds.
    pub queue_ms: Option<f64>,
    /// Length of the last recorded run, in milliseconds.
    pub run_ms: Option<f64>,
    /// Code and text of the last failure, unless a later run succeeded.
    pub error: Option<(String, String)>,
}

/// The columns of a summary; `i` is the image.
pub(super) const SUMMARY: &str = "
    i.id, i.original_name, i.status, i.created_at, i.completed_at, i.sha256, i.format, i.size_bytes,
    i.width, i.height, i.taken_at, i.camera, i.caption, i.error_code, i.error,
    array(select size from thumbnails t where t.image_id = i.id order by size desc) as thumbnails";

/// The columns of the details beside the summary: the newest job of each kind, the newest run of each stage, and who made the
/// caption that is shown: of the records with its text the one that counts first (`current_caption_record`), since a newer one
/// may be recorded a moment before it is shown.
pub(super) const DETAILS: &str = "
    coalesce(i.orientation, 1::smallint) as orientation, coalesce(i.has_gps, false) as has_gps,
    coalesce(i.exif, '{}') as exif, coalesce(i.warnings, '{}') as warnings, i.callback_url,
    case when i.caption is not null then coalesce((
        select source from captions c where c.image_id = i.id and c.text = i.caption and c.withdrawn_at is null
        order by array_position(array['human', 'ai', 'embedded'], source), id desc limit 1), 'ai') end as caption_source,
    (select hash from perceptual_hashes h where h.image_id = i.id) as perceptual_hash,
    (select jsonb_agg(f order by f.code) from findings f where f.image_id = i.id) as findings,
    (select jsonb_object_agg(j.kind, jsonb_build_object('state', j.state, 'attempt', j.attempt)) from (
        select distinct on (kind) kind, state, attempt from jobs
        where image_id = i.id and kind in ('image', 'caption') order by kind, id desc
    ) j) as jobs,
    (select jsonb_object_agg(r.stage, to_jsonb(r)) from (
        select distinct on (stage) stage, queue_ms, run_ms, error_code, error
        from stage_runs where image_id = i.id order by stage, id desc
    ) r) as runs";

#[derive(serde::Deserialize)]
struct LastJob {
    state: String,
    attempt: i32,
}

#[derive(serde::Deserialize)]
struct Found {
    code: String,
    sentence: String,
    evidence: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct LastRun {
    queue_ms: f64,
    run_ms: f64,
    error_code: Option<String>,
    error: Option<String>,
}

pub(super) fn summary(row: &Row) -> Result<ImageSummary, StoreError> {
    let id: i64 = row.get("id");
    let unreadable = |column, source| StoreError::Unreadable { table: "images", column, row: id, source };
    let digest: &[u8] = row.get("sha256");
    let sha256 = digest.try_into().map(Sha256::new).map_err(|e| unreadable("sha256", Box::new(e)))?;
    let sizes: Vec<&str> = row.get("thumbnails");
    let thumbnails: Result<_, _> = sizes.iter().map(|size| size.parse()).collect();
    let sides: (Option<i32>, Option<i32>) = (row.get("width"), row.get("height"));
    let error: (Option<String>, Option<String>) = (row.get("error_code"), row.get("error"));
    Ok(ImageSummary {
        id: ImageId::new(id),
        original_name: row.get("original_name"),
        status: parsed(row, "images", "status", id)?,
        created_at: row.get("created_at"),
        completed_at: row.get("completed_at"),
        sha256,
        format: parsed(row, "images", "format", id)?,
        size_bytes: row.get("size_bytes"),
        displayed: sides.0.zip(sides.1),
        taken_at: row.get("taken_at"),
        camera: row.get("camera"),
        thumbnails: thumbnails
            .map_err(|e: crate::domain::UnknownName| unreadable("thumbnails", Box::new(e)))?,
        caption: row.get("caption"),
        error: error.0.zip(error.1),
    })
}

pub(super) fn details(row: &Row) -> Result<ImageRecord, StoreError> {
    let summary = summary(row)?;
    let jobs: BTreeMap<String, LastJob> = json(row, "jobs")?;
    let runs: BTreeMap<String, LastRun> = json(row, "runs")?;
    let stages = Stage::ALL.iter().map(|stage| stage_record(*stage, summary.status, &jobs, &runs)).collect();
    Ok(ImageRecord {
        findings: findings(row)?,
        orientation: row.get("orientation"),
        has_gps: row.get("has_gps"),
        exif: json(row, "exif")?,
        warnings: row.get("warnings"),
        perceptual_hash: row
            .get::<_, Option<i64>>("perceptual_hash")
            .map(|hash| PerceptualHash::new(hash.cast_unsigned())),
        callback_url: row
            .get::<_, Option<&str>>("callback_url")
            .map(|_| parsed(row, "images", "callback_url", summary.id.get()))
            .transpose()?,
        caption_source: row
            .get::<_, Option<&str>>("caption_source")
            .map(|_| parsed(row, "captions", "caption_source", summary.id.get()))
            .transpose()?,
        stages,
        summary,
    })
}

fn findings(row: &Row) -> Result<Vec<Finding>, StoreError> {
    let found: Vec<Found> = json(row, "findings")?;
    let read = |Found { code, sentence, evidence }: Found| {
        let code = code.parse().map_err(|source: crate::domain::UnknownName| StoreError::Unreadable {
            table: "findings",
            column: "code",
            row: row.get("id"),
            source: Box::new(source),
        })?;
        Ok(Finding { code, text: sentence, evidence })
    };
    found.into_iter().map(read).collect()
}

fn stage_record(
    stage: Stage,
    image: ImageStatus,
    jobs: &BTreeMap<String, LastJob>,
    runs: &BTreeMap<String, LastRun>,
) -> StageRecord {
    let run = runs.get(stage.as_str());
    let job = jobs.get(stage.job_kind().as_str());
    let status = match job.map(|job| job.state.as_str()) {
        Some("running") => StageStatus::Running,
        Some("succeeded") => StageStatus::Success,
        // An image job may fail after its metadata was read.
        Some("failed") if run.is_some_and(|run| run.error.is_none()) => StageStatus::Success,
        Some("failed") => StageStatus::Failed,
        Some(_) => StageStatus::Waiting,
        None if image.is_final() => StageStatus::Skipped,
        None => StageStatus::Waiting,
    };
    StageRecord {
        stage,
        status,
        attempts: job.map_or(0, |job| job.attempt),
        queue_ms: run.map(|run| run.queue_ms),
        run_ms: run.map(|run| run.run_ms),
        error: run.and_then(|run| run.error_code.clone().zip(run.error.clone())),
    }
}

/// A column of JSON that may be null, which reads as empty.
fn json<T: serde::de::DeserializeOwned + Default>(row: &Row, column: &'static str) -> Result<T, StoreError> {
    match row.get::<_, Option<serde_json::Value>>(column) {
        None => Ok(T::default()),
        Some(value) => serde_json::from_value(value).map_err(|source| StoreError::Unreadable {
            table: "images",
            column,
            row: row.get("id"),
            source: Box::new(source),
        }),
    }
}
