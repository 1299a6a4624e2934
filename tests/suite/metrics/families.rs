//! Each metric there is, with its labels: a list that grows on purpose, or not at all.

use crate::support::exposition::Exposition;
use crate::support::ground::{Carrier, Ground};
use crate::support::pictures;
use darkroom::domain::{Backlog, FailureCode, JobKind, Stage};
use darkroom::metrics::{Connections, Database, Metrics, Readings, Volume};
use std::collections::BTreeSet;
use std::time::Duration;

/// Family, kind, labels.
pub const FAMILIES: &[(&str, &str, &[&str])] = &[
    ("darkroom_build_info", "gauge", &["version"]),
    ("darkroom_uploads", "counter", &["outcome"]),
    ("darkroom_upload_bytes", "counter", &[]),
    ("darkroom_http_requests", "counter", &["route", "method", "status"]),
    ("darkroom_http_request_duration_seconds", "histogram", &["route"]),
    ("darkroom_jobs", "counter", &["kind", "outcome"]),
    ("darkroom_job_attempts", "counter", &["kind"]),
    ("darkroom_job_retries", "counter", &["kind", "reason"]),
    ("darkroom_leases_lost", "counter", &["kind"]),
    ("darkroom_jobs_running", "gauge", &["kind"]),
    ("darkroom_job_wait_seconds", "histogram", &["kind"]),
    ("darkroom_stage_run_seconds", "histogram", &["stage"]),
    ("darkroom_jobs_found_lost", "counter", &["kind"]),
    ("darkroom_announcements", "counter", &["kind", "outcome"]),
    ("darkroom_announcement_lag_seconds", "histogram", &["kind"]),
    ("darkroom_announcements_lost", "counter", &["kind"]),
    ("darkroom_captioner_calls", "counter", &["provider", "outcome"]),
    ("darkroom_captioner_call_seconds", "histogram", &[]),
    ("darkroom_webhook_calls", "counter", &["outcome"]),
    ("darkroom_webhook_call_seconds", "histogram", &[]),
    ("darkroom_database_up", "gauge", &[]),
    ("darkroom_jobs_waiting", "gauge", &["kind"]),
    ("darkroom_jobs_unannounced", "gauge", &["kind"]),
    ("darkroom_jobs_postponed", "gauge", &["kind"]),
    ("darkroom_oldest_waiting_seconds", "gauge", &["kind"]),
    ("darkroom_database_connections", "gauge", &[]),
    ("darkroom_database_connections_idle", "gauge", &[]),
    ("darkroom_database_connections_max", "gauge", &[]),
    ("darkroom_database_connections_awaited", "gauge", &[]),
    ("darkroom_volume_up", "gauge", &[]),
    ("darkroom_volume_free_bytes", "gauge", &[]),
    ("darkroom_volume_size_bytes", "gauge", &[]),
    ("darkroom_event_clients", "gauge", &[]),
    ("process_cpu_seconds", "counter", &[]),
    ("process_resident_memory_bytes", "gauge", &[]),
    ("process_virtual_memory_bytes", "gauge", &[]),
    ("process_start_time_seconds", "gauge", &[]),
    ("process_open_fds", "gauge", &[]),
    ("process_max_fds", "gauge", &[]),
    ("process_threads", "gauge", &[]),
];

/// Everything that can be counted, once each.
fn all_of_it() -> Exposition {
    let (metrics, second) = (Metrics::default(), Duration::from_secs(1));
    metrics.upload_accepted(5);
    metrics.request_answered("/api/images", "POST", 202, second);
    for kind in JobKind::ALL {
        drop(metrics.attempt_begins(*kind, second));
        metrics.job_succeeded(*kind);
        metrics.lease_lost(*kind);
        for code in FailureCode::ALL {
            metrics.job_retried(*kind, *code);
            metrics.job_failed(*kind, *code);
        }
        metrics.announced(*kind, second);
        metrics.announcements_lost(*kind, 2);
        metrics.job_found_lost(*kind);
    }
    Stage::ALL.iter().for_each(|stage| metrics.stage_ran(*stage, second));
    metrics.captioner_called("openai_chat", None, second);
    metrics.webhook_called(Some(FailureCode::WebhookGone), second);
    let backlog = |kind: &JobKind| Backlog {
        kind: *kind,
        announced: 2,
        unannounced: 1,
        postponed: 0,
        oldest: Duration::from_secs(3),
    };
    let readings = Readings {
        database: Database::Answers(JobKind::ALL.iter().map(backlog).collect()),
        connections: Connections { open: 3, idle: 1, waiting: 0, most: 16 },
        volume: Volume::Bounded { free: 10, total: 100 },
        event_clients: Some(0),
    };
    Exposition::parse(metrics.tell(&readings).unwrap())
}

#[test]
fn the_list_of_metrics_and_their_labels_is_fixed() {
    let told = all_of_it();
    let names: BTreeSet<_> = told.families.keys().map(String::as_str).collect();
    assert_eq!(names, FAMILIES.iter().map(|(name, ..)| *name).collect());
    for (name, kind, labels) in FAMILIES {
        assert_eq!(told.families[*name].kind, *kind, "{name}");
        assert_eq!(told.labels(name), labels.iter().copied().collect(), "{name}");
    }
    assert_eq!(told.sum("darkroom_jobs_waiting", &[("kind", "image")]), 3.0);
    // Each code of each kind, and not one more.
    let outcomes = JobKind::ALL.len() * (FailureCode::ALL.len() + 1);
    assert_eq!(told.samples.iter().filter(|sample| sample.family == "darkroom_jobs").count(), outcomes);
}

#[tokio::test]
async fn the_program_tells_what_is_on_the_list() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let id = app.client.upload("a.jpg", &pictures::jpeg(64, 64)).await;
    app.client.settled(id).await;
    let told = Exposition::of(&app.client).await;
    for name in told.families.keys() {
        let known = FAMILIES.iter().find(|(known, ..)| known == name);
        let (_, _, labels) = known.unwrap_or_else(|| panic!("{name} is not on the list"));
        assert!(told.labels(name).is_subset(&labels.iter().copied().collect()), "{name}");
    }
    // Without a captioner there are no calls to one, nor is anything else tried again.
    let mut absent = vec!["darkroom_captioner_calls", "darkroom_webhook_calls", "darkroom_job_retries"];
    if ground.bucket.is_some() {
        // It has no end.
        absent.extend(["darkroom_volume_free_bytes", "darkroom_volume_size_bytes"]);
    }
    for (name, ..) in FAMILIES.iter().filter(|(name, ..)| !absent.contains(name)) {
        assert!(told.samples.iter().any(|sample| sample.family == *name), "{name} is told");
    }
    let process = |name: &str| told.sum(name, &[]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - process("process_start_time_seconds");
    assert!((-2.0..3600.0).contains(&age), "started {age} seconds ago");
    assert!(process("process_resident_memory_bytes") > 1e6 && process("process_cpu_seconds_total") > 0.0);
    assert!(process("process_threads") >= 2.0);
    assert!((3.0..process("process_max_fds")).contains(&process("process_open_fds")));
    assert!(told.text.len() < 64 * 1024, "{} bytes", told.text.len());
    app.stop().await;
}
