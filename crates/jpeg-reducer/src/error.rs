//! Why a picture cannot be decoded.

use thiserror::Error;

/// Why a picture cannot be decoded. Positions are offsets in the file, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The data does not begin with the marker that begins every JPEG.
    #[error("this is not a JPEG")]
    NotJpeg,
    /// The data ends while more of it is due.
    #[error("the data ends at byte {position}, before the picture does")]
    Truncated {
        /// Where the data ends: that of the file, of a scan or of a restart interval.
        position: usize,
    },
    /// All scans are whole, but they do not bring every bit of every coefficient.
    #[error("scans are missing at byte {position}")]
    Incomplete {
        /// Where the next scan should begin.
        position: usize,
    },
    /// The data breaks a rule of the standard.
    #[error("the data is damaged at byte {position}: {what}")]
    Corrupt {
        /// Where it was noticed; the damage itself may lie before it.
        position: usize,
        /// The rule, in words.
        what: &'static str,
    },
    /// The picture may be right, but this crate does not know its kind.
    #[error("{0} not supported")]
    Unsupported(Feature),
    /// The picture needs more than [`Limits`](crate::Limits) allow.
    #[error("the picture has more {what} than the {limit} allowed")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// The limit that it passes.
        limit: u64,
    },
    /// The caller's `interrupted` said so.
    #[error("decoding was interrupted")]
    Interrupted,
}

/// What this crate does not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Feature {
    /// Arithmetic coding (ITU-T T.81, annex D).
    #[error("arithmetic coding is")]
    Arithmetic,
    /// Lossless coding (annex H).
    #[error("lossless coding is")]
    Lossless,
    /// Hierarchical coding (annex J).
    #[error("hierarchical coding is")]
    Hierarchical,
    /// Samples of other than 8 bits.
    #[error("samples of {0} bits are")]
    Precision(u8),
    /// Other than 1, 3 or 4 components.
    #[error("pictures of {0} components are")]
    Components(u8),
}

impl Error {
    /// Whether the data, and not the caller or this crate, is to blame; such pictures can be decoded in part.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Truncated { .. } | Self::Incomplete { .. } | Self::Corrupt { .. })
    }

    pub(crate) const fn corrupt(position: usize, what: &'static str) -> Self {
        Self::Corrupt { position, what }
    }
}
