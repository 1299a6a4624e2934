//! Names of stored files, made by us alone.

use super::{Attempt, ImageFormat, JobId, ThumbnailFormat, ThumbnailSize};
use std::fmt;
use std::str::FromStr;

/// Names one stored file, relative to the volume, as in `originals/3f/3f9a….jpg`.
///
/// The two-digit folder keeps directories small. Only characters that we chose can occur, so a key can never climb out of
/// the volume, whatever a client called its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(String);

/// A text that is no [`FileKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key of a stored file")]
pub struct InvalidFileKey(String);

impl FileKey {
    /// The folder of uploaded files.
    pub const ORIGINALS: &'static str = "originals";
    /// The folder of made files.
    pub const THUMBNAILS: &'static str = "thumbnails";

    /// A key for an original; `random` makes it unique (128 bits from a good source).
    #[must_use]
    pub fn original(random: u128, format: ImageFormat) -> Self {
        let name = format!("{random:032x}");
        Self(format!("{}/{}/{name}.{format}", Self::ORIGINALS, &name[..2]))
    }

    /// A key for a thumbnail of the image stored under `self`.
    ///
    /// Job and attempt are part of the name, so that a worker that lost its lease can never touch the file of the one
    /// that took over.
    #[must_use]
    pub fn thumbnail(
        &self,
        job: JobId,
        attempt: Attempt,
        size: ThumbnailSize,
        format: ThumbnailFormat,
    ) -> Self {
        let stem = self.0.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
        let folder = stem.get(..2).unwrap_or("00");
        let extension = format.extension();
        Self(format!("{}/{folder}/{stem}-{job}-{attempt}-{size}.{extension}", Self::THUMBNAILS))
    }

    /// The relative path, with `/` between its three components.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FileKey {
    type Err = InvalidFileKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        };
        let mut parts = text.split('/');
        let valid = matches!(parts.next(), Some(Self::ORIGINALS | Self::THUMBNAILS))
            && parts.next().is_some_and(|folder| folder.len() == 2 && plain(folder))
            && parts.next().is_some_and(plain)
            && parts.next().is_none();
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidFileKey(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_nothing_climbs_out() {
        let original = FileKey::original(0x3f << 120, ImageFormat::Jpeg);
        assert_eq!(original.as_str(), "originals/3f/3f000000000000000000000000000000.jpg");
        let small =
            original.thumbnail(JobId::new(7), Attempt::new(2), ThumbnailSize::Small, ThumbnailFormat::Png);
        assert_eq!(small.as_str(), "thumbnails/3f/3f000000000000000000000000000000-7-2-small.png");
        assert_eq!(small.as_str().parse(), Ok(small));
        for bad in
            ["", "originals/../x", "originals/ab/../x", "/etc/passwd", "originals/ab/x/y", "originals/ab/.x"]
        {
            assert!(bad.parse::<FileKey>().is_err(), "{bad}");
        }
    }
}
