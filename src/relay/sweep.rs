//! Files that no row names: left behind by a process that died between the file and the commit.

use super::Relay;
use crate::domain::reason;
use crate::files::FileError;
use crate::store::StoreError;

/// Why a sweep was broken off.
#[derive(Debug, thiserror::Error)]
pub(super) enum SweepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Files(#[from] FileError),
}

impl Relay {
    /// Removes what is older than the limit and belongs to nobody. The age is what protects the files of uploads and jobs
    /// that are under way: their rows are still to come.
    pub(super) async fn sweep(&self) -> Result<(), SweepError> {
        let (mut removed, mut left, mut first) = (0, 0_u64, None);
        removed += self.files.remove_temporary(self.sweep_after).await?;
        for shelf in self.files.shelves().await? {
            let aged = self.files.aged(&shelf, self.sweep_after).await?;
            for keys in aged.chunks(1000) {
                let named = self.store.named_files(keys).await?;
                for orphan in keys.iter().filter(|key| !named.contains(key)) {
                    match self.files.remove(orphan).await {
                        Ok(()) => removed += 1,
                        Err(error) => {
                            left += 1;
                            first.get_or_insert(error);
                        }
                    }
                }
            }
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
