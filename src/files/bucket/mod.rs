//! Files in a bucket of an object store that speaks S3. An object is there when all of it is, by the rules of the protocol.

mod client;
mod listing;
mod trouble;

use super::error::Doing;
use super::{FileError, OWNER, TEMP, TempFile};
use crate::domain::{FileKey, Sha256};
use crate::settings;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3;
use object_store::path::Path as Location;
use object_store::{
    Error, GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};
use sha2::Digest;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::fs;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tokio_util::io::StreamReader;
use trouble::Told;

/// Bytes that are sent at a time: what is shorter goes in one request. The least that S3 takes for a part that is not the last.
const PART: u64 = 5 * 1024 * 1024;

/// What is written to see whether writing works.
const TRIAL: &str = "tmp/trial";

/// Parts in memory at the same time, whatever comes in.
const PARTS_IN_HAND: usize = 4;

#[derive(Debug, Clone)]
pub(super) struct Bucket {
    store: AmazonS3,
    /// The URL that its objects are told by, with a slash at the end.
    url: Arc<str>,
    /// What the name of each object begins with: empty, or with a slash at the end.
    prefix: Arc<str>,
    /// Where uploads lie until they are whole.
    incoming: Arc<Path>,
    parts: Arc<Semaphore>,
    /// The longest that one request may take.
    call: Duration,
    /// The longest that all parts of a file may take.
    write: Duration,
    /// Whose threads do the waiting when somebody reads from a thread of its own.
    runtime: Handle,
}

impl Bucket {
    pub(super) fn at(settings: &settings::Files, name: &str, prefix: &str) -> Result<Self, FileError> {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let url = format!("s3://{name}/{prefix}");
        let doing = "preparing calls to";
        Ok(Self {
            store: client::build(settings, name).told(doing, Path::new(&url))?,
            incoming: Arc::from(settings.dir.join(TEMP)),
            parts: Arc::new(Semaphore::new(PARTS_IN_HAND)),
            call: settings.s3_call,
            write: settings.s3_write,
            runtime: Handle::try_current().map_err(io::Error::other).doing(doing, Path::new(&url))?,
            url: Arc::from(url),
            prefix: Arc::from(prefix),
        })
    }

    /// Writes and removes a small object, always the same one, so that it is one at the most that is left.
    pub(super) async fn try_writing(&self) -> Result<(), FileError> {
        let (location, path) = self.named(TRIAL);
        self.store.put(&location, Bytes::from_static(b"?").into()).await.told("writing", &path)?;
        match self.store.delete(&location).await {
            // Another process that starts was faster.
            Err(Error::NotFound { .. }) => Ok(()),
            removed => removed.told("removing", &path),
        }
    }

    /// A temporary file of this machine. In the bucket nothing is begun before all of it is here, and looked at.
    pub(super) async fn create(&self) -> Result<TempFile, FileError> {
        fs::create_dir_all(&self.incoming).await.doing("making the folder", &self.incoming)?;
        TempFile::create(&self.incoming).await
    }

    pub(super) async fn check_incoming(&self) -> Result<(), FileError> {
        self.create().await.map(drop)
    }

    pub(super) async fn keep(&self, mut file: TempFile, key: &FileKey) -> Result<(), FileError> {
        let (location, path) = self.named(key.as_str());
        let until = Instant::now() + self.write;
        let mut content = fs::File::from_std(file.reader().await?);
        let (first, part) = (self.place(&path).await?, next_part(&mut content).await);
        let part = part.doing("reading what came in for", &path)?;
        if (part.len() as u64) < PART {
            self.store.put(&location, part.into()).await.told("writing", &path)?;
            return Ok(());
        }
        let begun = self.store.put_multipart(&location).await;
        let mut upload = begun.told("beginning to write", &path)?;
        let sent = timeout_at(until, self.send(&mut *upload, &path, (first, part), &mut content)).await;
        let late =
            |_| io::Error::new(io::ErrorKind::TimedOut, "the object store did not take all of it in time");
        let sent = sent.map_err(late).doing("writing", &path).flatten();
        if sent.is_err() {
            // The parts are paid for until somebody removes them.
            match upload.abort().await {
                // It was complete, and only the answer was lost; or the store removes by itself what is not completed.
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => tracing::warn!(
                    path = %path.display(),
                    %error,
                    "parts of a broken-off upload stay in the bucket until its lifecycle rule removes them"
                ),
            }
        }
        sent
    }

    /// Sends part after part, and makes an object of them.
    async fn send<'a>(
        &'a self,
        upload: &mut dyn MultipartUpload,
        path: &Path,
        (mut place, mut part): (SemaphorePermit<'a>, Bytes),
        content: &mut fs::File,
    ) -> Result<(), FileError> {
        while !part.is_empty() {
            upload.put_part(part.into()).await.told("writing", path)?;
            // Others get their turn between two parts.
            drop(place);
            place = self.place(path).await?;
            part = next_part(content).await.doing("reading what came in for", path)?;
        }
        upload.complete().await.told("completing", path)?;
        Ok(())
    }

    /// Room in memory for a part.
    async fn place(&self, path: &Path) -> Result<SemaphorePermit<'_>, FileError> {
        // Those before it take no longer than a request each; if none of them gets through, this one would not either.
        let waited = tokio::time::timeout(self.call * 2, self.parts.acquire()).await;
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "too many others are being written");
        waited.map_err(late).and_then(|place| place.map_err(io::Error::other)).doing("writing", path)
    }

    pub(super) async fn put(&self, key: &FileKey, content: &[u8]) -> Result<(), FileError> {
        let (location, path) = self.named(key.as_str());
        self.store.put(&location, Bytes::copy_from_slice(content).into()).await.told("writing", &path)?;
        Ok(())
    }

    pub(super) async fn length(&self, key: &FileKey) -> Result<u64, FileError> {
        let (location, path) = self.named(key.as_str());
        let found = self.store.head(&location).await;
        Ok(self.found(found, "measuring", (&location, &path)).await?.size)
    }

    /// The content, or a part of it, and the length of the whole.
    pub(super) async fn read(
        &self,
        key: &FileKey,
        part: Option<RangeInclusive<u64>>,
    ) -> Result<(impl AsyncRead + Send + use<>, u64), FileError> {
        let (location, path) = self.named(key.as_str());
        let range = part.map(|part| GetRange::Bounded(*part.start()..part.end().saturating_add(1)));
        let options = GetOptions { range, ..GetOptions::default() };
        let got = self.store.get_opts(&location, options).await;
        let got = self.found(got, "reading", (&location, &path)).await?;
        let length = got.meta.size;
        // A connection that breaks is made anew, and the rest asked for, unless the object is another one by then.
        Ok((StreamReader::new(got.into_stream().map_err(trouble::io_error)), length))
    }

    pub(super) async fn read_whole(&self, key: &FileKey) -> Result<Vec<u8>, FileError> {
        let (mut content, length) = self.read(key, None).await?;
        let mut whole = Vec::with_capacity(usize::try_from(length.min(PART * 8)).unwrap_or_default());
        content.read_to_end(&mut whole).await.doing("reading", &self.named(key.as_str()).1)?;
        Ok(whole)
    }

    /// Blocks.
    pub(super) fn load(&self, key: &FileKey) -> Result<Vec<u8>, FileError> {
        self.runtime.block_on(self.read_whole(key))
    }

    pub(super) async fn digest(&self, key: &FileKey) -> Result<Sha256, FileError> {
        let (location, path) = self.named(key.as_str());
        let got = self.store.get(&location).await;
        let (mut content, mut digest) =
            (self.found(got, "reading", (&location, &path)).await?.into_stream(), sha2::Sha256::new());
        while let Some(bytes) = content.next().await {
            digest.update(bytes.told("reading", &path)?);
        }
        Ok(Sha256::new(digest.finalize().into()))
    }

    pub(super) async fn remove(&self, key: &FileKey) -> Result<(), FileError> {
        let (location, path) = self.named(key.as_str());
        let mut removed = self.store.delete(&location).await;
        // The library takes no removal for one that may be repeated. Here, what is gone counts as removed.
        if removed.as_ref().is_err_and(trouble::is_on_the_way) {
            removed = self.store.delete(&location).await;
        }
        // S3 itself says of an object that is not there that it was removed; others say so.
        match self.found(removed, "removing", (&location, &path)).await {
            Err(FileError::Missing { .. }) => Ok(()),
            done => done,
        }
    }

    pub(super) async fn check(&self) -> Result<(), FileError> {
        self.owner().await.map(drop)
    }

    /// Leaves the mark of an installation, unless there is one: of two that begin at the same time, one.
    pub(super) async fn claim(&self, installation: &str) -> Result<(), FileError> {
        let (location, path) = self.named(OWNER);
        match self.store.head(&location).await {
            Err(Error::NotFound { .. }) => {}
            found => return found.map(drop).told("looking for the mark of this installation,", &path),
        }
        let (mark, only_new) = (installation.to_owned(), PutOptions::from(PutMode::Create));
        match self.store.put_opts(&location, mark.into(), only_new).await {
            Err(Error::AlreadyExists { .. }) => Ok(()),
            done => done.map(drop).told("leaving the mark of this installation,", &path),
        }
    }

    pub(super) async fn owner(&self) -> Result<String, FileError> {
        let (location, path) = self.named(OWNER);
        let doing = "looking for the mark of this installation,";
        let mark = self.store.get(&location).await.told(doing, &path)?.bytes().await.told(doing, &path)?;
        Ok(String::from_utf8_lossy(&mark).into_owned())
    }

    pub(super) fn mark(&self) -> PathBuf {
        self.named(OWNER).1
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.incoming.to_path_buf()
    }

    /// Tells an object that is missing from a bucket that is: where the mark is gone too, that says nothing of the object.
    /// Nor does it if the bucket has just come back, so the object is looked for once more after the mark was found.
    async fn found<T>(
        &self,
        answered: object_store::Result<T>,
        doing: &'static str,
        (location, path): (&Location, &Path),
    ) -> Result<T, FileError> {
        if matches!(answered, Err(Error::NotFound { .. }))
            && self.owner().await.is_ok()
            && matches!(self.store.head(location).await, Err(Error::NotFound { .. }))
        {
            return Err(FileError::Missing { path: path.to_owned() });
        }
        answered.told(doing, path)
    }

    /// How an object is asked for, and how it is told.
    fn named(&self, name: &str) -> (Location, PathBuf) {
        (Location::from(format!("{}{name}", self.prefix)), PathBuf::from(format!("{}{name}", self.url)))
    }
}

async fn next_part(content: &mut fs::File) -> io::Result<Bytes> {
    let mut part = Vec::new();
    content.take(PART).read_to_end(&mut part).await?;
    Ok(Bytes::from(part))
}
