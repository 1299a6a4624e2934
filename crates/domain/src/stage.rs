//! Stages: what a caller sees of the work inside the jobs, with its timings.

use super::image::named;
use super::{Failure, JobKind};
use std::time::Duration;

/// A step of the work that is timed and reported on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Reading the header and Exif.
    Metadata,
    /// Decoding, resizing and encoding.
    Thumbnails,
    /// Asking for a caption.
    Caption,
}
named!(Stage, "stage", { Metadata => "metadata", Thumbnails => "thumbnails", Caption => "caption" });

impl Stage {
    /// The kind of job that runs this stage.
    #[must_use]
    pub const fn job_kind(self) -> JobKind {
        match self {
            Self::Metadata | Self::Thumbnails => JobKind::Image,
            Self::Caption => JobKind::Caption,
        }
    }
}

/// Where a stage of an image stands, as callers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageStatus {
    /// To be done.
    Waiting,
    /// A worker has it in hand.
    Running,
    /// Done.
    Success,
    /// Given up.
    Failed,
    /// Not to be done: captions are disabled, or the image failed before.
    Skipped,
}
named!(StageStatus, "stage status", {
    Waiting => "waiting", Running => "running", Success => "success", Failed => "failed", Skipped => "skipped",
});

/// One run of one stage in one attempt, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StageRun {
    /// Which stage.
    pub stage: Stage,
    /// How long it ran, by the monotonic clock.
    pub run: Duration,
    /// Why it did not succeed, where it did not.
    pub failure: Option<Failure>,
}
