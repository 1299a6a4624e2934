//! Finding what nobody may need any more. Who needs a file is not known here; the relay asks the store.

use super::volume::entries;
use super::{FileError, Files, Kept, blocking};
use crate::domain::FileKey;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A part of the stored files, small enough to be looked through at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// What the keys of its files begin with, such as `originals/3f`.
    name: String,
}

impl Shelf {
    pub(super) fn new(kind: &str, name: &str) -> Self {
        Self { name: format!("{kind}/{name}") }
    }

    /// Each that a key may lie on.
    fn all() -> Vec<Self> {
        let kinds = [FileKey::ORIGINALS, FileKey::THUMBNAILS].into_iter();
        kinds
            .flat_map(|kind| (0..=u8::MAX).map(move |first| Self::new(kind, &format!("{first:02x}"))))
            .collect()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The key of a file on it; `None` if that is no name of ours.
    pub(super) fn key(&self, name: &str) -> Option<FileKey> {
        format!("{}/{name}", self.name).parse().ok()
    }
}

impl Files {
    /// All shelves that exist; of a bucket, all that may.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn shelves(&self) -> Result<Vec<Shelf>, FileError> {
        match self.kept.clone() {
            Kept::Volume(volume) => blocking("sweeping", "the volume", move || volume.shelves()).await,
            // Looking which of them exist would cost as many requests, and fail on any name that is none of ours.
            Kept::Bucket(_) => Ok(Shelf::all()),
        }
    }

    /// The files of a shelf that were last written more than `age` ago. What bears no name of ours is left alone.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn aged(&self, shelf: &Shelf, age: Duration) -> Result<Vec<FileKey>, FileError> {
        match self.kept.clone() {
            Kept::Volume(volume) => {
                let shelf = shelf.clone();
                blocking("sweeping", "the volume", move || volume.aged(&shelf, age)).await
            }
            Kept::Bucket(bucket) => bucket.aged(shelf, age).await,
        }
    }

    /// Removes temporary files that were last written more than `age` ago; says how many.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn remove_temporary(&self, age: Duration) -> Result<usize, FileError> {
        match self.kept.clone() {
            Kept::Volume(volume) => {
                blocking("sweeping", "the volume", move || remove_older(&volume.temporary(), age)).await
            }
            // Before the first upload there is no folder.
            Kept::Bucket(bucket) if !bucket.temporary().exists() => Ok(0),
            Kept::Bucket(bucket) => {
                blocking("sweeping", "the volume", move || remove_older(&bucket.temporary(), age)).await
            }
        }
    }
}

fn remove_older(folder: &Path, age: Duration) -> Result<usize, FileError> {
    let mut removed = 0;
    for (path, _) in entries(folder)? {
        let is_old =
            std::fs::metadata(&path).and_then(|file| file.modified()).is_ok_and(|at| is_older(at, age));
        // Another sweep may be faster.
        if is_old && std::fs::remove_file(&path).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// What claims to come from the future is not old.
pub(super) fn is_older(written: SystemTime, age: Duration) -> bool {
    SystemTime::now().duration_since(written).is_ok_and(|since| since > age)
}
