//! The only paths, and the only object store. A file appears under its key whole and durable, or not at all.
//!
//! It is kept in a folder or in a bucket; nobody else has to know in which. An upload is a temporary file of this machine
//! until it is whole, in both cases: what is refused, broken off or no picture never reaches a bucket, and the key is not
//! chosen before the content is known to be right.

mod bucket;
mod error;
mod sweep;
mod temp;
mod volume;

pub use error::FileError;
pub use sweep::Shelf;
pub use temp::TempFile;

use crate::domain::{FileKey, Sha256};
use crate::settings::{self, FilesPlace};
use bucket::Bucket;
use error::Doing;
use std::ops::RangeInclusive;
use std::path::Path;
use std::pin::Pin;
use tokio::io::AsyncRead;
use volume::Volume;

/// The folder of files that are being written.
const TEMP: &str = "tmp";

/// The file that holds the id of the installation to which the volume belongs.
const OWNER: &str = "installation";

/// Originals and thumbnails. What is said of a volume holds for a bucket too.
#[derive(Debug, Clone)]
pub struct Files {
    kept: Kept,
}

#[derive(Debug, Clone)]
enum Kept {
    Volume(Volume),
    Bucket(Bucket),
}

/// What a volume can hold, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// What can still be written.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// A stored file, opened for reading.
pub struct OpenFile {
    /// Its content, or the part that was asked for.
    pub content: Pin<Box<dyn AsyncRead + Send>>,
    /// The length of the whole in bytes.
    pub length: u64,
}

impl Files {
    /// Opens the volume for reading and writing, making its folders where they are missing.
    ///
    /// # Errors
    /// If a folder can be neither found nor made, or a bucket not be written.
    pub async fn open(settings: &settings::Files) -> Result<Self, FileError> {
        let files = Self::at(settings)?;
        match &files.kept {
            Kept::Volume(volume) => volume.open().await?,
            Kept::Bucket(bucket) => bucket.try_writing().await?,
        }
        Ok(files)
    }

    /// The volume as it is, of which nothing is made: for those who only look.
    ///
    /// # Errors
    /// If nothing can be called from here.
    pub fn at(settings: &settings::Files) -> Result<Self, FileError> {
        let kept = match settings.place() {
            FilesPlace::Folder(folder) => Kept::Volume(Volume::at(folder)),
            FilesPlace::Bucket { name, prefix } => Kept::Bucket(Bucket::at(settings, name, prefix)?),
        };
        Ok(Self { kept })
    }

    /// Begins a file that has no key yet.
    ///
    /// # Errors
    /// If the volume is full or away.
    pub async fn create(&self) -> Result<TempFile, FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.create().await,
            Kept::Bucket(bucket) => bucket.create().await,
        }
    }

    /// Gives a finished temporary file its key: fsync, rename, fsync of the folder; or one object, which is there when all
    /// of it is.
    ///
    /// # Errors
    /// If the volume is full or away; the temporary file is then removed.
    pub async fn keep(&self, file: TempFile, key: &FileKey) -> Result<(), FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.keep(file, key).await,
            Kept::Bucket(bucket) => bucket.keep(file, key).await,
        }
    }

    /// Writes a whole file under its key.
    ///
    /// # Errors
    /// If the volume is full or away; nothing is left then. (What is given up before there is an answer may be kept all the
    /// same; the sweep finds it.)
    pub async fn put(&self, key: &FileKey, content: &[u8]) -> Result<(), FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.put(key, content).await,
            Kept::Bucket(bucket) => bucket.put(key, content).await,
        }
    }

    /// The length of a file in bytes.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub async fn length(&self, key: &FileKey) -> Result<u64, FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.length(key).await,
            Kept::Bucket(bucket) => bucket.length(key).await,
        }
    }

    /// Opens a file for reading, or a `part` of it, which must not end beyond its end.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub async fn read(
        &self,
        key: &FileKey,
        part: Option<RangeInclusive<u64>>,
    ) -> Result<OpenFile, FileError> {
        match &self.kept {
            Kept::Volume(volume) => {
                let (content, length) = volume.read(key, part).await?;
                Ok(OpenFile { content: Box::pin(content), length })
            }
            Kept::Bucket(bucket) => {
                let (content, length) = bucket.read(key, part).await?;
                Ok(OpenFile { content: Box::pin(content), length })
            }
        }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub async fn read_whole(&self, key: &FileKey) -> Result<Vec<u8>, FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.read_whole(key).await,
            Kept::Bucket(bucket) => bucket.read_whole(key).await,
        }
    }

    /// Reads a whole file, and blocks: for threads that have nothing else to do. What a thread allocates itself goes
    /// back to where its next file comes from, so that large files are best read by whoever needs them.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub fn load(&self, key: &FileKey) -> Result<Vec<u8>, FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.load(key),
            Kept::Bucket(bucket) => bucket.load(key),
        }
    }

    /// The SHA-256 of a file's content.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub async fn digest(&self, key: &FileKey) -> Result<Sha256, FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.digest(key).await,
            Kept::Bucket(bucket) => bucket.digest(key).await,
        }
    }

    /// Removes a file; one that is not there counts as removed.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn remove(&self, key: &FileKey) -> Result<(), FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.remove(key).await,
            Kept::Bucket(bucket) => bucket.remove(key).await,
        }
    }

    /// Whether it can be worked with: a small file is written and removed. In a bucket, where each request is paid for, the
    /// mark is read; writing was tried when it was opened.
    ///
    /// # Errors
    /// If it is not so.
    pub async fn check(&self) -> Result<(), FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.check().await,
            Kept::Bucket(bucket) => bucket.check().await,
        }
    }

    /// Whether uploads can come in, where that is another place than [`Self::check`] looks at: for processes that take them.
    ///
    /// # Errors
    /// If it is not so.
    pub async fn check_incoming(&self) -> Result<(), FileError> {
        match &self.kept {
            Kept::Volume(_) => Ok(()),
            Kept::Bucket(bucket) => bucket.check_incoming().await,
        }
    }

    /// How much room there is; `None` for a bucket, which has no end.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn room(&self) -> Result<Option<Room>, FileError> {
        match &self.kept {
            Kept::Volume(volume) => volume.room().await.map(Some),
            Kept::Bucket(bucket) => bucket.check().await.map(|()| None),
        }
    }

    /// Makes sure that the volume is that of `installation`; one that is nobody's yet may become so if it `may_be_new`.
    ///
    /// The files of a volume are named by the rows of one database; with another, the sweep would find none of them named
    /// and remove them all. And a folder without a mark, where files are known, is one whose volume is not mounted.
    ///
    /// # Errors
    /// If it belongs to another installation, or is away.
    pub async fn belong_to(&self, installation: &str, may_be_new: bool) -> Result<(), FileError> {
        let (path, owner) = match &self.kept {
            Kept::Volume(volume) => {
                if may_be_new {
                    volume.claim(installation).await?;
                }
                (volume.mark(), volume.owner().await?)
            }
            Kept::Bucket(bucket) => {
                if may_be_new {
                    bucket.claim(installation).await?;
                }
                (bucket.mark(), bucket.owner().await?)
            }
        };
        if owner == installation { Ok(()) } else { Err(FileError::Foreign { path, owner }) }
    }
}

/// Work that blocks, on the pool of threads for it, which finishes what it began even if whoever asked is gone. Should it
/// panic, that is an error while doing this to `what`.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    what: &'static str,
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|panic| Err(std::io::Error::other(panic)).doing(doing, Path::new(what)))
}

#[cfg(test)]
mod tests;
