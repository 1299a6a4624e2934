//! Due jobs reach the broker; what was lost on the way is found again; events come into order; files that belong to nobody
//! are removed.
//!
//! Any number of relays may run beside each other: rows are taken with `skip locked`.

mod announce;
mod number;
mod reaper;
mod recovery;
mod sweep;

pub use sweep::{SweepError, orphans};

use crate::domain::JobKind;
use crate::files::Files;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::store::{Notices, Store};
use futures_util::future::join_all;
use recovery::repeat;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The loops and what they need.
pub struct Relay {
    store: Store,
    queue: Queue,
    files: Files,
    notices: Notices,
    metrics: Metrics,
    poll: Duration,
    reannounce_after: Duration,
    sweep_after: Duration,
    sweep_every: Duration,
    max_attempts: Vec<(JobKind, u32)>,
    lease: Duration,
    history: Option<Duration>,
    events: Option<Duration>,
}

impl Relay {
    /// A relay from `store` to `queue`.
    #[must_use]
    pub fn new(
        store: Store,
        queue: Queue,
        files: Files,
        notices: Notices,
        metrics: Metrics,
        settings: &Settings,
    ) -> Self {
        Self {
            store,
            queue,
            files,
            notices,
            metrics,
            poll: settings.relay.poll,
            reannounce_after: settings.relay.reannounce,
            sweep_after: settings.files.sweep_after,
            sweep_every: settings.files.sweep_every,
            max_attempts: JobKind::ALL
                .iter()
                .map(|kind| (*kind, settings.retry_policy(*kind).max_attempts))
                .collect(),
            lease: settings.worker.lease,
            history: settings.retention.history(),
            events: settings.retention.events(),
        }
    }

    /// Runs until `stop`. Batches that are being announced are brought to their end, or their jobs would have to wait for the
    /// end of a lease; the rest can be broken off anywhere.
    pub async fn run(self, stop: CancellationToken) {
        let rest = async {
            tokio::join!(
                self.rescue_for_ever(),
                self.find_lost_for_ever(),
                self.keep_house_for_ever(),
                self.number_events_for_ever(),
                self.sweep_for_ever()
            )
        };
        let announcing = JobKind::ALL.iter().map(|kind| self.announce_until(*kind, &stop));
        tokio::join!(join_all(announcing), stop.run_until_cancelled(rest));
    }

    async fn rescue_for_ever(&self) {
        repeat("rescuing jobs", self.poll, |health| async move {
            if health.is_sound_for(self.lease) { self.rescue().await } else { self.store.check().await }
        })
        .await;
    }

    async fn keep_house_for_ever(&self) {
        repeat("housekeeping", self.poll, |_| self.keep_house()).await;
    }

    async fn find_lost_for_ever(&self) {
        repeat("looking for lost announcements", self.poll, |_| self.find_lost_announcements()).await;
    }

    async fn sweep_for_ever(&self) {
        repeat("sweeping files", self.sweep_every, |_| self.sweep()).await;
    }
}
