//! A file that is being written; dropped before it is kept, it is gone.

use super::error::Doing;
use super::{FileError, blocking};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use tokio::fs;
use tokio::io::AsyncWriteExt;

/// A file without a key. Whatever ends its life early (an error, a client that hangs up, a panic) removes it; only a
/// process that dies leaves it to the sweep.
#[derive(Debug)]
pub struct TempFile {
    file: fs::File,
    path: RemovedOnDrop,
}

#[derive(Debug)]
struct RemovedOnDrop(PathBuf);

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        // A rename took it away, or the sweep will find it: nobody can do more about it here.
        std::fs::remove_file(&self.0).ok();
    }
}

impl TempFile {
    pub(super) async fn create(folder: &Path) -> Result<Self, FileError> {
        let path = fresh(folder);
        // The guard goes where the opening goes: a caller that is gone when the file comes to be leaves none behind.
        let (file, path) = blocking("creating", "a file", move || opened(path)).await?;
        Ok(Self { file: fs::File::from_std(file), path })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If the volume is full or away.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).await.doing("writing", &self.path.0)
    }

    /// Waits for what was written to reach the system; tokio's files write behind.
    ///
    /// # Errors
    /// If the volume is full or away.
    pub async fn flush(&mut self) -> Result<(), FileError> {
        self.file.flush().await.doing("writing", &self.path.0)
    }

    /// A reader of what was written so far, from the start.
    ///
    /// # Errors
    /// If the volume is full or away.
    pub async fn reader(&mut self) -> Result<std::fs::File, FileError> {
        self.flush().await?;
        let clone = self.file.try_clone().await.doing("reading", &self.path.0)?;
        let mut reader = clone.into_std().await;
        reader.rewind().doing("reading", &self.path.0)?;
        Ok(reader)
    }

    pub(super) async fn persist(mut self, to: PathBuf) -> Result<(), FileError> {
        self.flush().await?;
        let Self { file, path } = self;
        let file = file.into_std().await;
        blocking("keeping", "a file", move || keep(&file, &path, &to)).await
    }
}

/// Writes a file whose content is all there: one errand for the blocking pool, where a [`TempFile`] takes one for each step.
pub(super) async fn put(folder: &Path, content: Vec<u8>, to: PathBuf) -> Result<(), FileError> {
    let path = fresh(folder);
    let writing = move || {
        let (mut file, path) = opened(path)?;
        file.write_all(&content).doing("writing", &path.0)?;
        keep(&file, &path, &to)
    };
    blocking("keeping", "a file", writing).await
}

/// A name that nothing has. The guard is there before the file.
fn fresh(folder: &Path) -> RemovedOnDrop {
    RemovedOnDrop(folder.join(format!("{:032x}.part", rand::random::<u128>())))
}

fn opened(path: RemovedOnDrop) -> Result<(std::fs::File, RemovedOnDrop), FileError> {
    let open = std::fs::File::options().read(true).write(true).create_new(true).open(&path.0);
    Ok((open.doing("creating", &path.0)?, path))
}

/// The order matters: a name must never be durable before the content is.
fn keep(file: &std::fs::File, from: &RemovedOnDrop, to: &Path) -> Result<(), FileError> {
    file.sync_all().doing("syncing", &from.0)?;
    rename(&from.0, to)
}

fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    let folder = to.parent().unwrap_or(to);
    let renamed = match std::fs::rename(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder).doing("making the folder", folder)?;
            sync_folder(folder.parent().unwrap_or(folder))?;
            std::fs::rename(from, to)
        }
        renamed => renamed,
    };
    renamed.doing("keeping", to)?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).doing("syncing the folder", folder)
}
