//! Files in a folder: beside their place, fsynced, renamed.

use super::error::Doing;
use super::sweep::{Shelf, is_older};
use super::{FileError, OWNER, Room, TEMP, TempFile, temp};
use crate::domain::{FileKey, Sha256};
use sha2::Digest;
use std::io::{self, BufRead, BufReader, SeekFrom};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::fs;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt};

/// A folder, mostly one that a volume is mounted at.
#[derive(Debug, Clone)]
pub(super) struct Volume {
    root: Arc<Path>,
}

impl Volume {
    pub(super) fn at(root: &Path) -> Self {
        Self { root: Arc::from(root) }
    }

    /// Makes its folders where they are missing.
    pub(super) async fn open(&self) -> Result<(), FileError> {
        for folder in [TEMP, FileKey::ORIGINALS, FileKey::THUMBNAILS] {
            let path = self.root.join(folder);
            fs::create_dir_all(&path).await.doing("making the folder", &path)?;
        }
        Ok(())
    }

    pub(super) async fn create(&self) -> Result<TempFile, FileError> {
        TempFile::create(&self.root.join(TEMP)).await
    }

    pub(super) async fn keep(&self, file: TempFile, key: &FileKey) -> Result<(), FileError> {
        file.persist(self.path(key)).await
    }

    pub(super) async fn put(&self, key: &FileKey, content: &[u8]) -> Result<(), FileError> {
        temp::put(&self.root.join(TEMP), content.to_vec(), self.path(key)).await
    }

    pub(super) async fn length(&self, key: &FileKey) -> Result<u64, FileError> {
        Ok(self.opened(key).await?.1)
    }

    /// The content, or a part of it, and the length of the whole.
    pub(super) async fn read(
        &self,
        key: &FileKey,
        part: Option<RangeInclusive<u64>>,
    ) -> Result<(impl AsyncRead + Send + use<>, u64), FileError> {
        let (mut content, length) = self.opened(key).await?;
        let (first, last) = part.map_or((0, length), RangeInclusive::into_inner);
        if first > 0 {
            content.seek(SeekFrom::Start(first)).await.doing("seeking in", &self.path(key))?;
        }
        Ok((content.take((last - first).saturating_add(1)), length))
    }

    async fn opened(&self, key: &FileKey) -> Result<(fs::File, u64), FileError> {
        let path = self.path(key);
        let content = match fs::File::open(&path).await {
            // A volume that is away holds no file at all; that says nothing about this one.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_there().await => {
                return Err(FileError::Missing { path });
            }
            opened => opened.doing("opening", &path)?,
        };
        let length = content.metadata().await.doing("measuring", &path)?.len();
        Ok((content, length))
    }

    pub(super) async fn read_whole(&self, key: &FileKey) -> Result<Vec<u8>, FileError> {
        let (volume, key) = (self.clone(), key.clone());
        let path = self.path(&key);
        let reading = tokio::task::spawn_blocking(move || volume.load(&key));
        reading.await.unwrap_or_else(|panic| Err(io::Error::other(panic)).doing("reading", &path))
    }

    /// Blocks.
    pub(super) fn load(&self, key: &FileKey) -> Result<Vec<u8>, FileError> {
        let path = self.path(key);
        match std::fs::read(&path) {
            // As when it is opened.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.root.join(OWNER).exists() => {
                Err(FileError::Missing { path })
            }
            read => read.doing("reading", &path),
        }
    }

    pub(super) async fn digest(&self, key: &FileKey) -> Result<Sha256, FileError> {
        let path = self.path(key);
        let content = self.opened(key).await?.0.into_std().await;
        let digesting = tokio::task::spawn_blocking(move || {
            let (mut content, mut digest) = (BufReader::with_capacity(1 << 17, content), sha2::Sha256::new());
            loop {
                let length = match content.fill_buf()? {
                    [] => return Ok(digest),
                    bytes => {
                        digest.update(bytes);
                        bytes.len()
                    }
                };
                content.consume(length);
            }
        });
        let digest = digesting.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        Ok(Sha256::new(digest.doing("reading", &path)?.finalize().into()))
    }

    pub(super) async fn remove(&self, key: &FileKey) -> Result<(), FileError> {
        let path = self.path(key);
        match fs::remove_file(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.doing("removing", &path),
        }
    }

    /// Writes and removes a small file.
    pub(super) async fn check(&self) -> Result<(), FileError> {
        let mut file = self.create().await?;
        file.write(b"?").await?;
        file.flush().await
    }

    pub(super) async fn room(&self) -> Result<Room, FileError> {
        let root = self.root.clone();
        // It may hang.
        let measuring = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&*root));
        let measured = measuring.await.unwrap_or(Err(rustix::io::Errno::CANCELED));
        let volume = measured.map_err(io::Error::from).doing("measuring", &self.root)?;
        let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
        // The rest of the free blocks is reserved for root.
        Ok(Room { free: bytes(volume.f_bavail), total: bytes(volume.f_blocks) })
    }

    /// Leaves the mark of an installation, unless there is one.
    pub(super) async fn claim(&self, installation: &str) -> Result<(), FileError> {
        if self.is_there().await {
            return Ok(());
        }
        temp::put(&self.root.join(TEMP), installation.as_bytes().to_vec(), self.mark()).await
    }

    pub(super) async fn owner(&self) -> Result<String, FileError> {
        let path = self.mark();
        fs::read_to_string(&path).await.doing("looking for the mark of this installation,", &path)
    }

    pub(super) fn mark(&self) -> PathBuf {
        self.root.join(OWNER)
    }

    async fn is_there(&self) -> bool {
        fs::try_exists(self.mark()).await.unwrap_or(false)
    }

    fn path(&self, key: &FileKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Blocks.
    pub(super) fn shelves(&self) -> Result<Vec<Shelf>, FileError> {
        let mut shelves = Vec::new();
        for kind in [FileKey::ORIGINALS, FileKey::THUMBNAILS] {
            let found = entries(&self.root.join(kind))?;
            for (_, name) in found.into_iter().filter(|(path, _)| path.is_dir()) {
                shelves.push(Shelf::new(kind, &name));
            }
        }
        Ok(shelves)
    }

    /// Blocks.
    pub(super) fn aged(&self, shelf: &Shelf, age: std::time::Duration) -> Result<Vec<FileKey>, FileError> {
        let found = entries(&self.root.join(shelf.name()))?;
        let old = found.into_iter().filter(|(path, _)| {
            std::fs::metadata(path).and_then(|file| file.modified()).is_ok_and(|at| is_older(at, age))
        });
        Ok(old.filter_map(|(_, name)| shelf.key(&name)).collect())
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join(TEMP)
    }
}

/// The paths and names in a folder. Blocks.
pub(super) fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>, FileError> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).doing("listing", folder)? {
        let entry = entry.doing("listing", folder)?;
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((entry.path(), name));
        }
    }
    Ok(entries)
}
