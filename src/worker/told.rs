//! What is told of an attempt: to the log one line, with the ids, and with what happens next; to the metrics; and to its
//! trace.

use crate::domain::{Failure, JobKind};
use crate::metrics::Metrics;
use crate::store::{Ending, Lease};
use crate::traces;
use std::time::Duration;
use tracing::Span;

/// How an attempt ended.
pub(super) enum Told<'a> {
    Done,
    Retried(&'a Failure, Duration),
    Failed(&'a Failure),
    LeaseLost,
}

impl<'a> Told<'a> {
    pub(super) const fn of(ending: &'a Ending, retry: Option<Duration>) -> Self {
        match (ending, retry) {
            (Ending::Failed(failure), Some(wait)) => Self::Retried(failure, wait),
            (Ending::Failed(failure), None) => Self::Failed(failure),
            _ => Self::Done,
        }
    }

    pub(super) fn count(&self, kind: JobKind, metrics: &Metrics) {
        match self {
            Self::Done => metrics.job_succeeded(kind),
            Self::Retried(failure, _) => metrics.job_retried(kind, failure.code()),
            Self::Failed(failure) => metrics.job_failed(kind, failure.code()),
            Self::LeaseLost => metrics.lease_lost(kind),
        }
    }

    pub(super) fn mark(&self, span: &Span) {
        match self {
            Self::Done => {}
            Self::Retried(failure, _) | Self::Failed(failure) => {
                traces::fails(span, failure.code().as_str());
            }
            Self::LeaseLost => traces::fails(span, "lease_lost"),
        }
    }

    pub(super) fn log(&self, lease: Lease, took: Duration) {
        let (image, job, attempt, kind) =
            (lease.image.get(), lease.job.get(), lease.attempt.get(), lease.kind);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match self {
            Self::Done => tracing::info!(image, job, attempt, %kind, ms, "done"),
            Self::LeaseLost => {
                tracing::warn!(
                    image, job, attempt, %kind, ms,
                    "the lease was lost; what was made is discarded, and whoever took over decides"
                );
            }
            Self::Retried(failure, wait) => {
                let (code, error, detail) = (failure.code().as_str(), failure.text(), failure.detail());
                let seconds = wait.as_secs_f64();
                tracing::warn!(
                    image, job, attempt, %kind, ms, code, error, detail,
                    "failed; tried again in {seconds:.1} s"
                );
            }
            Self::Failed(failure) => {
                let (code, error, detail) = (failure.code().as_str(), failure.text(), failure.detail());
                let remedy = kind.remedy(lease.image, lease.job);
                tracing::warn!(
                    image, job, attempt, %kind, ms, code, error, detail,
                    "failed for good; {remedy} asks for it again"
                );
            }
        }
    }
}
