//! `GET /api/stats`.

use super::Tag;
use super::envelope::StatsAnswer;
use super::refusal::ReadRefusal;
use super::schema::tenths;
use super::state::State;
use crate::store;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use std::collections::BTreeMap;

/// What the whole is doing, at one moment.
#[derive(Object)]
pub(super) struct Stats {
    total_images: i64,
    successful: i64,
    failed: i64,
    processing: i64,
    /// Percent of the finished images; 0 if none is finished.
    success_rate: f64,
    /// From upload to final status, over the successful images; 0 if there is none.
    average_processing_time_seconds: f64,
    /// Image and caption jobs that wait for a worker.
    queue_depth: i64,
    /// How long the oldest of these has waited since it was due.
    oldest_waiting_seconds: f64,
    /// Images finished in the last minute.
    last_minute: i64,
    /// By stage: `metadata`, `thumbnails`, `caption`.
    stages: BTreeMap<String, StageStats>,
    /// Failed images by code.
    failures: BTreeMap<String, i64>,
    /// Bytes of originals and thumbnails.
    stored_bytes: i64,
    webhooks: WebhookStats,
}

/// How many webhooks stand where, of those that are still kept; no other number counts them.
#[derive(Object)]
struct WebhookStats {
    /// Waiting for a worker, or for the next attempt.
    waiting: i64,
    /// Being delivered.
    running: i64,
    delivered: i64,
    /// Given up.
    failed: i64,
}

/// How a stage does; times over its latest thousand runs.
#[derive(Object)]
struct StageStats {
    /// Runs ever.
    count: i64,
    /// Of these, failed.
    failed: i64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    /// 95th percentile of the wait for a worker.
    queue_p95_ms: f64,
}

#[derive(ApiResponse)]
enum StatsResponse {
    /// The statistics.
    #[oai(status = 200, content_type = "application/json")]
    Found(Json<StatsAnswer>),
}

pub(super) struct StatsApi;

#[OpenApi(tag = "Tag::Statistics")]
impl StatsApi {
    /// What the whole is doing
    ///
    /// Counts, rates, waiting and running times. Cheap at any number of images.
    #[oai(path = "/api/stats", method = "get", operation_id = "get_stats")]
    async fn get_stats(&self, state: Data<&State>) -> Result<StatsResponse, ReadRefusal> {
        let stats = state.bounded(state.store.stats()).await?;
        Ok(StatsResponse::Found(Json(Stats::from(stats).into())))
    }
}

impl From<store::Stats> for Stats {
    fn from(stats: store::Stats) -> Self {
        let finished = stats.successful + stats.failed;
        let stages = stats.stages.into_iter().map(|(name, stage)| (name, stage.into())).collect();
        Self {
            total_images: stats.total,
            successful: stats.successful,
            failed: stats.failed,
            processing: stats.processing,
            success_rate: ratio(100.0 * stats.successful as f64, finished),
            average_processing_time_seconds: ratio(stats.seconds_of_successful, stats.successful),
            queue_depth: stats.queue_depth,
            oldest_waiting_seconds: stats.oldest_waiting_seconds,
            last_minute: stats.last_minute,
            stages,
            failures: stats.failures,
            stored_bytes: stats.stored_bytes,
            webhooks: stats.webhooks.into(),
        }
    }
}

impl From<store::WebhookStats> for WebhookStats {
    fn from(webhooks: store::WebhookStats) -> Self {
        let store::WebhookStats { waiting, running, delivered, failed } = webhooks;
        Self { waiting, running, delivered, failed }
    }
}

impl From<store::StageStats> for StageStats {
    fn from(stage: store::StageStats) -> Self {
        Self {
            count: stage.count,
            failed: stage.failed,
            p50_ms: tenths(stage.p50_ms),
            p95_ms: tenths(stage.p95_ms),
            p99_ms: tenths(stage.p99_ms),
            queue_p95_ms: tenths(stage.queue_p95_ms),
        }
    }
}

fn ratio(of: f64, by: i64) -> f64 {
    if by == 0 { 0.0 } else { of / by as f64 }
}
