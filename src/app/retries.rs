//! `darkroom --retry-failed`: everything that has failed is asked for again, a few images at a time.
//!
//! Only rows are written; the relay of the API that runs announces the jobs. It may be broken off anywhere and begun anew:
//! what was queued is not failed any more.

use super::connect::{BACKOFF, known_store};
use crate::domain::{FailureCode, ImageId, JobKind};
use crate::settings::Settings;
use crate::store::{FailedImage, Store, StoreError};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use tokio_util::sync::CancellationToken;

/// Images retried in one transaction: whoever waits for one of them does not wait long.
const BATCH: u64 = 100;

/// How often one step is tried while Postgres is away.
const TRIES: u32 = 6;

/// What is to be retried.
#[derive(Debug, Clone)]
pub struct RetryChoice {
    /// Of which kind: images, captions of images that did not fail, or the newest webhook of each image.
    pub kind: JobKind,
    /// Only failures with one of these codes; none for all.
    pub codes: Vec<FailureCode>,
    /// At most this many.
    pub limit: Option<u64>,
    /// Only count.
    pub dry_run: bool,
}

/// What was queued, or would have been.
#[derive(Debug)]
#[must_use]
pub struct RetryReport {
    choice: RetryChoice,
    by_code: BTreeMap<String, u64>,
    /// Why it ended before its time, if it did.
    pub unfinished: Option<anyhow::Error>,
}

/// Retries what `choice` says, until all of it is queued or `stop`.
///
/// # Errors
/// If no database is known. What fails later is told in the report, with what was done before.
pub async fn retry_failed(
    settings: &Settings,
    choice: RetryChoice,
    stop: &CancellationToken,
) -> anyhow::Result<RetryReport> {
    let store = known_store(settings)?;
    let mut report = RetryReport { choice, by_code: BTreeMap::new(), unfinished: None };
    report.unfinished = report.fill(&store, stop).await.err();
    Ok(report)
}

impl RetryReport {
    /// How many, of all codes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_code.values().sum()
    }

    fn left(&self) -> u64 {
        self.choice.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.total()))
    }

    async fn fill(&mut self, store: &Store, stop: &CancellationToken) -> anyhow::Result<()> {
        let kind = self.choice.kind;
        let mut walk = tried(|| store.failed(kind)).await?;
        while self.left() > 0 {
            let ahead = walk.clone();
            let step = tried(|| {
                let mut walk = ahead.clone();
                async move { Ok((store.next_failed(&mut walk).await?, walk)) }
            });
            let (met, after) = step.await?;
            walk = after;
            let Some(mut met) = met else { break };
            let codes = &self.choice.codes;
            met.retain(|failed| codes.is_empty() || codes.iter().any(|code| code.as_str() == failed.code));
            let mut met = met.as_slice();
            while !met.is_empty() && self.left() > 0 {
                anyhow::ensure!(!stop.is_cancelled(), "told to stop");
                let batch = usize::try_from(BATCH.min(self.left())).unwrap_or(usize::MAX).min(met.len());
                let (now, later) = met.split_at(batch);
                self.retry(store, kind, now).await?;
                met = later;
            }
        }
        Ok(())
    }

    async fn retry(&mut self, store: &Store, kind: JobKind, failed: &[FailedImage]) -> anyhow::Result<()> {
        let images: Vec<ImageId> = failed.iter().map(|failed| failed.image).collect();
        let queued = match self.choice.dry_run {
            true => images,
            false => tried(|| store.retry_all(kind, &images)).await?,
        };
        for failed in failed.iter().filter(|failed| queued.contains(&failed.image)) {
            *self.by_code.entry(failed.code.clone()).or_default() += 1;
        }
        Ok(())
    }
}

/// Waits out a database that is away for some seconds, and does not wait for ever: somebody sits before it.
pub(super) async fn tried<T, F>(step: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    tried_while(StoreError::is_transient, step).await
}

/// As [`tried`], for any dependency.
pub(super) async fn tried_while<T, E, F>(
    is_transient: impl Fn(&E) -> bool,
    step: impl Fn() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut failures = 0;
    loop {
        match step().await {
            Err(error) if is_transient(&error) && failures + 1 < TRIES => {
                failures += 1;
                tokio::time::sleep(BACKOFF.delay(failures, rand::random())).await;
            }
            settled => return settled,
        }
    }
}

impl fmt::Display for RetryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.choice.kind {
            JobKind::Image => "images",
            JobKind::Caption => "captions",
            JobKind::Webhook => "webhooks",
        };
        let done = if self.choice.dry_run { "would be queued again" } else { "queued again" };
        writeln!(f, "{} failed {what} {done}", self.total())?;
        for (code, count) in &self.by_code {
            writeln!(f, "  {code:<24} {count:>8}")?;
        }
        if self.unfinished.is_some() && !self.choice.dry_run {
            writeln!(f, "not finished; the same command goes on from here")?;
        }
        Ok(())
    }
}
