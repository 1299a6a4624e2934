//! `darkroom --fsck`: are the files that rows name on the volume, whole, and are there others? Nothing is changed.
//!
//! It may run beside API and workers: what seems to be missing is only told if a row names it still.

use super::retries::{tried, tried_while};
use crate::domain::FileKey;
use crate::files::{FileError, Files};
use crate::settings::Settings;
use crate::store::{NamedFile, Store};
use anyhow::Context;
use futures_util::StreamExt;
use std::fmt;
use tokio_util::sync::CancellationToken;

/// Files looked at at a time, since a volume on the network takes its time for each.
const AT_A_TIME: usize = 16;

/// Keys that the store is asked about at a time.
const BATCH: usize = 1000;

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
    /// Files of another length or content than their rows say.
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
#[derive(Debug, Clone, Copy)]
enum Fault {
    Missing,
    Damaged,
}

/// Compares rows and files, and calls `tell` with a line for each difference. Originals are read and digested if `contents`;
/// otherwise only lengths are compared.
///
/// # Errors
/// If `database.url` is not set or cannot be understood, the volume is another installation's, a dependency, the volume
/// among them, stays away, `tell` fails, or `stop`.
pub async fn fsck(
    settings: &Settings,
    contents: bool,
    stop: &CancellationToken,
    mut tell: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<Checked> {
    let url = settings.database.url.as_ref();
    let url = url.context("database.url is not set (DARKROOM_DATABASE__URL)")?;
    let store = Store::new(url, &settings.database)?;
    let files = Files::open(&settings.files).await?;
    let installation = tried(|| store.installation()).await?;
    files.belong_to(&installation, false).await?;
    let (mut checked, mut after) = (Checked::default(), None);
    while let Some(step) = tried(|| store.next_named_files(after)).await? {
        anyhow::ensure!(!stop.is_cancelled(), "told to stop before the end; so far: {checked}");
        (after, checked.images) = (Some(step.last), checked.images + step.images);
        let faults: Vec<_> = futures_util::stream::iter(&step.files)
            .map(async |file| Ok((file, fault(&files, file, contents).await?)))
            .buffered(AT_A_TIME)
            .filter_map(async |checked: Result<_, FileError>| match checked {
                Ok((_, None)) => None,
                Ok((file, Some(fault))) => Some(Ok((file, fault))),
                Err(error) => Some(Err(error)),
            })
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .collect::<Result<_, _>>()?;
        checked.sound += u64::try_from(step.files.len() - faults.len()).unwrap_or_default();
        let keys: Vec<FileKey> = faults.iter().map(|(file, _)| file.key.clone()).collect();
        let named = if keys.is_empty() { <_>::default() } else { tried(|| store.named_files(&keys)).await? };
        // The others were deleted or replaced while they were looked at.
        for (NamedFile { image, key, .. }, fault) in
            faults.iter().filter(|(file, _)| named.contains(&file.key))
        {
            let word = match fault {
                Fault::Missing => {
                    checked.missing += 1;
                    "missing"
                }
                Fault::Damaged => {
                    checked.damaged += 1;
                    "damaged"
                }
            };
            tell(&format!("{word} {key} of image {image}\n"))?;
        }
    }
    checked.orphans = orphans(settings, &store, &files, stop, &mut tell).await?;
    Ok(checked)
}

async fn fault(files: &Files, file: &NamedFile, contents: bool) -> Result<Option<Fault>, FileError> {
    let is_sound = match (contents, file.sha256) {
        (true, Some(due)) => tried_file(|| files.digest(&file.key)).await.map(|digest| digest == due),
        _ => tried_file(|| files.read(&file.key)).await.map(|opened| opened.length == file.length),
    };
    match is_sound {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some(Fault::Damaged)),
        Err(FileError::Missing { .. }) => Ok(Some(Fault::Missing)),
        Err(error) => Err(error),
    }
}

/// Again where the volume is away, and not where it says that there is no such file.
async fn tried_file<T, F: Future<Output = Result<T, FileError>>>(
    work: impl Fn() -> F,
) -> Result<T, FileError> {
    tried_while(|error: &FileError| !matches!(error, FileError::Missing { .. }), work).await
}

/// Counts and tells the files that the sweep would remove.
async fn orphans(
    settings: &Settings,
    store: &Store,
    files: &Files,
    stop: &CancellationToken,
    tell: &mut impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let mut count = 0;
    for shelf in files.shelves().await? {
        anyhow::ensure!(
            !stop.is_cancelled(),
            "told to stop before all files that belong to nobody were found"
        );
        let aged = files.aged(&shelf, settings.files.sweep_after).await?;
        for keys in aged.chunks(BATCH) {
            let named = tried(|| store.named_files(keys)).await?;
            for orphan in keys.iter().filter(|key| !named.contains(key)) {
                count += 1;
                tell(&format!("orphan {orphan}\n"))?;
            }
        }
    }
    Ok(count)
}
