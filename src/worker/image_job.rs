//! The image job: read, look, draw, keep.

use super::Worker;
use super::admission::Admitted;
use super::attempt::{Outcome, failed_run, storage_failure, within};
use crate::domain::{
    Failure, FailureCode, FileKey, Finding, Metadata, PerceptualHash, Stage, StageRun, ThumbnailSize,
};
use crate::own_thread::on_own_thread;
use crate::pipeline::{self, Thumbnail, Thumbnails};
use crate::probe::{self, Header, ProbeError};
use crate::store::{Ending, Lease, MadeImage, MadeThumbnail};
use crate::traces;
use std::future::Future;
use std::io::Cursor;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// An original as the stages share it.
struct Source {
    bytes: Vec<u8>,
    header: Header,
    /// What it takes in memory, in bytes: the file, and making thumbnails of it.
    weight: u64,
}

/// What was made of an original, with the thumbnails kept.
struct Drawn {
    thumbnails: [MadeThumbnail; 2],
    perceptual_hash: Option<PerceptualHash>,
    findings: Vec<Finding>,
    warnings: Vec<String>,
}

impl Worker {
    pub(super) async fn image_job(
        &self,
        lease: Lease,
        original: &FileKey,
        name: &str,
        cancelled: &CancellationToken,
    ) -> Outcome {
        let mut runs = Vec::with_capacity(2);

        let begun = Instant::now();
        let (source, mut metadata) = match within(self.settings.worker.image_limit, self.look(original)).await
        {
            Ok(looked) => looked,
            Err(failure) => {
                runs.push(failed_run(Stage::Metadata, begun, &failure));
                return Outcome { history: runs.into(), result: Err(failure) };
            }
        };
        runs.push(StageRun { stage: Stage::Metadata, run: begun.elapsed(), failure: None });

        // Waiting is not counted: neither as running time nor against the limit.
        let admitted = self.admission.admit(source.weight).instrument(traces::stage("wait for a turn")).await;
        let begun = Instant::now();
        let drawing = self.draw(source, &metadata, admitted, cancelled.clone());
        let made = async {
            let drawn = within(self.settings.worker.image_limit, drawing).await?;
            self.keep_all(lease, original, drawn).await
        };
        let result = match made.await {
            Ok(Drawn { thumbnails, perceptual_hash, mut findings, warnings }) => {
                findings.extend(pipeline::name_contradicts_content(name, metadata.format));
                metadata.warnings.extend(warnings);
                runs.push(StageRun { stage: Stage::Thumbnails, run: begun.elapsed(), failure: None });
                metadata.description.take_if(|_| !self.settings.captioner.read_descriptions);
                let described = metadata.description.is_some();
                let asks = self.settings.captioner.ask_if_described || !described;
                let wants_caption = self.settings.captioner.form().is_some() && asks;
                Ok(Ending::Image(Box::new(MadeImage {
                    metadata,
                    thumbnails,
                    perceptual_hash,
                    findings,
                    wants_caption,
                })))
            }
            Err(failure) => {
                runs.push(failed_run(Stage::Thumbnails, begun, &failure));
                Err(failure)
            }
        };
        Outcome { history: runs.into(), result }
    }

    /// Reads the file, its header and its metadata.
    async fn look(&self, original: &FileKey) -> Result<(Source, Metadata), Failure> {
        // Less than the limit of the stage, so that a volume that hangs is told apart from a decoder that does.
        let (files, original) = (self.files.clone(), original.clone());
        let looking = on_own_thread(move || {
            let bytes = traces::staged_here("read original", || {
                files.load(&original).map_err(|error| storage_failure(&error))
            })?;
            let (header, metadata) = traces::staged_here("metadata", || {
                let header =
                    probe::probe(Cursor::new(bytes.as_slice())).map_err(|error| unreadable(&error))?;
                Ok((header, pipeline::read_metadata(&bytes, &header)))
            })?;
            let weight = pipeline::memory_bytes(&bytes, &header).saturating_add(bytes.len() as u64);
            Ok((Source { bytes, header, weight }, metadata))
        });
        self.unless_storage_hangs(looking).await
    }

    /// A volume that hangs may be back in a moment, so that its time is not that of the pixels.
    async fn unless_storage_hangs<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::time::timeout(self.settings.worker.image_limit / 2, work).await.unwrap_or_else(|_| {
            let text = "the volume did not answer in time";
            Err(Failure::transient(FailureCode::StorageUnavailable, text))
        })
    }

    /// Makes both thumbnails; also tells what was odd.
    async fn draw(
        &self,
        Source { bytes, header, .. }: Source,
        metadata: &Metadata,
        admitted: Admitted,
        cancelled: CancellationToken,
    ) -> Result<Thumbnails, Failure> {
        let limits = pipeline::Limits {
            max_pixels: self.settings.limits.max_pixels,
            memory_budget_bytes: self.settings.worker.memory_budget_bytes,
        };
        let orientation = metadata.orientation;
        on_own_thread(move || {
            // Given back when the pixels are gone, even if nobody waited for them that long.
            let _admitted = admitted;
            traces::staged_here("thumbnails", || {
                pipeline::make_thumbnails(&bytes, &header, orientation, &limits, &|| cancelled.is_cancelled())
            })
        })
        .await
    }

    /// Keeps both thumbnails under names of this attempt.
    async fn keep_all(
        &self,
        lease: Lease,
        original: &FileKey,
        Thumbnails { small, medium, perceptual_hash, findings, warnings }: Thumbnails,
    ) -> Result<Drawn, Failure> {
        let keeping = async {
            let (small, medium) = tokio::join!(
                self.keep(lease, original, ThumbnailSize::Small, small),
                self.keep(lease, original, ThumbnailSize::Medium, medium),
            );
            Ok([small?, medium?])
        };
        let keeping = traces::staged("write thumbnails", keeping);
        let thumbnails = self.unless_storage_hangs(keeping).await?;
        Ok(Drawn { thumbnails, perceptual_hash, findings, warnings })
    }

    async fn keep(
        &self,
        Lease { job, attempt, .. }: Lease,
        original: &FileKey,
        size: ThumbnailSize,
        Thumbnail { bytes, width, height, format }: Thumbnail,
    ) -> Result<MadeThumbnail, Failure> {
        let key = original.thumbnail(job, attempt, size, format);
        self.files.put(&key, &bytes).await.map_err(|error| storage_failure(&error))?;
        Ok(MadeThumbnail { size, key, format, width, height, size_bytes: bytes.len() as u64 })
    }
}

/// The header was read at upload, so a file that cannot be read now was changed on the volume.
fn unreadable(error: &ProbeError) -> Failure {
    Failure::permanent(FailureCode::Corrupt, format!("the header cannot be read: {error}"))
}
