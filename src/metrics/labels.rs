//! The labels. Their values are names that this program knows, or numbers of which it gives few.

use super::OTHER;
use crate::domain::JobKind;
use prometheus_client::encoding::EncodeLabelSet;

/// A kind of job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabel {
    kind: &'static str,
}

impl From<JobKind> for KindLabel {
    fn from(kind: JobKind) -> Self {
        Self { kind: kind.as_str() }
    }
}

/// A stage of the work.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StageLabel {
    pub(super) stage: &'static str,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: &'static str,
}

/// How something ended that concerns a kind of job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct JobOutcome {
    pub(super) kind: &'static str,
    pub(super) outcome: &'static str,
}

/// Why a job is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Retry {
    pub(super) kind: &'static str,
    pub(super) reason: &'static str,
}

/// How a call to a captioner ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Call {
    pub(super) provider: &'static str,
    pub(super) outcome: &'static str,
}

/// What was asked over HTTP, and the answer's status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HttpRequest {
    pub(super) route: &'static str,
    pub(super) method: &'static str,
    pub(super) status: u16,
}

/// What was asked over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabel {
    pub(super) route: &'static str,
}

/// The version of this program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Build {
    pub(super) version: &'static str,
}

/// The forms of call to captioners, as `captioner.provider` names them.
const PROVIDERS: [&str; 3] = ["openai_chat", "hf_image_to_text", "local"];

pub(super) fn provider(named: &str) -> &'static str {
    PROVIDERS.into_iter().find(|known| *known == named).unwrap_or(OTHER)
}
