//! What an object store says when it does not do what it is asked, in our words.

use crate::files::FileError;
use crate::files::error::Doing;
use hyper::StatusCode;
use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};
use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::path::Path;

/// The library's own text names the URL and repeats the answer; that is for logs, and follows as the cause.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Trouble {
    what: &'static str,
    #[source]
    cause: Error,
}

/// The store has no room left: 507, as MinIO and others say it.
#[derive(Debug, thiserror::Error)]
#[error("the object store has no room left")]
pub(super) struct NoRoom;

/// 5xx and 429: what may be otherwise in a moment.
#[derive(Debug, thiserror::Error)]
#[error("the object store answered with {0}")]
pub(super) struct Busy(pub(super) StatusCode);

/// Names what was being done, and to what, when the store said no.
pub(super) trait Told<T> {
    fn told(self, doing: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Told<T> for object_store::Result<T> {
    fn told(self, doing: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(io_error).doing(doing, path)
    }
}

/// The same in the form of a file that cannot be read or written.
pub(super) fn io_error(cause: Error) -> io::Error {
    let (kind, what) = match &cause {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            (ErrorKind::PermissionDenied, "the object store refuses access")
        }
        Error::NotFound { .. } => (ErrorKind::NotFound, "there is no such object, or no such bucket"),
        other => on_the_way(other),
    };
    io::Error::new(kind, Trouble { what, cause })
}

/// Whether the connection failed, so that nobody knows what the store did.
pub(super) fn is_on_the_way(error: &Error) -> bool {
    matches!(on_the_way(error).0, ErrorKind::NotConnected | ErrorKind::TimedOut | ErrorKind::ConnectionReset)
}

/// Whether it was the way there, or the store.
fn on_the_way(error: &Error) -> (ErrorKind, &'static str) {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NoRoom>() {
            return (ErrorKind::StorageFull, "the object store has no room left");
        }
        if error.is::<Busy>() {
            return (ErrorKind::ResourceBusy, "the object store is overloaded or fails");
        }
        let kind = error.downcast_ref::<HttpError>().map(HttpError::kind);
        match kind {
            Some(HttpErrorKind::Connect) => {
                return (ErrorKind::NotConnected, "the object store cannot be reached");
            }
            Some(HttpErrorKind::Timeout) => {
                return (ErrorKind::TimedOut, "the object store did not answer in time");
            }
            Some(HttpErrorKind::Interrupted) => {
                return (ErrorKind::ConnectionReset, "the connection to the object store broke");
            }
            _ => cause = error.source(),
        }
    }
    (ErrorKind::Other, "the object store answered with an error")
}
