//! A thumbnail before it is encoded.

use super::pixels::Pixels;
use super::planes::Planes;
use darkroom_domain::Failure;
use std::borrow::Cow;

/// A picture that was drawn: upright and in sRGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picture {
    /// As pixels.
    Pixels(Pixels),
    /// As a JPEG has it.
    Planes(Planes),
}

impl Picture {
    /// Pixels of a row.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.brightness().width()
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.brightness().height()
    }

    /// What tells how bright it is where: of planes, the luminance alone.
    pub(super) const fn brightness(&self) -> &Pixels {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Planes(planes) => planes.luminance(),
        }
    }

    /// The picture as pixels, whatever it is held as.
    ///
    /// # Errors
    /// If planes cannot be enlarged, which none is known for.
    pub fn to_pixels(&self) -> Result<Cow<'_, Pixels>, Failure> {
        match self {
            Self::Pixels(pixels) => Ok(Cow::Borrowed(pixels)),
            Self::Planes(planes) => planes.to_pixels().map(Cow::Owned),
        }
    }
}
