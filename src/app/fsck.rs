//! `darkroom --fsck`: are the files that rows name on the volume, whole, and are there others? Nothing is changed.
//!
//! It may run beside API and workers: what seems to be missing is only told if a row names it still.

use super::connect::known_store;
use super::retries::{tried, tried_while};
use crate::domain::{FileKey, reason};
use crate::files::{FileError, Files};
use crate::relay::{SweepError, orphans};
use crate::settings::Settings;
use crate::store::NamedFile;
use futures_util::{StreamExt, TryStreamExt};
use std::fmt;
use tokio_util::sync::CancellationToken;

/// Files looked at at a time, since a volume on the network takes its time for each.
const AT_A_TIME: usize = 16;

/// What was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Checked {
    /// Images looked at.
    pub images: u64,
    /// Files that are as their rows say.
    pub sound: u64,
    /// Files that rows name and that are not there.
    pub missing: u64,
    /// Files of another length or content than their rows say, or that cannot be read.
    pub damaged: u64,
    /// Files that no row names, old enough for the sweep, which removes them by itself.
    pub orphans: u64,
}

impl Checked {
    /// Whether all that rows name is there and whole.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.missing == 0 && self.damaged == 0
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { images, sound, missing, damaged, orphans } = self;
        write!(
            f,
            "checked: {images} images; {sound} files are sound, {missing} missing, {damaged} damaged; {orphans} belong to nobody"
        )
    }
}

/// What is wrong with a file.
#[derive(Debug)]
enum Fault {
    Missing,
    Damaged,
    /// The volume is there, and does not give it away: a bad sector, or a right that is missing.
    Unreadable(FileError),
}

/// Compares rows and files, and calls `tell` with a line for each difference. Originals are read and digested if `contents`;
/// otherwise only lengths are compared.
///
/// # Errors
/// If no database is known, the volume is another installation's, a dependency, the volume among them, is away, `tell`
/// fails, or `stop`.
pub async fn fsck(
    settings: &Settings,
    contents: bool,
    stop: &CancellationToken,
    mut tell: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<Checked> {
    let store = known_store(settings)?;
    let files = Files::at(&settings.files)?;
    let installation = tried(|| store.installation()).await?;
    files.belong_to(&installation, false).await?;
    let (mut checked, mut after) = (Checked::default(), None);
    while let Some(step) = tried(|| store.next_named_files(after)).await? {
        let checking = futures_util::stream::iter(&step.files)
            .take_until(stop.cancelled())
            .map(async |file| anyhow::Ok((file, fault(&files, &installation, file, contents).await?)))
            .buffered(AT_A_TIME);
        let faults: Vec<(&NamedFile, Fault)> = checking
            .try_filter_map(async |(file, fault)| Ok(fault.map(|fault| (file, fault))))
            .try_collect()
            .await?;
        anyhow::ensure!(!stop.is_cancelled(), "told to stop before the end; so far: {checked}");
        after = Some(step.last);
        checked.images += step.images;
        checked.sound += u64::try_from(step.files.len() - faults.len()).unwrap_or_default();
        let keys: Vec<FileKey> = faults.iter().map(|(file, _)| file.key.clone()).collect();
        let named = if keys.is_empty() { <_>::default() } else { tried(|| store.named_files(&keys)).await? };
        // The others were deleted or replaced while they were looked at.
        for (NamedFile { image, key, .. }, fault) in
            faults.iter().filter(|(file, _)| named.contains(&file.key))
        {
            match fault {
                Fault::Missing => {
                    checked.missing += 1;
                    tell(&format!("missing {key} of image {image}\n"))?;
                }
                Fault::Damaged => {
                    checked.damaged += 1;
                    tell(&format!("damaged {key} of image {image}\n"))?;
                }
                Fault::Unreadable(error) => {
                    checked.damaged += 1;
                    tell(&format!("damaged {key} of image {image}: {}\n", reason(error)))?;
                }
            }
        }
    }
    for shelf in files.shelves().await? {
        anyhow::ensure!(!stop.is_cancelled(), "told to stop before the end; so far: {checked}");
        let searching = || orphans(&store, &files, &shelf, settings.files.sweep_after);
        let passes = |error: &SweepError| match error {
            SweepError::Store(error) => error.is_transient(),
            SweepError::Files(error) => error.may_pass(),
        };
        for orphan in tried_while(passes, searching).await? {
            checked.orphans += 1;
            tell(&format!("orphan {orphan}\n"))?;
        }
    }
    Ok(checked)
}

/// What is wrong with a file, if anything is.
///
/// # Errors
/// If the volume is away, which says nothing about any file.
async fn fault(
    files: &Files,
    installation: &str,
    file: &NamedFile,
    contents: bool,
) -> Result<Option<Fault>, FileError> {
    let looking = || async {
        match (contents, file.sha256) {
            (true, Some(due)) => files.digest(&file.key).await.map(|digest| digest == due),
            _ => files.length(&file.key).await.map(|length| length == file.length),
        }
    };
    Ok(match tried_while(FileError::may_pass, looking).await {
        Ok(true) => None,
        Ok(false) => Some(Fault::Damaged),
        Err(FileError::Missing { .. }) => Some(Fault::Missing),
        Err(error) if error.may_pass() => return Err(error),
        Err(error) => {
            files.belong_to(installation, false).await?;
            Some(Fault::Unreadable(error))
        }
    })
}
