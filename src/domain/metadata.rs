//! What is read from an image beside its pixels.

use super::ImageFormat;
use std::collections::BTreeMap;
use time::PrimitiveDateTime;

/// How the stored rows and columns are to be shown: the values 1 to 8 of the Exif tag `Orientation` (CIPA DC-008, 4.6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Orientation(u8);

impl Orientation {
    /// As stored.
    pub const UPRIGHT: Self = Self(1);

    /// The orientation of the given Exif value, or `None` for a value outside 1 to 8.
    #[must_use]
    pub const fn from_exif(value: u32) -> Option<Self> {
        match value {
            #[expect(clippy::cast_possible_truncation, reason = "1 to 8 fit")]
            1..=8 => Some(Self(value as u8)),
            _ => None,
        }
    }

    /// The Exif value, 1 to 8.
    #[must_use]
    pub const fn exif(self) -> u8 {
        self.0
    }

    /// Whether width and height change places when the picture is shown.
    #[must_use]
    pub const fn swaps_sides(self) -> bool {
        self.0 >= 5
    }
}

/// What is known about an image once its header and metadata were read. Safe for Postgres and JSON: no NUL, no lone
/// surrogate, no infinite number.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// Width in pixels as displayed, orientation applied.
    pub width: u32,
    /// Height in pixels as displayed, orientation applied.
    pub height: u32,
    /// The format, by content.
    pub format: ImageFormat,
    /// When the picture was taken; Exif names no zone, so none is invented.
    pub taken_at: Option<PrimitiveDateTime>,
    /// The orientation that the file asks for.
    pub orientation: Orientation,
    /// Whether the file says where it was taken.
    pub has_gps: bool,
    /// Exif fields by name, as readable text with units.
    pub exif: BTreeMap<String, String>,
    /// What was odd about the metadata and was cleaned or left out; one sentence each.
    pub warnings: Vec<String>,
}
