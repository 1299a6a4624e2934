//! An upload becomes durable: first the file, then the row, then the answer.

use crate::domain::{
    CallbackUrl, FileKey, IdempotencyKey, ImageFormat, ImageId, JobKind, OriginalName, Sha256,
};
use crate::files::{FileError, Files, TempFile};
use crate::probe::{self, Header, ProbeError};
use crate::store::{NewImage, Notice, Notices, Recorded, Store, StoreError};
use crate::traces;
use bytes::BytesMut;
use sha2::Digest;
use std::io::{self, Cursor};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tracing::Instrument;

/// Bytes read, hashed and written at a time.
const CHUNK: usize = 128 * 1024;

/// What is accepted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one file.
    pub max_upload_bytes: u64,
    /// Width × height.
    pub max_pixels: u64,
    /// Time in which a client must send its next 128 KiB.
    pub idle: Duration,
    /// How long recording may take once the bytes are safe.
    pub record: Duration,
}

/// Takes uploads in.
#[derive(Clone)]
pub struct Intake {
    store: Store,
    files: Files,
    notices: Notices,
    limits: Limits,
}

/// Why an upload was not taken. In each case nothing was recorded, except where it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Zero bytes.
    #[error("the file is empty")]
    Empty,
    /// More bytes than allowed.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Neither JPEG nor PNG.
    #[error("the content is neither JPEG nor PNG")]
    UnsupportedType,
    /// JPEG or PNG by signature, and nothing more.
    #[error("the header cannot be read: {0}")]
    Undecodable(ProbeError),
    /// More pixels than allowed.
    #[error("the header promises {width} x {height} pixels; {limit} in all are allowed")]
    TooManyPixels {
        /// As stored.
        width: u32,
        /// As stored.
        height: u32,
        /// The limit.
        limit: u64,
    },
    /// The same `Idempotency-Key` with other bytes.
    #[error("the Idempotency-Key was used before with other bytes")]
    IdempotencyMismatch,
    /// The client was too slow.
    #[error("too little data came in {0:?}")]
    Stalled(Duration),
    /// The client hung up, or sent what cannot be parsed.
    #[error("the upload broke off")]
    BrokenOff(#[source] io::Error),
    /// The database did not answer in time. The upload may have been recorded.
    #[error("the database did not answer within {0:?}")]
    Unrecorded(Duration),
    /// The volume failed.
    #[error(transparent)]
    Files(#[from] FileError),
    /// The database failed. If it was away, the upload may have been recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An upload that is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Receipt {
    /// As a new image.
    New(ImageId),
    /// As this image already, under the same `Idempotency-Key`.
    Repeated(ImageId),
}

/// The bytes of an upload as they lie on the volume, complete and looked at, but not kept yet: dropped, they are gone.
#[must_use]
pub struct Received {
    file: TempFile,
    sha256: Sha256,
    size_bytes: u64,
    format: ImageFormat,
}

impl Received {
    /// How many bytes there are.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl Intake {
    /// Takes uploads into `files` and `store`, within `limits`; wakes those who read `notices`.
    #[must_use]
    pub const fn new(store: Store, files: Files, notices: Notices, limits: Limits) -> Self {
        Self { store, files, notices, limits }
    }

    /// Receives a file.
    ///
    /// # Errors
    /// See [`IntakeError`]. On each of them, and if this future is dropped, no temporary file is left.
    pub async fn receive(&self, content: impl AsyncRead + Unpin) -> Result<Received, IntakeError> {
        self.spool(content).instrument(traces::stage("receive file")).await
    }

    /// Keeps what was received, and records it. The `place` that the upload took is given back when that is done, even if
    /// nobody waits for it that long.
    ///
    /// # Errors
    /// See [`IntakeError`]. On each of them no temporary file is left.
    pub async fn keep(
        &self,
        received: Received,
        original_name: OriginalName,
        idempotency_key: Option<IdempotencyKey>,
        callback_url: Option<CallbackUrl>,
        place: impl Send + 'static,
    ) -> Result<Receipt, IntakeError> {
        let Received { file, sha256, size_bytes, format } = received;
        let key = FileKey::original(rand::random(), format);
        let image =
            NewImage { original_name, format, sha256, size_bytes, key, idempotency_key, callback_url };
        // All bytes are here, so a client that hangs up now has uploaded all the same. On its own, this cannot be broken
        // off between the file and the row.
        let this = self.clone();
        let keeping = async move {
            let _place = place;
            this.files.keep(file, &image.key).instrument(traces::stage("keep file")).await?;
            this.record(image).await
        };
        let kept = tokio::spawn(keeping.in_current_span());
        kept.await.unwrap_or_else(|panic| Err(IntakeError::BrokenOff(io::Error::other(panic))))
    }

    /// Streams to the volume while counting and hashing; decides by the first bytes.
    async fn spool(&self, mut content: impl AsyncRead + Unpin) -> Result<Received, IntakeError> {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        self.fill(&mut buffer, &mut content).await?;
        if buffer.is_empty() {
            return Err(IntakeError::Empty);
        }
        let format = probe::sniff(&buffer).ok_or(IntakeError::UnsupportedType)?;
        // Nearly always it is in the first bytes, and nothing has to be read again.
        let header = probe::probe(Cursor::new(&buffer)).ok();
        let mut file = self.files.create().await?;
        let mut digest = sha2::Sha256::new();
        let mut size_bytes = 0;
        while !buffer.is_empty() {
            size_bytes += buffer.len() as u64;
            if size_bytes > self.limits.max_upload_bytes {
                return Err(IntakeError::TooLarge { limit: self.limits.max_upload_bytes });
            }
            digest.update(&buffer);
            file.write(&buffer).await?;
            buffer.clear();
            self.fill(&mut buffer, &mut content).await?;
        }
        let header = match header {
            Some(header) => header,
            None => read_header(&mut file).await?,
        };
        // Not before all has come: a client that is still sending might never see the answer.
        self.admit(&header)?;
        Ok(Received { file, sha256: Sha256::new(digest.finalize().into()), size_bytes, format })
    }

    /// Reads until the buffer is full or the content ends. The time is for all of it: a client that drips is as silent as
    /// one that sends nothing, and would hold its place as long.
    async fn fill(
        &self,
        buffer: &mut BytesMut,
        content: &mut (impl AsyncRead + Unpin),
    ) -> Result<(), IntakeError> {
        let filling = async {
            while buffer.len() < CHUNK && content.read_buf(buffer).await? > 0 {}
            Ok(())
        };
        let filled = tokio::time::timeout(self.limits.idle, filling).await;
        filled.map_err(|_| IntakeError::Stalled(self.limits.idle))?.map_err(IntakeError::BrokenOff)
    }

    const fn admit(&self, header: &Header) -> Result<(), IntakeError> {
        let limit = self.limits.max_pixels;
        if header.pixels() > limit {
            return Err(IntakeError::TooManyPixels { width: header.width(), height: header.height(), limit });
        }
        Ok(())
    }

    async fn record(&self, image: NewImage) -> Result<Receipt, IntakeError> {
        let recording = tokio::time::timeout(self.limits.record, self.store.record_upload(&image)).await;
        // Here and below: the commit may have gone through although its answer was lost. The file stays; the sweep, which
        // looks at the rows, decides.
        let outcome = recording.map_err(|_| IntakeError::Unrecorded(self.limits.record))?;
        match &outcome {
            Ok(Recorded::New(_)) => self.notices.wake(Notice::JobDue(Some(JobKind::Image))),
            // If there is a job after all, a relay finds it when it polls.
            Err(error) if error.is_transient() => {}
            _ => self.files.remove(&image.key).await?,
        }
        match outcome? {
            Recorded::New(id) => Ok(Receipt::New(id)),
            Recorded::Repeated(id) => Ok(Receipt::Repeated(id)),
            Recorded::Mismatch => Err(IntakeError::IdempotencyMismatch),
        }
    }
}

async fn read_header(file: &mut TempFile) -> Result<Header, IntakeError> {
    let reader = file.reader().await?;
    let probed = tokio::task::spawn_blocking(move || probe::probe(io::BufReader::new(reader))).await;
    let panicked = |panic| Err(ProbeError::Io(io::Error::other(panic)));
    probed.unwrap_or_else(panicked).map_err(IntakeError::Undecodable)
}
