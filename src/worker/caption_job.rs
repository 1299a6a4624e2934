//! The caption job: one call, with the upright medium thumbnail.

use super::Worker;
use super::attempt::{Outcome, failed_run, storage_failure, within};
use crate::domain::{Failure, FailureCode, FileKey, Stage, StageRun, ThumbnailFormat};
use crate::store::Ending;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

impl Worker {
    pub(super) async fn caption_job(
        &self,
        medium: &FileKey,
        format: ThumbnailFormat,
        cancelled: &CancellationToken,
    ) -> Outcome {
        let begun = Instant::now();
        let asking = within(self.settings.worker.caption_limit, self.ask(medium, format));
        let result = cancelled.run_until_cancelled(asking).await.unwrap_or_else(|| {
            Err(Failure::transient(FailureCode::CaptionerUnavailable, "the lease was lost during the call"))
        });
        let run = match &result {
            Ok(_) => StageRun { stage: Stage::Caption, run: begun.elapsed(), failure: None },
            Err(failure) => failed_run(Stage::Caption, begun, failure),
        };
        Outcome { history: vec![run].into(), result: result.map(Ending::Caption) }
    }

    async fn ask(&self, medium: &FileKey, format: ThumbnailFormat) -> Result<String, Failure> {
        let captioner = self.captioner.as_ref().ok_or_else(|| {
            Failure::permanent(FailureCode::CaptionerMisconfigured, "this worker has no captioner configured")
        })?;
        let picture = self.files.read_whole(medium).await.map_err(|error| storage_failure(&error))?;
        captioner.caption(&picture, format.media_type()).await.map(|caption| caption.text)
    }
}
