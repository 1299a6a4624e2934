//! What an attempt leaves behind: the part of the statement that ends it which writes to the history.

use crate::domain::{Excerpt, Failure, StageRun, WebhookCall};
use serde_json::{Value, json};

/// What is kept of an attempt, whichever way it ended.
#[derive(Debug, Clone)]
pub enum History {
    /// Of an image or a caption: what each stage took.
    Stages(Vec<StageRun>),
    /// Of a webhook: the call.
    Call(WebhookCall),
}

impl From<Vec<StageRun>> for History {
    fn from(runs: Vec<StageRun>) -> Self {
        Self::Stages(runs)
    }
}

impl History {
    /// The table that holds it, with the columns `job_id` and `attempt`.
    pub(super) const fn table(&self) -> &'static str {
        match self {
            Self::Stages(_) => "stage_runs",
            Self::Call(_) => "webhook_attempts",
        }
    }

    /// A part of a statement, beside the part `closed`; says which of its values hold the waiting time in milliseconds and
    /// [`History::rows`]. `$3` is the attempt.
    pub(super) fn recorded(&self, waited_ms: u8, rows: u8) -> String {
        match self {
            Self::Stages(_) => format!(
                "recorded as (
                    insert into stage_runs (image_id, job_id, attempt, stage, queue_ms, run_ms, error_code, error)
                    select image, job, $3, stage, ${waited_ms}, run_ms, error_code, error
                    from closed, jsonb_to_recordset(${rows}) as r (stage text, run_ms float8, error_code text, error text))"
            ),
            Self::Call(_) => format!(
                "recorded as (
                    insert into webhook_attempts (job_id, attempt, http_status, answer, queue_ms, run_ms, error_code, error)
                    select job, $3, http_status, answer, ${waited_ms}, run_ms, error_code, error
                    from closed, jsonb_to_recordset(${rows})
                        as r (http_status integer, answer text, run_ms float8, error_code text, error text))"
            ),
        }
    }

    pub(super) fn rows(&self) -> Value {
        match self {
            Self::Stages(runs) => runs.iter().map(stage_as_json).collect(),
            Self::Call(call) => json!([{
                "http_status": call.status,
                "answer": call.answer.as_ref().map(Excerpt::as_str),
                "run_ms": call.took.as_secs_f64() * 1e3,
                "error_code": code(call.failure.as_ref()),
                "error": call.failure.as_ref().map(Failure::text),
            }]),
        }
    }
}

fn stage_as_json(run: &StageRun) -> Value {
    json!({
        "stage": run.stage.as_str(),
        "run_ms": run.run.as_secs_f64() * 1e3,
        "error_code": code(run.failure.as_ref()),
        "error": run.failure.as_ref().map(Failure::text),
    })
}

fn code(failure: Option<&Failure>) -> Option<&'static str> {
    failure.map(|failure| failure.code().as_str())
}
