//! `darkroom --fill-in`: images that an earlier version processed get what a later one makes of each, a few at a time.
//!
//! Thumbnails are read and rows are written, while API and workers run; nothing is queued. It may be broken off anywhere and
//! begun anew.

use super::connect::known_store;
use super::retries::{tried, tried_while};
use crate::files::{FileError, Files};
use crate::settings::Settings;
use crate::worker::look_again;
use tokio_util::sync::CancellationToken;

/// What was filled in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct FilledIn {
    /// Names of cameras.
    pub cameras: u64,
    /// Perceptual hashes.
    pub hashes: u64,
    /// Thumbnails that are missing or damaged, and told in the log.
    pub unreadable: u64,
}

/// Walks over all images, until the last or `stop`; what was done by then is done.
///
/// # Errors
/// If no database is known, the volume is another installation's, or a dependency, the volume
/// among them, stays away.
pub async fn fill_in(settings: &Settings, stop: &CancellationToken) -> anyhow::Result<FilledIn> {
    let store = known_store(settings)?;
    let files = Files::open(&settings.files).await?;
    let installation = tried(|| store.installation()).await?;
    files.belong_to(&installation, false).await?;
    let (mut filled_in, mut after) = (FilledIn::default(), None);
    while let Some(step) = tried(|| store.next_to_fill_in(after)).await? {
        anyhow::ensure!(
            !stop.is_cancelled(),
            "told to stop; what was done stays done, and the same command does the rest"
        );
        after = Some(step.last);
        // The files that are missing are among what was seen: what fails here is the volume.
        let seen = tried_while(|_: &FileError| true, || look_again(&files, &step)).await?;
        let filled = seen.filled;
        if !filled.is_empty() {
            tried(|| store.fill_in(&filled)).await?;
        }
        let count = |filled: usize| u64::try_from(filled).unwrap_or(u64::MAX);
        filled_in.cameras += count(filled.iter().filter(|filled| filled.camera.is_some()).count());
        filled_in.unreadable += seen.unreadable;
        filled_in.hashes += count(filled.iter().filter(|filled| filled.hash.is_some()).count());
    }
    Ok(filled_in)
}
