//! What can go wrong with the volume, or with the bucket in its place.

use std::io;
use std::path::{Path, PathBuf};

/// A failed operation on the volume. The path is for logs; callers are never shown it. In a bucket it begins with `s3://`.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The volume is there, and the file is not.
    #[error("{} is missing", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// The volume belongs to another installation.
    #[error(
        "{} says that the folder belongs to installation {owner}, which is not that of this database; choose another \
         files.dir or files.url, or, if the folder's files shall be swept as this database sees fit, remove that file",
        path.display()
    )]
    Foreign {
        /// The file that says so.
        path: PathBuf,
        /// The installation.
        owner: String,
    },
    /// No room is left: bytes, inodes or quota.
    #[error("no room left on the volume while {doing} {}", path.display())]
    Full {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
    },
    /// Anything else: read-only, unmounted, broken.
    #[error("{doing} {} failed", path.display())]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl FileError {
    /// Whether it says nothing of the file, because it may be otherwise in a moment: the way to the volume is broken, or who
    /// answers there has too much to do.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        use io::ErrorKind::{ConnectionReset, NotConnected, ResourceBusy, TimedOut};
        let Self::Unavailable { source, .. } = self else { return false };
        matches!(source.kind(), ConnectionReset | NotConnected | ResourceBusy | TimedOut)
    }

    /// What may be said to those who are no operators.
    #[must_use]
    pub fn without_path(&self) -> String {
        match self {
            Self::Missing { .. } => "a file is missing".to_owned(),
            Self::Foreign { .. } => "the folder belongs to another installation".to_owned(),
            Self::Full { .. } => "no room left on the volume".to_owned(),
            Self::Unavailable { doing, source, .. } => {
                format!("{} failed: {source}", doing.trim_end_matches(','))
            }
        }
    }
}

/// Names what was being done, and to what, when the system said no.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FileError::Full { doing, path },
                _ => FileError::Unavailable { doing, path, source },
            }
        })
    }
}
