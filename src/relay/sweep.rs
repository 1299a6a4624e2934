//! Files that no row names: left behind by a process that died between the file and the commit.

use super::Relay;
use crate::domain::{FileKey, reason};
use crate::files::{FileError, Files, Shelf};
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;
use std::time::Duration;

/// Keys that the store is asked about at a time.
const BATCH: usize = 1000;

/// Why a sweep was broken off.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Postgres is away or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The volume is away.
    #[error(transparent)]
    Files(#[from] FileError),
}

/// The files of a shelf that belong to nobody and were last written more than `age` ago. The age is what protects the files
/// of uploads and jobs that are under way: their rows are still to come.
///
/// # Errors
/// If Postgres or the volume is away.
pub async fn orphans(
    store: &Store,
    files: &Files,
    shelf: &Shelf,
    age: Duration,
) -> Result<Vec<FileKey>, SweepError> {
    let mut orphans = files.aged(shelf, age).await?;
    let mut named = BTreeSet::new();
    for keys in orphans.chunks(BATCH) {
        named.extend(store.named_files(keys).await?);
    }
    orphans.retain(|key| !named.contains(key));
    Ok(orphans)
}

impl Relay {
    /// Removes what is older than the limit and belongs to nobody.
    pub(super) async fn sweep(&self) -> Result<(), SweepError> {
        let (mut removed, mut left, mut first) = (0, 0_u64, None);
        let (mut unread, mut unreadable) = (0_u64, None);
        removed += self.files.remove_temporary(self.sweep_after).await?;
        for shelf in self.files.shelves().await? {
            let orphans = match orphans(&self.store, &self.files, &shelf, self.sweep_after).await {
                Err(SweepError::Files(error)) => {
                    // One shelf that cannot be read keeps nobody from the others, unless all of the volume is away.
                    self.files.check().await?;
                    unread += 1;
                    unreadable.get_or_insert(error);
                    continue;
                }
                found => found?,
            };
            for orphan in orphans {
                match self.files.remove(&orphan).await {
                    Ok(()) => removed += 1,
                    Err(error) => {
                        left += 1;
                        first.get_or_insert(error);
                    }
                }
            }
        }
        if let Some(error) = unreadable {
            tracing::warn!(
                unread,
                error = reason(&error),
                "parts of the volume cannot be listed and were not swept"
            );
        }
        if let Some(error) = first {
            tracing::warn!(
                left,
                error = reason(&error),
                "files of nobody stay; removed by the next sweep that can"
            );
        }
        if removed > 0 {
            tracing::info!(removed, "removed files that belonged to nobody");
        }
        Ok(())
    }
}
