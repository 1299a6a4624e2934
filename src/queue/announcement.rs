//! What a message says: which job waits. The job itself is a row; a lost or doubled message changes nothing.

use crate::domain::{ImageId, JobId, JobKind};
use serde::Deserialize;

/// "This job waits to be claimed."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// The job.
    pub job: JobId,
    /// Its image, for logs.
    pub image: ImageId,
    /// Its kind: the queue that carries it.
    pub kind: JobKind,
}

/// The form of messages that this program writes and understands.
const VERSION: u32 = 1;

/// Far above any message of ours; what is longer is not even parsed.
const LONGEST: usize = 1024;

#[derive(Deserialize)]
struct Body {
    version: u32,
    job: i64,
    image: i64,
}

/// Why a message is not an announcement.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("it is not known to come from a queue of jobs")]
    OtherQueue,
    #[error("it is {0} bytes long")]
    TooLong(usize),
    #[error("it is not the JSON of an announcement: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("it has version {0}, and this program understands version {VERSION}")]
    OtherVersion(u32),
}

impl Announcement {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (job, image) = (self.job.get(), self.image.get());
        format!(r#"{{"version":{VERSION},"job":{job},"image":{image}}}"#).into_bytes()
    }

    pub(super) fn decode(kind: JobKind, body: &[u8]) -> Result<Self, Malformed> {
        if body.len() > LONGEST {
            return Err(Malformed::TooLong(body.len()));
        }
        let Body { version, job, image } = serde_json::from_slice(body)?;
        if version != VERSION {
            return Err(Malformed::OtherVersion(version));
        }
        Ok(Self { job: JobId::new(job), image: ImageId::new(image), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_and_refuses_the_rest() {
        let sent = Announcement { job: JobId::new(7), image: ImageId::new(-3), kind: JobKind::Caption };
        assert_eq!(Announcement::decode(JobKind::Caption, &sent.encode()).unwrap(), sent);
        for bad in [&b""[..], b"\xff\x00", b"[]", br#"{"version":1}"#, br#"{"version":2,"job":1,"image":1}"#]
        {
            assert!(Announcement::decode(JobKind::Image, bad).is_err(), "{bad:?}");
        }
        assert!(matches!(Announcement::decode(JobKind::Image, &[b' '; 2000]), Err(Malformed::TooLong(2000))));
    }
}
