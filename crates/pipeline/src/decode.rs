//! From a file to pixels: the one door to all decoders.

use super::pixels::Pixels;
use super::planes::Part;
use super::resize::Extent;
use super::{Cancelled, Limits, jpeg, png};
use darkroom_domain::{Failure, ImageFormat};
use darkroom_probe::Header;

/// Embedded colour profiles above this size are ignored. Those of printing presses have 0.5 to 3 MB.
pub(super) const MAX_PROFILE_BYTES: usize = 4 << 20;

/// What a file holds, as stored: not yet upright.
pub(super) enum Decoded {
    /// Pixels, at the width that was asked for, their height at least that of the thumbnail.
    Pixels {
        /// They have alpha only if the picture is transparent, and then colours are multiplied by it.
        pixels: Pixels,
        /// The part of them that is the picture.
        extent: Extent,
        /// The embedded ICC profile.
        profile: Option<Vec<u8>>,
    },
    /// Luminance, at the width that was asked for, and colour differences; in sRGB.
    Planes {
        /// Its height is at least that of the thumbnail.
        luminance: Part<Pixels>,
        /// Neither side is less than half of the thumbnail's, but of a picture that has no more.
        differences: [Part<Pixels>; 2],
    },
}

/// Decodes the file's (first) picture, wholly or not at all, and narrows it to `to_width` on the way.
pub(super) fn decode(
    bytes: &[u8],
    header: &Header,
    to_width: u32,
    limits: &Limits,
    cancelled: Cancelled<'_>,
) -> Result<Decoded, Failure> {
    match header.format() {
        ImageFormat::Jpeg => jpeg::decode(bytes, header, to_width, limits, cancelled),
        ImageFormat::Png => png::decode(bytes, header, to_width, cancelled),
    }
}
