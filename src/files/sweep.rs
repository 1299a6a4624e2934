//! Finding what nobody may need any more. Who needs a file is not known here; the relay asks the store.

use super::error::Doing;
use super::{FileError, Files, TEMP};
use crate::domain::FileKey;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// One folder of stored files, small enough to be looked through at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    path: PathBuf,
    /// Its name within the volume, such as `originals/3f`.
    name: String,
}

impl Files {
    /// All shelves that exist.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn shelves(&self) -> Result<Vec<Shelf>, FileError> {
        let root = self.root.clone();
        blocking(move || {
            let mut shelves = Vec::new();
            for kind in [FileKey::ORIGINALS, FileKey::THUMBNAILS] {
                for (path, name) in entries(&root.join(kind))?.into_iter().filter(|(path, _)| path.is_dir()) {
                    shelves.push(Shelf { path, name: format!("{kind}/{name}") });
                }
            }
            Ok(shelves)
        })
        .await
    }

    /// The files of a shelf that were last written more than `age` ago. What bears no name of ours is left alone.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn aged(&self, shelf: &Shelf, age: Duration) -> Result<Vec<FileKey>, FileError> {
        let shelf = shelf.clone();
        blocking(move || {
            let old = entries(&shelf.path)?.into_iter().filter(|(path, _)| is_older(path, age));
            Ok(old.filter_map(|(_, name)| format!("{}/{name}", shelf.name).parse().ok()).collect())
        })
        .await
    }

    /// Removes temporary files that were last written more than `age` ago; says how many.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn remove_temporary(&self, age: Duration) -> Result<usize, FileError> {
        let folder = self.root.join(TEMP);
        blocking(move || {
            let mut removed = 0;
            for (path, _) in entries(&folder)? {
                // Another sweep may be faster.
                if is_older(&path, age) && std::fs::remove_file(&path).is_ok() {
                    removed += 1;
                }
            }
            Ok(removed)
        })
        .await
    }
}

fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, FileError> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).doing("listing", folder)? {
        let entry = entry.doing("listing", folder)?;
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((entry.path(), name));
        }
    }
    Ok(entries)
}

/// A file that vanishes while it is looked at, or that claims to come from the future, is not old.
fn is_older(path: &Path, age: Duration) -> bool {
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| SystemTime::now().duration_since(written).is_ok_and(|since| since > age))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined
        .unwrap_or_else(|panic| Err(std::io::Error::other(panic)).doing("sweeping", Path::new("the volume")))
}
