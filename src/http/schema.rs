//! The shapes of images and what belongs to them, as the document shows them.

use super::captions::CaptionSource;
use crate::domain::{ImageStatus, StageStatus};
use crate::store;
use poem_openapi::{Enum, Object};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// Where an image stands.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename = "ImageStatus", rename_all = "snake_case")]
pub(super) enum Status {
    /// Something is still to be made.
    Processing,
    /// Metadata and thumbnails are there, and the caption is settled: made, disabled or given up.
    Success,
    /// There is no usable picture.
    Failed,
}

impl From<ImageStatus> for Status {
    fn from(status: ImageStatus) -> Self {
        match status {
            ImageStatus::Processing => Self::Processing,
            ImageStatus::Success => Self::Success,
            ImageStatus::Failed => Self::Failed,
        }
    }
}

impl From<Status> for ImageStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Processing => Self::Processing,
            Status::Success => Self::Success,
            Status::Failed => Self::Failed,
        }
    }
}

/// An upload that was taken.
#[derive(Object)]
#[oai(example)]
pub(super) struct Upload {
    /// The id of the image.
    #[oai(validator(minimum(value = "1")))]
    pub(super) image_id: i64,
    /// The name of the file, cleaned of what is no text.
    pub(super) original_name: String,
    pub(super) status: Status,
    /// A sentence for a person.
    pub(super) message: String,
}

/// An image with all its details. What is ready is shown at once: metadata and thumbnails appear while the caption is
/// still being made.
#[derive(Object)]
#[oai(example)]
pub(super) struct Image {
    pub(super) image_id: i64,
    pub(super) original_name: String,
    pub(super) status: Status,
    pub(super) created_at: OffsetDateTime,
    /// When the status became final.
    #[oai(nullable)]
    pub(super) completed_at: Option<OffsetDateTime>,
    /// SHA-256 of the uploaded bytes, in hexadecimal.
    pub(super) sha256: String,
    /// Null until it was read.
    #[oai(nullable)]
    pub(super) metadata: Option<Metadata>,
    pub(super) thumbnails: ThumbnailLinks,
    #[oai(nullable)]
    pub(super) caption: Option<String>,
    /// Who made the caption.
    #[oai(nullable)]
    pub(super) caption_source: Option<CaptionSource>,
    /// Why the image failed.
    #[oai(nullable)]
    pub(super) error: Option<String>,
    /// The stable code of the failure.
    #[oai(nullable)]
    pub(super) error_code: Option<String>,
    /// What is odd about the file; empty if nothing is, or until it was looked at.
    pub(super) findings: Vec<Finding>,
    /// Who is told by a webhook when the status becomes final, without the query of the URL.
    #[oai(nullable)]
    pub(super) callback_url: Option<String>,
    pub(super) stages: Vec<Stage>,
}

/// What was read from the file.
#[derive(Object)]
#[oai(example)]
pub(super) struct Metadata {
    /// In pixels as displayed, orientation applied.
    pub(super) width: i32,
    /// In pixels as displayed, orientation applied.
    pub(super) height: i32,
    /// `jpg` or `png`, by content.
    pub(super) format: String,
    pub(super) size_bytes: i64,
    /// Capture time by Exif, without a zone: `2026-05-04T12:13:14`.
    #[oai(nullable)]
    pub(super) datetime: Option<String>,
    /// The Exif orientation, 1 to 8.
    pub(super) orientation: i16,
    /// What it was taken with: maker and model, as one name.
    #[oai(nullable)]
    pub(super) camera: Option<String>,
    /// Whether the file says where it was taken.
    pub(super) has_gps: bool,
    /// Exif fields as readable text with units.
    pub(super) exif: BTreeMap<String, String>,
    /// What was odd about the metadata, and was cleaned or left out.
    pub(super) warnings: Vec<String>,
    /// What the picture looks like, in 16 hexadecimal digits (pHash); null if it is too even for one.
    #[oai(nullable)]
    pub(super) perceptual_hash: Option<String>,
}

/// Something odd about a file: what it says, and what that was held against.
#[derive(Object)]
pub(super) struct Finding {
    /// A stable code for programs: `thumbnail_differs`, `edited_with`, `dates_disagree`, `dimensions_disagree`,
    /// `data_after_end`, `name_contradicts_content`. Later versions may add others.
    pub(super) code: String,
    /// A sentence for a person.
    pub(super) text: String,
    /// What was compared, by name, as readable text with units.
    pub(super) evidence: BTreeMap<String, String>,
}

/// Paths of the thumbnails that exist.
#[derive(Object, Default)]
pub(super) struct ThumbnailLinks {
    /// Fits inside 128 × 128.
    #[oai(nullable)]
    pub(super) small: Option<String>,
    /// Fits inside 512 × 512.
    #[oai(nullable)]
    pub(super) medium: Option<String>,
}

/// How a stage of the work stands.
#[derive(Object)]
pub(super) struct Stage {
    /// `metadata`, `thumbnails` or `caption`.
    pub(super) name: String,
    pub(super) status: StageState,
    /// Attempts begun.
    pub(super) attempts: i32,
    /// How long the last run waited for a worker, in milliseconds.
    #[oai(nullable)]
    pub(super) queue_ms: Option<f64>,
    /// How long the last run took, in milliseconds.
    #[oai(nullable)]
    pub(super) run_ms: Option<f64>,
    /// Why the last run failed.
    #[oai(nullable)]
    pub(super) error: Option<String>,
}

/// Where a stage stands.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename = "StageStatus", rename_all = "snake_case")]
pub(super) enum StageState {
    /// To be done.
    Waiting,
    /// A worker has it in hand.
    Running,
    /// Done.
    Success,
    /// Given up.
    Failed,
    /// Not to be done: captions are disabled, or the image failed before.
    Skipped,
}

/// An image as lists show it.
#[derive(Object)]
pub(super) struct ImageSummary {
    image_id: i64,
    original_name: String,
    status: Status,
    created_at: OffsetDateTime,
    #[oai(nullable)]
    completed_at: Option<OffsetDateTime>,
    sha256: String,
    format: String,
    size_bytes: i64,
    #[oai(nullable)]
    width: Option<i32>,
    #[oai(nullable)]
    height: Option<i32>,
    /// Capture time by Exif, without a zone.
    #[oai(nullable)]
    taken_at: Option<String>,
    /// What it was taken with.
    #[oai(nullable)]
    camera: Option<String>,
    thumbnails: ThumbnailLinks,
    #[oai(nullable)]
    caption: Option<String>,
    #[oai(nullable)]
    error: Option<String>,
}

/// A part of the list of images.
#[derive(Object)]
pub(super) struct ImageList {
    pub(super) images: Vec<ImageSummary>,
    /// To be sent as `cursor` for the next part; null at the end, and only there.
    #[oai(nullable)]
    pub(super) next_cursor: Option<String>,
}

impl From<store::ImageRecord> for Image {
    fn from(record: store::ImageRecord) -> Self {
        let store::ImageRecord {
            summary,
            orientation,
            has_gps,
            exif,
            warnings,
            perceptual_hash,
            findings,
            callback_url,
            caption_source,
            stages,
        } = record;
        let metadata = summary.displayed.map(|(width, height)| Metadata {
            width,
            height,
            format: summary.format.to_string(),
            size_bytes: summary.size_bytes,
            datetime: capture_time(&summary),
            orientation,
            camera: summary.camera.clone(),
            has_gps,
            exif,
            warnings,
            perceptual_hash: perceptual_hash.map(|hash| hash.to_string()),
        });
        let (error_code, error) = summary.error.clone().unzip();
        Self {
            image_id: summary.id.get(),
            thumbnails: ThumbnailLinks::of(&summary),
            original_name: summary.original_name,
            status: summary.status.into(),
            created_at: summary.created_at,
            completed_at: summary.completed_at,
            sha256: summary.sha256.to_string(),
            metadata,
            caption: summary.caption,
            caption_source: caption_source.map(Into::into),
            error,
            error_code,
            findings: findings.into_iter().map(Into::into).collect(),
            callback_url: callback_url.map(|url| url.without_query()),
            stages: stages.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<crate::domain::Finding> for Finding {
    fn from(finding: crate::domain::Finding) -> Self {
        Self { code: finding.code.to_string(), text: finding.text, evidence: finding.evidence }
    }
}

/// Without a zone, since Exif names none.
const CAPTURE_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

fn capture_time(summary: &store::ImageSummary) -> Option<String> {
    summary.taken_at.and_then(|taken| taken.format(CAPTURE_TIME).ok())
}

impl From<store::ImageSummary> for ImageSummary {
    fn from(summary: store::ImageSummary) -> Self {
        let (width, height) = summary.displayed.unzip();
        Self {
            image_id: summary.id.get(),
            thumbnails: ThumbnailLinks::of(&summary),
            taken_at: capture_time(&summary),
            camera: summary.camera,
            original_name: summary.original_name,
            status: summary.status.into(),
            created_at: summary.created_at,
            completed_at: summary.completed_at,
            sha256: summary.sha256.to_string(),
            format: summary.format.to_string(),
            size_bytes: summary.size_bytes,
            width,
            height,
            caption: summary.caption,
            error: summary.error.map(|(_, text)| text),
        }
    }
}

impl ThumbnailLinks {
    fn of(summary: &store::ImageSummary) -> Self {
        let link = |size| {
            let exists = summary.thumbnails.contains(&size);
            exists.then(|| format!("/api/images/{}/thumbnails/{size}", summary.id))
        };
        Self {
            small: link(crate::domain::ThumbnailSize::Small),
            medium: link(crate::domain::ThumbnailSize::Medium),
        }
    }
}

impl From<store::StageRecord> for Stage {
    fn from(record: store::StageRecord) -> Self {
        Self {
            name: record.stage.to_string(),
            status: match record.status {
                StageStatus::Waiting => StageState::Waiting,
                StageStatus::Running => StageState::Running,
                StageStatus::Success => StageState::Success,
                StageStatus::Failed => StageState::Failed,
                StageStatus::Skipped => StageState::Skipped,
            },
            attempts: record.attempts,
            queue_ms: record.queue_ms.map(tenths),
            run_ms: record.run_ms.map(tenths),
            error: record.error.map(|(_, text)| text),
        }
    }
}

/// Milliseconds to a tenth: more would be noise.
pub(super) fn tenths(milliseconds: f64) -> f64 {
    (milliseconds * 10.0).round() / 10.0
}
