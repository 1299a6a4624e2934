//! Events as clients get them. What their fields mean is in the description of the operation: no schema of the document can
//! describe a stream.

use crate::domain::{EventId, ImageId, StageStatus};
use crate::http::schema::tenths;
use crate::store::{Change, Event};
use bytes::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An event in the form in which it is sent, made once for all clients.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: EventId,
    pub(super) image: ImageId,
    pub(super) text: Bytes,
}

impl Message {
    pub(super) fn of(event: Event) -> Self {
        let Event { id, image, at, change } = event;
        let (image_id, at) = (image.get(), rfc3339(at));
        let (kind, data) = match change {
            Change::Status { original_name, status, error_code, error } => {
                let status = status.as_str();
                let data = json!({
                    "image_id": image_id, "original_name": original_name, "status": status, "error": error,
                    "error_code": error_code, "at": at,
                });
                ("status", data)
            }
            Change::Stage { stage, status, attempt, queue_ms, run_ms, error } => {
                let (stage, status) = (stage.as_str(), outcome(status));
                let (queue_ms, run_ms) = (tenths(queue_ms), tenths(run_ms));
                let data = json!({
                    "image_id": image_id, "stage": stage, "status": status, "attempt": attempt,
                    "queue_ms": queue_ms, "run_ms": run_ms, "error": error, "at": at,
                });
                ("stage", data)
            }
            Change::Deleted => ("deleted", json!({"image_id": image_id, "at": at})),
        };
        Self { id, image, text: text(id, kind, &data) }
    }
}

/// What a client is told that cannot go on from where it was. It goes on after `newest`.
pub(super) fn reset(newest: EventId, forgotten: EventId) -> Bytes {
    text(newest, "reset", &json!({"oldest": forgotten.get() + 1}))
}

/// How a run ended. Events tell of nothing else, so that whatever is not over waits.
const fn outcome(status: StageStatus) -> &'static str {
    match status {
        StageStatus::Success | StageStatus::Failed => status.as_str(),
        StageStatus::Waiting | StageStatus::Running | StageStatus::Skipped => StageStatus::Waiting.as_str(),
    }
}

fn rfc3339(at: OffsetDateTime) -> String {
    // It has no form for years of five digits, which the clock of no database shows.
    at.format(&Rfc3339).unwrap_or_default()
}

/// JSON has no line breaks, so that one line of data holds it.
fn text(id: EventId, kind: &str, data: &Value) -> Bytes {
    format!("id: {id}\nevent: {kind}\ndata: {data}\n\n").into()
}
