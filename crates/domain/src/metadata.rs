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
    /// What it was taken with, see [`camera_name`].
    pub camera: Option<String>,
    /// What the file says of the picture in words: one line that is not empty.
    pub description: Option<String>,
    /// Whether the file says where it was taken.
    pub has_gps: bool,
    /// Exif fields by name, as readable text with units.
    pub exif: BTreeMap<String, String>,
    /// What was odd about the metadata and was cleaned or left out; one sentence each.
    pub warnings: Vec<String>,
}

/// The name of a camera by the Exif fields `Make` and `Model`. Most models begin with a name of their maker already: of
/// "NIKON CORPORATION" and "NIKON D90" the model is enough.
#[must_use]
pub fn camera_name(make: Option<&str>, model: Option<&str>) -> Option<String> {
    let (make, model) = (make.unwrap_or_default().trim(), model.unwrap_or_default().trim());
    let first = model.split_whitespace().next().unwrap_or_default();
    let names_maker = make.split_whitespace().any(|word| word.eq_ignore_ascii_case(first));
    let name = if names_maker { model.to_owned() } else { format!("{make} {model}") };
    let name = name.trim();
    (!name.is_empty()).then(|| name.chars().take(MAX_CAMERA_CHARS).collect())
}

/// Longer than any name of a camera.
const MAX_CAMERA_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::camera_name;

    #[test]
    fn a_camera_has_its_maker_in_its_name_once() {
        let name = |make, model| camera_name(make, model).unwrap_or_default();
        assert_eq!(name(Some("Canon"), Some("Canon EOS 80D")), "Canon EOS 80D");
        assert_eq!(name(Some("NIKON CORPORATION"), Some("NIKON D90")), "NIKON D90");
        assert_eq!(name(Some("EASTMAN KODAK COMPANY"), Some("KODAK DX4530")), "KODAK DX4530");
        assert_eq!(name(Some("samsung"), Some(" SM-G991B ")), "samsung SM-G991B");
        assert_eq!(name(Some("Canon"), Some("CanoScan")), "Canon CanoScan");
        assert_eq!((name(Some("Apple"), None), name(None, Some("X-T4"))), ("Apple".into(), "X-T4".into()));
        assert_eq!((camera_name(None, None), camera_name(Some(" "), Some(""))), (None, None));
        assert_eq!(name(Some(&"ä".repeat(500)), None).chars().count(), 200);
    }
}
