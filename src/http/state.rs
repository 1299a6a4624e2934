//! What the handlers share.

use super::events::Feed;
use super::refusal::Refusal;
use crate::files::Files;
use crate::intake::{Intake, Limits};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::store::{Notices, Store};
use crate::webhooks::Callbacks;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Everything a request may need.
#[derive(Clone)]
pub struct State {
    pub(super) store: Store,
    pub(super) files: Files,
    pub(super) intake: Intake,
    pub(super) notices: Notices,
    pub(super) feed: Feed,
    pub(super) callbacks: Callbacks,
    pub(super) metrics: Metrics,
    pub(super) max_upload_bytes: u64,
    pub(super) upload_total: Duration,
    pub(super) upload_idle: Duration,
    pub(super) request: Duration,
    /// The process is ending: nobody is kept waiting any more.
    pub(super) stop: CancellationToken,
    uploads: Arc<Semaphore>,
}

impl State {
    /// The state of a server with these parts.
    #[must_use]
    pub fn new(
        store: Store,
        files: Files,
        notices: Notices,
        feed: Feed,
        metrics: Metrics,
        settings: &Settings,
        stop: CancellationToken,
    ) -> Self {
        let (http, limits) = (&settings.http, &settings.limits);
        let accepted = Limits {
            max_upload_bytes: limits.max_upload_bytes,
            max_pixels: limits.max_pixels,
            idle: http.upload_idle,
            record: http.request,
        };
        Self {
            intake: Intake::new(store.clone(), files.clone(), notices.clone(), accepted),
            store,
            files,
            notices,
            feed,
            callbacks: Callbacks::from_settings(&settings.webhooks),
            metrics,
            max_upload_bytes: limits.max_upload_bytes,
            upload_total: http.upload_total,
            upload_idle: http.upload_idle,
            request: http.request,
            stop,
            uploads: Arc::new(Semaphore::new(limits.max_uploads_in_hand)),
        }
    }

    /// A place among the uploads in hand, if there is one.
    pub(super) fn begin_upload(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.uploads.clone().try_acquire_owned().map_err(|_| Refusal::TooManyUploads)
    }

    /// Bounds an ordinary request in time.
    pub(super) async fn bounded<T, E: Into<Refusal>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Refusal> {
        match tokio::time::timeout(self.request, work).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) => Err(Refusal::TimedOut),
        }
    }
}
