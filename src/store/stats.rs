//! The statistics: kept counts, and percentiles over the latest runs. None of it reads the whole of a table.

use super::error::Doing;
use super::{Store, StoreError, begin_reading, commit, query, query_one, without_sorting};
use std::collections::BTreeMap;

/// Over how many of the latest runs of a stage the percentiles are taken.
const PERCENTILE_WINDOW: i64 = 1000;

/// The state of the whole, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Images that exist.
    pub total: i64,
    /// Of these, successful.
    pub successful: i64,
    /// Of these, failed.
    pub failed: i64,
    /// Of these, in processing.
    pub processing: i64,
    /// Upload to final status, summed over the successful ones, in seconds.
    pub seconds_of_successful: f64,
    /// Bytes of originals and thumbnails.
    pub stored_bytes: i64,
    /// Image and caption jobs that wait.
    pub queue_depth: i64,
    /// How long the oldest due job has waited, in seconds.
    pub oldest_waiting_seconds: f64,
    /// Images finished in the last minute; of more than 100,000, these.
    pub last_minute: i64,
    /// By stage.
    pub stages: BTreeMap<String, StageStats>,
    /// Failed images by code.
    pub failures: BTreeMap<String, i64>,
    /// Webhooks, which none of the numbers above counts.
    pub webhooks: WebhookStats,
}

/// How many webhooks stand where, of those that are still kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebhookStats {
    /// Waiting for a worker, or for the next attempt.
    pub waiting: i64,
    /// In the hands of a worker.
    pub running: i64,
    /// Delivered.
    pub delivered: i64,
    /// Given up.
    pub failed: i64,
}

/// The state of a stage; times in milliseconds over the last thousand runs.
#[derive(Debug, Clone, Default)]
pub struct StageStats {
    /// Runs ever.
    pub count: i64,
    /// Of these, failed.
    pub failed: i64,
    /// Median of the running time.
    pub p50_ms: f64,
    /// 95th percentile of the running time.
    pub p95_ms: f64,
    /// 99th percentile of the running time.
    pub p99_ms: f64,
    /// 95th percentile of the waiting time.
    pub queue_p95_ms: f64,
}

impl Store {
    /// Reads the statistics at one moment.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let doing = "reading the statistics";
        let mut client = self.client(doing).await?;
        let transaction = begin_reading(&mut client).await.doing(doing)?;
        without_sorting(&transaction, doing).await?;
        let mut stats = Stats::default();
        for row in query(&transaction, "select name, n from tally_totals", &[]).await.doing(doing)? {
            count(&mut stats, row.get("name"), row.get("n"));
        }
        // In the order of an index and with an end: else a planner without statistics reads the whole table.
        let sql = "
            select (select count(*) from (
                       select from images where completed_at > now() - interval '1 minute'
                       order by completed_at desc limit 100000) finished) as last_minute,
                   coalesce(extract(epoch from now() - (
                       select min(due_at) from jobs where state = 'queued' and kind <> 'webhook')), 0)::float8 as oldest";
        let row = query_one(&transaction, sql, &[]).await.doing(doing)?;
        stats.last_minute = row.get("last_minute");
        // A retry that is not due yet lies in the future.
        stats.oldest_waiting_seconds = row.get::<_, f64>("oldest").max(0.0);
        // A range of one stage, and not an equality: by the primary key, which would serve the order then, a stage that has
        // not run for long is looked for in the whole history.
        let sql = "
            select s.stage, percentile_cont(array[0.5, 0.95, 0.99]) within group (order by r.run_ms) as run,
                   percentile_cont(0.95) within group (order by r.queue_ms) as queue
            from unnest(array['metadata', 'thumbnails', 'caption']) as s (stage)
            cross join lateral (
                select run_ms, queue_ms from stage_runs where stage >= s.stage and stage <= s.stage
                order by stage, id desc limit $1) r
            group by s.stage";
        for row in query(&transaction, sql, &[&PERCENTILE_WINDOW]).await.doing(doing)? {
            let stage = stats.stages.entry(row.get("stage")).or_default();
            if let [p50, p95, p99] = row.get::<_, Vec<f64>>("run")[..] {
                (stage.p50_ms, stage.p95_ms, stage.p99_ms) = (p50, p95, p99);
            }
            stage.queue_p95_ms = row.get("queue");
        }
        commit(transaction).await.doing(doing)?;
        Ok(stats)
    }
}

/// Puts a kept count where it belongs; the triggers in `migrations/` write the names.
fn count(stats: &mut Stats, name: &str, n: i64) {
    match name.split('.').collect::<Vec<_>>()[..] {
        ["images"] => stats.total = n,
        ["images", "success"] => stats.successful = n,
        ["images", "failed"] => stats.failed = n,
        ["images", "processing"] => stats.processing = n,
        ["bytes"] => stats.stored_bytes = n,
        ["microseconds"] => stats.seconds_of_successful = n as f64 / 1e6,
        ["queued"] => stats.queue_depth = n,
        ["webhooks", "queued"] => stats.webhooks.waiting = n,
        ["webhooks", "running"] => stats.webhooks.running = n,
        ["webhooks", "succeeded"] => stats.webhooks.delivered = n,
        ["webhooks", "failed"] => stats.webhooks.failed = n,
        ["failures", code] if n > 0 => drop(stats.failures.insert(code.to_owned(), n)),
        ["stages", stage, "count"] => stats.stages.entry(stage.to_owned()).or_default().count = n,
        ["stages", stage, "failed"] => stats.stages.entry(stage.to_owned()).or_default().failed = n,
        _ => {}
    }
}
