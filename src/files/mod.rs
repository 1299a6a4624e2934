//! The only paths. A file appears under its key whole and durable, or not at all.

mod error;
mod sweep;
mod temp;

pub use error::FileError;
pub use sweep::Shelf;
pub use temp::TempFile;

use crate::domain::{FileKey, Sha256};
use crate::settings;
use error::Doing;
use sha2::Digest;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::fs;

/// The folder of files that are being written.
const TEMP: &str = "tmp";

/// The file that holds the id of the installation to which the volume belongs.
const OWNER: &str = "installation";

/// The volume that holds originals and thumbnails.
#[derive(Debug, Clone)]
pub struct Files {
    root: Arc<Path>,
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
#[derive(Debug)]
pub struct OpenFile {
    /// Its content, from the start.
    pub content: fs::File,
    /// Its length in bytes.
    pub length: u64,
}

impl Files {
    /// Opens the volume, making its folders where they are missing.
    ///
    /// # Errors
    /// If a folder can be neither found nor made.
    pub async fn open(settings: &settings::Files) -> Result<Self, FileError> {
        let files = Self::at(settings);
        for folder in [TEMP, FileKey::ORIGINALS, FileKey::THUMBNAILS] {
            let path = files.root.join(folder);
            fs::create_dir_all(&path).await.doing("making the folder", &path)?;
        }
        Ok(files)
    }

    /// The volume as it is, of which nothing is made: for those who only look.
    #[must_use]
    pub fn at(settings: &settings::Files) -> Self {
        Self { root: Arc::from(settings.dir.as_path()) }
    }

    /// Begins a file that has no key yet.
    ///
    /// # Errors
    /// If the volume is full or away.
    pub async fn create(&self) -> Result<TempFile, FileError> {
        let path = self.root.join(TEMP).join(format!("{:032x}.part", rand::random::<u128>()));
        TempFile::create(path).await
    }

    /// Gives a finished temporary file its key: fsync, rename, fsync of the folder.
    ///
    /// # Errors
    /// If the volume is full or away; the temporary file is then removed.
    pub async fn keep(&self, file: TempFile, key: &FileKey) -> Result<(), FileError> {
        file.persist(self.path(key)).await
    }

    /// Writes a whole file under its key.
    ///
    /// # Errors
    /// If the volume is full or away; nothing is left then.
    pub async fn put(&self, key: &FileKey, content: &[u8]) -> Result<(), FileError> {
        let mut file = self.create().await?;
        file.write(content).await?;
        self.keep(file, key).await
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub async fn read(&self, key: &FileKey) -> Result<OpenFile, FileError> {
        let path = self.path(key);
        let content = match fs::File::open(&path).await {
            // A volume that is away holds no file at all; that says nothing about this one.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_there().await => {
                return Err(FileError::Missing { path });
            }
            opened => opened.doing("opening", &path)?,
        };
        let length = content.metadata().await.doing("measuring", &path)?.len();
        Ok(OpenFile { content, length })
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub async fn read_whole(&self, key: &FileKey) -> Result<Vec<u8>, FileError> {
        let (files, key) = (self.clone(), key.clone());
        let path = self.path(&key);
        let reading = tokio::task::spawn_blocking(move || files.load(&key));
        reading.await.unwrap_or_else(|panic| Err(io::Error::other(panic)).doing("reading", &path))
    }

    /// Reads a whole file, and blocks: for threads that have nothing else to do. What a thread allocates itself goes
    /// back to where its next file comes from, so that large files are best read by whoever needs them.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub fn load(&self, key: &FileKey) -> Result<Vec<u8>, FileError> {
        let path = self.path(key);
        match std::fs::read(&path) {
            // As in `read`.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.root.join(OWNER).exists() => {
                Err(FileError::Missing { path })
            }
            read => read.doing("reading", &path),
        }
    }

    /// The SHA-256 of a file's content.
    ///
    /// # Errors
    /// If it is missing or the volume is away.
    pub async fn digest(&self, key: &FileKey) -> Result<Sha256, FileError> {
        let path = self.path(key);
        let content = self.read(key).await?.content.into_std().await;
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

    /// Removes a file; one that is not there counts as removed.
    ///
    /// # Errors
    /// If the volume is away.
    pub async fn remove(&self, key: &FileKey) -> Result<(), FileError> {
        let path = self.path(key);
        match fs::remove_file(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.doing("removing", &path),
        }
    }

    /// Writes and removes a small file: the volume is there, has room and may be written.
    ///
    /// # Errors
    /// If it is not so.
    pub async fn check(&self) -> Result<(), FileError> {
        let mut file = self.create().await?;
        file.write(b"?").await?;
        file.flush().await
    }

    /// How much room there is. It blocks, for long if the volume hangs.
    ///
    /// # Errors
    /// If the volume is away.
    pub fn room(&self) -> Result<Room, FileError> {
        let volume =
            rustix::fs::statvfs(&*self.root).map_err(io::Error::from).doing("measuring", &self.root)?;
        let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
        // The rest of the free blocks is reserved for root.
        Ok(Room { free: bytes(volume.f_bavail), total: bytes(volume.f_blocks) })
    }

    /// Makes sure that the volume is that of `installation`; one that is nobody's yet may become so if it `may_be_new`.
    ///
    /// The files of a volume are named by the rows of one database; with another, the sweep would find none of them named
    /// and remove them all. And a folder without a mark, where files are known, is one whose volume is not mounted.
    ///
    /// # Errors
    /// If it belongs to another installation, or is away.
    pub async fn belong_to(&self, installation: &str, may_be_new: bool) -> Result<(), FileError> {
        let path = self.root.join(OWNER);
        if may_be_new && !self.is_there().await {
            let mut file = self.create().await?;
            file.write(installation.as_bytes()).await?;
            file.persist(path.clone()).await?;
        }
        let owner =
            fs::read_to_string(&path).await.doing("looking for the mark of this installation,", &path)?;
        if owner == installation { Ok(()) } else { Err(FileError::Foreign { path, owner }) }
    }

    async fn is_there(&self) -> bool {
        fs::try_exists(self.root.join(OWNER)).await.unwrap_or(false)
    }

    fn path(&self, key: &FileKey) -> PathBuf {
        self.root.join(key.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ImageFormat;
    use std::time::Duration;

    async fn volume() -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings::Settings::load(
            None,
            [("DARKROOM_FILES__DIR".to_owned(), folder.path().join("deep/files").display().to_string())],
        );
        let files = Files::open(&settings.unwrap().files).await.unwrap();
        files.belong_to("we", true).await.unwrap();
        (folder, files)
    }

    fn key(number: u128) -> FileKey {
        FileKey::original(number, ImageFormat::Png)
    }

    #[tokio::test]
    async fn what_was_put_is_read_and_removed() {
        let (_folder, files) = volume().await;
        files.put(&key(7), b"photo").await.unwrap();
        assert_eq!(files.read_whole(&key(7)).await.unwrap(), b"photo");
        assert_eq!(files.read(&key(7)).await.unwrap().length, 5);
        files.remove(&key(7)).await.unwrap();
        files.remove(&key(7)).await.unwrap();
        assert!(matches!(files.read(&key(7)).await, Err(FileError::Missing { .. })));
    }

    #[tokio::test]
    async fn a_volume_belongs_to_one_installation() {
        let (_folder, files) = volume().await;
        files.belong_to("we", true).await.unwrap();
        let refused = files.belong_to("others", true).await;
        assert!(matches!(refused, Err(FileError::Foreign { owner, .. }) if owner == "we"));
        std::fs::remove_file(files.root.join(OWNER)).unwrap();
        let unmounted = files.belong_to("we", false).await;
        assert!(matches!(unmounted, Err(FileError::Unavailable { .. })));
    }

    #[tokio::test]
    async fn a_volume_that_is_away_is_not_taken_for_missing_files() {
        let (folder, files) = volume().await;
        files.put(&key(7), b"photo").await.unwrap();
        let elsewhere = folder.path().join("unmounted");
        std::fs::rename(&files.root, &elsewhere).unwrap();
        assert!(matches!(files.read(&key(7)).await, Err(FileError::Unavailable { .. })));
        assert!(matches!(files.put(&key(8), b"photo").await, Err(FileError::Unavailable { .. })));
        assert!(files.check().await.is_err());
        std::fs::rename(&elsewhere, &files.root).unwrap();
        assert_eq!(files.read_whole(&key(7)).await.unwrap(), b"photo");
    }

    #[tokio::test]
    async fn a_file_that_was_not_kept_leaves_nothing() {
        let (_folder, files) = volume().await;
        let mut file = files.create().await.unwrap();
        file.write(b"half a photo").await.unwrap();
        drop(file);
        assert_eq!(std::fs::read_dir(files.root.join(TEMP)).unwrap().count(), 0);
        files.check().await.unwrap();
        assert_eq!(std::fs::read_dir(files.root.join(TEMP)).unwrap().count(), 0);
        let room = files.room().unwrap();
        assert!(0 < room.free && room.free <= room.total, "{room:?}");
    }

    #[tokio::test]
    async fn the_sweep_sees_only_what_is_old() {
        let (_folder, files) = volume().await;
        files.put(&key(1), b"old").await.unwrap();
        std::fs::write(files.root.join(TEMP).join("left.part"), b"x").unwrap();
        let shelf = files.shelves().await.unwrap().pop().unwrap();
        assert!(files.aged(&shelf, Duration::from_secs(3600)).await.unwrap().is_empty());
        assert_eq!(files.remove_temporary(Duration::from_secs(3600)).await.unwrap(), 0);
        let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3700);
        for path in [files.path(&key(1)), files.root.join(TEMP).join("left.part")] {
            std::fs::File::options().append(true).open(path).unwrap().set_modified(hour_ago).unwrap();
        }
        assert_eq!(files.aged(&shelf, Duration::from_secs(3600)).await.unwrap(), [key(1)]);
        assert_eq!(files.remove_temporary(Duration::from_secs(3600)).await.unwrap(), 1);
    }
}
