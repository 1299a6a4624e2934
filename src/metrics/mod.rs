//! What is counted, and how it is told: the text format of OpenMetrics, which Prometheus reads.
//!
//! Methods are named after what has happened. Counting is a look-up and an addition, and waits for nobody. No label grows with
//! what strangers send: each is a name from a short list. What a metric means is said by its help text, in [`families`].

mod families;
mod labels;
mod process;
mod readings;

pub use readings::{Connections, Database, Readings, Volume};

use crate::domain::{FailureCode, JobKind, Stage};
use families::Families;
use labels::{
    Call, HttpRequest, JobOutcome, KindLabel, OutcomeLabel, Retry, RouteLabel, StageLabel, provider,
};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The media type of [`Metrics::tell`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The label value for whatever has no name of its own.
pub const OTHER: &str = "other";

/// The counts of this process; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    families: Families,
    registry: Registry,
}

/// An attempt that is being made, until it is dropped.
#[must_use]
pub struct Running {
    metrics: Metrics,
    kind: JobKind,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let families = Families::new(&mut registry);
        Self(Arc::new(Counts { families, registry }))
    }
}

impl Metrics {
    /// An original of `bytes` became durable as a new image.
    pub fn upload_accepted(&self, bytes: u64) {
        self.upload("accepted");
        self.0.families.upload_bytes.inc_by(bytes);
    }

    /// An upload was known already, by its `Idempotency-Key`.
    pub fn upload_repeated(&self) {
        self.upload("repeated");
    }

    /// An upload was refused with this code of the API.
    pub fn upload_refused(&self, code: &'static str) {
        self.upload(code);
    }

    fn upload(&self, outcome: &'static str) {
        self.0.families.uploads.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// A request was answered with `status`; its head came after `took`. `route` and `method` are from short lists.
    pub fn request_answered(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        let families = &self.0.families;
        families.http_requests.get_or_create(&HttpRequest { route, method, status }).inc();
        families.http_request_duration.get_or_create(&RouteLabel { route }).observe(took.as_secs_f64());
    }

    /// A job was claimed that had `waited` since it was due.
    pub fn attempt_begins(&self, kind: JobKind, waited: Duration) -> Running {
        let (families, label) = (&self.0.families, KindLabel::from(kind));
        families.job_attempts.get_or_create(&label).inc();
        families.job_wait.get_or_create(&label).observe(waited.as_secs_f64());
        families.jobs_running.get_or_create(&label).inc();
        Running { metrics: self.clone(), kind }
    }

    /// A stage was run, well or not.
    pub fn stage_ran(&self, stage: Stage, run: Duration) {
        let label = StageLabel { stage: stage.as_str() };
        self.0.families.stage_run.get_or_create(&label).observe(run.as_secs_f64());
    }

    /// A job ended well, and this is recorded.
    pub fn job_succeeded(&self, kind: JobKind) {
        self.job_ended(kind, "succeeded");
    }

    /// A job was given up, and this is recorded.
    pub fn job_failed(&self, kind: JobKind, code: FailureCode) {
        self.job_ended(kind, code.as_str());
    }

    fn job_ended(&self, kind: JobKind, outcome: &'static str) {
        let label = JobOutcome { kind: kind.as_str(), outcome };
        self.0.families.jobs.get_or_create(&label).inc();
    }

    /// An attempt failed, and the job was queued again.
    pub fn job_retried(&self, kind: JobKind, reason: FailureCode) {
        let label = Retry { kind: kind.as_str(), reason: reason.as_str() };
        self.0.families.job_retries.get_or_create(&label).inc();
    }

    /// What an attempt made was discarded, because its job was in other hands by then.
    pub fn lease_lost(&self, kind: JobKind) {
        self.0.families.leases_lost.get_or_create(&kind.into()).inc();
    }

    /// The relay found a job whose worker had vanished.
    pub fn job_found_lost(&self, kind: JobKind) {
        self.0.families.jobs_found_lost.get_or_create(&kind.into()).inc();
    }

    /// The broker took a job over, `lag` after it was due.
    pub fn announced(&self, kind: JobKind, lag: Duration) {
        let families = &self.0.families;
        families.announcements.get_or_create(&JobOutcome { kind: kind.as_str(), outcome: "confirmed" }).inc();
        families.announcement_lag.get_or_create(&kind.into()).observe(lag.as_secs_f64());
    }

    /// The broker gave announcements back: it has no queue for them.
    pub fn announcements_returned(&self, kind: JobKind, count: usize) {
        self.unannounced(kind, "returned", count);
    }

    /// The broker was away, or did not confirm in time.
    pub fn announcements_failed(&self, kind: JobKind, count: usize) {
        self.unannounced(kind, "failed", count);
    }

    fn unannounced(&self, kind: JobKind, outcome: &'static str, count: usize) {
        let label = JobOutcome { kind: kind.as_str(), outcome };
        self.0.families.announcements.get_or_create(&label).inc_by(count as u64);
    }

    /// The broker had lost jobs that it had taken over.
    pub fn announcements_lost(&self, kind: JobKind, count: u64) {
        self.0.families.announcements_lost.get_or_create(&kind.into()).inc_by(count);
    }

    /// A call to a captioner ended. `named` is the form of call; one that is not known here is counted as [`OTHER`].
    pub fn captioner_called(&self, named: &str, failure: Option<FailureCode>, took: Duration) {
        let (families, provider) = (&self.0.families, provider(named));
        let outcome = failure.map_or("succeeded", FailureCode::as_str);
        families.captioner_calls.get_or_create(&Call { provider, outcome }).inc();
        families.captioner_call.observe(took.as_secs_f64());
    }

    /// A call to the receiver of a webhook ended.
    pub fn webhook_called(&self, failure: Option<FailureCode>, took: Duration) {
        let outcome = failure.map_or("succeeded", FailureCode::as_str);
        self.0.families.webhook_calls.get_or_create(&OutcomeLabel { outcome }).inc();
        self.0.families.webhook_call.observe(took.as_secs_f64());
    }

    /// All of it as text of [`CONTENT_TYPE`], with what was read for it just now. Reads `/proc`, and so blocks for a moment.
    ///
    /// # Errors
    /// None is known: text is written into memory.
    pub fn tell(&self, readings: &Readings) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(32 * 1024);
        encode_registry(&mut text, &self.0.registry)?;
        let mut now = Registry::default();
        readings.register(&mut now);
        process::register(&mut now);
        encode_registry(&mut text, &now)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.metrics.0.families.jobs_running.get_or_create(&self.kind.into()).dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_counted_until_it_ends_and_strangers_have_no_label_of_their_own() {
        let metrics = Metrics::default();
        let running = |kind| metrics.0.families.jobs_running.get_or_create(&KindLabel::from(kind)).get();
        let attempt = metrics.attempt_begins(JobKind::Caption, Duration::from_secs(1));
        assert_eq!((running(JobKind::Caption), running(JobKind::Image)), (1, 0));
        drop(attempt);
        assert_eq!(running(JobKind::Caption), 0);
        for named in ["openai_chat", "a form of tomorrow", "another"] {
            metrics.captioner_called(named, None, Duration::ZERO);
        }
        let told = metrics.tell(&Readings::default()).unwrap();
        assert!(!told.contains("tomorrow"));
        assert!(
            told.contains("darkroom_captioner_calls_total{provider=\"other\",outcome=\"succeeded\"} 2\n")
        );
    }
}
