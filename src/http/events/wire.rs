//! Events as clients get them.

use crate::domain::{EventId, ImageId, StageStatus};
use crate::http::schema::{Status, tenths};
use crate::store::{Change, Event};
use bytes::Bytes;
use poem_openapi::types::ToJSON;
use poem_openapi::{Enum, Object};
use time::OffsetDateTime;

/// An event in the form in which it is sent, made once for all clients.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: EventId,
    pub(super) image: ImageId,
    pub(super) text: Bytes,
}

/// `status`: an image was uploaded, its status became final, or a retry reopened it.
#[derive(Object)]
struct StatusEvent {
    image_id: i64,
    original_name: String,
    status: Status,
    /// Why the image failed.
    #[oai(nullable)]
    error: Option<String>,
    /// The stable code of the failure.
    #[oai(nullable)]
    error_code: Option<String>,
    /// When it happened.
    at: OffsetDateTime,
}

/// `stage`: a run of a stage ended. The thumbnails are there once their stage is `success`.
#[derive(Object)]
struct StageEvent {
    image_id: i64,
    /// `metadata`, `thumbnails` or `caption`.
    stage: String,
    status: StageOutcome,
    /// Counted from 1.
    attempt: i32,
    /// How long it had waited for a worker, in milliseconds.
    queue_ms: f64,
    /// How long it ran, in milliseconds.
    run_ms: f64,
    /// Why the run failed.
    #[oai(nullable)]
    error: Option<String>,
    /// When it happened.
    at: OffsetDateTime,
}

/// `deleted`: an image is gone, with all that belonged to it.
#[derive(Object)]
struct DeletedEvent {
    image_id: i64,
    /// When it happened.
    at: OffsetDateTime,
}

/// `reset`: what happened since the `Last-Event-ID` is not known any more, and the list of images has to be read again. The
/// events that follow are later than this.
#[derive(Object)]
struct ResetEvent {
    /// The `id` of the oldest event that is kept.
    oldest: i64,
}

/// How a run of a stage ended.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum StageOutcome {
    /// Done.
    Success,
    /// Given up.
    Failed,
    /// It failed, and will be tried again.
    Waiting,
}

impl Message {
    pub(super) fn of(event: Event) -> Self {
        let Event { id, image, at, change } = event;
        let image_id = image.get();
        let (kind, data) = match change {
            Change::Status { original_name, status, error } => {
                let (error_code, error) = error.unzip();
                let status = status.into();
                let data = StatusEvent { image_id, original_name, status, error, error_code, at };
                ("status", data.to_json_string())
            }
            Change::Stage { stage, status, attempt, queue_ms, run_ms, error } => {
                let status = match status {
                    StageStatus::Success => StageOutcome::Success,
                    StageStatus::Failed => StageOutcome::Failed,
                    // Events tell of ends of runs, so that it stands for nothing else.
                    StageStatus::Waiting | StageStatus::Running | StageStatus::Skipped => {
                        StageOutcome::Waiting
                    }
                };
                let (stage, queue_ms, run_ms) = (stage.to_string(), tenths(queue_ms), tenths(run_ms));
                let data = StageEvent { image_id, stage, status, attempt, queue_ms, run_ms, error, at };
                ("stage", data.to_json_string())
            }
            Change::Deleted => ("deleted", DeletedEvent { image_id, at }.to_json_string()),
        };
        Self { id, image, text: text(id, kind, &data) }
    }
}

/// What a client is told that cannot go on from where it was. It goes on after `newest`.
pub(super) fn reset(newest: EventId, forgotten: EventId) -> Bytes {
    text(newest, "reset", &ResetEvent { oldest: forgotten.get() + 1 }.to_json_string())
}

/// JSON has no line breaks, so that one line of data holds it.
fn text(id: EventId, kind: &str, data: &str) -> Bytes {
    format!("id: {id}\nevent: {kind}\ndata: {data}\n\n").into()
}
