//! Each metric that is counted as it happens: its name, and what it means.

use super::labels::{
    Build, Call, HttpRequest, JobOutcome, KindLabel, OutcomeLabel, Retry, RouteLabel, StageLabel,
};
use crate::domain::{JobKind, Stage};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

/// Histograms by label, with the buckets of their constructor.
pub(super) type Timed<L> = Family<L, Histogram, fn() -> Histogram>;

/// What is counted.
#[derive(Debug)]
pub(super) struct Families {
    pub(super) uploads: Family<OutcomeLabel, Counter>,
    pub(super) upload_bytes: Counter,
    pub(super) http_requests: Family<HttpRequest, Counter>,
    pub(super) http_request_duration: Timed<RouteLabel>,
    pub(super) jobs: Family<JobOutcome, Counter>,
    pub(super) job_attempts: Family<KindLabel, Counter>,
    pub(super) job_retries: Family<Retry, Counter>,
    pub(super) leases_lost: Family<KindLabel, Counter>,
    pub(super) jobs_running: Family<KindLabel, Gauge>,
    pub(super) job_wait: Timed<KindLabel>,
    pub(super) stage_run: Timed<StageLabel>,
    pub(super) jobs_found_lost: Family<KindLabel, Counter>,
    pub(super) announcements: Family<JobOutcome, Counter>,
    pub(super) announcement_lag: Timed<KindLabel>,
    pub(super) announcements_lost: Family<KindLabel, Counter>,
    pub(super) captioner_calls: Family<Call, Counter>,
    pub(super) captioner_call: Histogram,
    pub(super) webhook_calls: Family<OutcomeLabel, Counter>,
    pub(super) webhook_call: Histogram,
}

impl Families {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let build = Family::<Build, Gauge>::default();
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        register(
            registry,
            "darkroom_build_info",
            "Always 1; the label is the version of the program",
            &build,
        );
        let families = Self {
            uploads: Family::default(),
            upload_bytes: Counter::default(),
            http_requests: Family::default(),
            http_request_duration: Family::new_with_constructor(answers),
            jobs: Family::default(),
            job_attempts: Family::default(),
            job_retries: Family::default(),
            leases_lost: Family::default(),
            jobs_running: Family::default(),
            job_wait: Family::new_with_constructor(waits),
            stage_run: Family::new_with_constructor(runs),
            jobs_found_lost: Family::default(),
            announcements: Family::default(),
            announcement_lag: Family::new_with_constructor(waits),
            announcements_lost: Family::default(),
            captioner_calls: Family::default(),
            captioner_call: runs(),
            webhook_calls: Family::default(),
            webhook_call: runs(),
        };
        families.register_http(registry);
        families.register_jobs(registry);
        families.register_relay(registry);
        families.register_calls(registry);
        families.begin_at_zero();
        families
    }

    fn register_http(&self, registry: &mut Registry) {
        let help = "Uploads that were let in, by what became of them: accepted, repeated (known by its Idempotency-Key), or \
                    the code of the refusal. Who is not let in is counted with the HTTP requests";
        register(registry, "darkroom_uploads", help, &self.uploads);
        let help = "Bytes of the originals that were accepted";
        registry.register_with_unit("darkroom_upload", help, Unit::Bytes, self.upload_bytes.clone());
        let help = "Requests answered, by the pattern of their path. Unknown paths are `other`, and GET /api/images/{id} with \
                    `wait` is told apart";
        register(registry, "darkroom_http_requests", help, &self.http_requests);
        let help = "From the head of a request to the head of its answer; an upload is part of it, and what follows is not";
        seconds(registry, "darkroom_http_request_duration", help, &self.http_request_duration);
    }

    fn register_jobs(&self, registry: &mut Registry) {
        let help = "Jobs that ended for good, by outcome: succeeded, or the code of the failure";
        register(registry, "darkroom_jobs", help, &self.jobs);
        let help = "Claims of jobs. A job has one, and one more for each retry";
        register(registry, "darkroom_job_attempts", help, &self.job_attempts);
        let help = "Attempts that failed and are followed by another, by the code of the failure";
        register(registry, "darkroom_job_retries", help, &self.job_retries);
        let help = "Attempts whose result was discarded, because their job was in other hands or gone when they ended";
        register(registry, "darkroom_leases_lost", help, &self.leases_lost);
        register(
            registry,
            "darkroom_jobs_running",
            "Attempts that this process has in hand",
            &self.jobs_running,
        );
        let help = "How long a job had been due when it was claimed; each attempt is counted";
        seconds(registry, "darkroom_job_wait", help, &self.job_wait);
        let help = "Running time of a stage in one attempt, well or not. Waiting for memory is no part of it";
        seconds(registry, "darkroom_stage_run", help, &self.stage_run);
    }

    fn register_relay(&self, registry: &mut Registry) {
        let help = "Jobs found whose worker had vanished: queued again, or failed after their last attempt";
        register(registry, "darkroom_jobs_found_lost", help, &self.jobs_found_lost);
        let help = "Announcements of jobs to the broker: confirmed; returned, for which there is no queue; or failed, when the \
                    broker was away or silent. What was not confirmed is announced again";
        register(registry, "darkroom_announcements", help, &self.announcements);
        let help = "From when a job was due until the broker confirmed its announcement";
        seconds(registry, "darkroom_announcement_lag", help, &self.announcement_lag);
        let help = "Jobs announced again because the broker had lost them";
        register(registry, "darkroom_announcements_lost", help, &self.announcements_lost);
    }

    fn register_calls(&self, registry: &mut Registry) {
        let help = "Calls to captioners that ended, by the form of call and by outcome: succeeded, or the code of the failure";
        register(registry, "darkroom_captioner_calls", help, &self.captioner_calls);
        seconds(registry, "darkroom_captioner_call", "What a call to a captioner took", &self.captioner_call);
        let help =
            "Calls to receivers of webhooks that ended, by outcome: succeeded, or the code of the failure";
        register(registry, "darkroom_webhook_calls", help, &self.webhook_calls);
        seconds(
            registry,
            "darkroom_webhook_call",
            "What a call to a receiver of a webhook took",
            &self.webhook_call,
        );
    }

    /// A counter that appears with its first event hides that event from `rate()`. So those that matter to alerts are there
    /// from the beginning.
    fn begin_at_zero(&self) {
        drop(self.uploads.get_or_create_owned(&OutcomeLabel { outcome: "accepted" }));
        for kind in JobKind::ALL {
            let label = KindLabel::from(*kind);
            for family in
                [&self.job_attempts, &self.leases_lost, &self.jobs_found_lost, &self.announcements_lost]
            {
                drop(family.get_or_create_owned(&label));
            }
            drop(self.jobs_running.get_or_create_owned(&label));
            drop(self.job_wait.get_or_create_owned(&label));
            drop(self.announcement_lag.get_or_create_owned(&label));
            let of = |outcome| JobOutcome { kind: kind.as_str(), outcome };
            drop(self.jobs.get_or_create_owned(&of("succeeded")));
            for outcome in ["confirmed", "returned", "failed"] {
                drop(self.announcements.get_or_create_owned(&of(outcome)));
            }
        }
        for stage in Stage::ALL {
            drop(self.stage_run.get_or_create_owned(&StageLabel { stage: stage.as_str() }));
        }
    }
}

fn register(registry: &mut Registry, name: &str, help: &str, metric: &(impl Metric + Clone)) {
    registry.register(name, help, metric.clone());
}

/// The name gets `_seconds` by its unit.
fn seconds(registry: &mut Registry, name: &str, help: &str, metric: &(impl Metric + Clone)) {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
}

/// Answers are quick, or wait for a dependency, or are whole uploads.
fn answers() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0])
}

/// From a queue that is empty to a backlog of half a day.
fn waits() -> Histogram {
    Histogram::new([
        0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0,
    ])
}

/// From a header that is read to a captioner that takes its time.
fn runs() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
    ])
}
