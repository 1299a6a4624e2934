//! What is encoded.

use crate::colour;
use crate::quantisation::Quality;
use std::borrow::Cow;

/// Why something is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A JPEG has 1 to 65,535 columns and rows.
    #[error("a JPEG cannot have {width} × {height} pixels")]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// There are not as many samples as the size asks for.
    #[error("there are {found} samples in a plane that should have {due}")]
    Samples {
        /// How many there are.
        found: usize,
        /// How many there should be.
        due: usize,
    },
}

/// A picture that can be encoded: it has as many samples as its size asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture<'a> {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) planes: Planes<'a>,
}

/// Samples row by row, without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Planes<'a> {
    Grey(Cow<'a, [u8]>),
    /// Luminance, and two colour differences of half its width and height, rounded up.
    YCbCr([Cow<'a, [u8]>; 3]),
}

impl<'a> Picture<'a> {
    /// A grey picture: `width × height` samples, row by row.
    ///
    /// # Errors
    /// [`Error`], if the size is not one that a JPEG can have, or not that of the samples.
    pub fn grey(width: u32, height: u32, samples: impl Into<Cow<'a, [u8]>>) -> Result<Self, Error> {
        let samples = samples.into();
        check(samples.len(), count(width, height)?)?;
        Self::new(width, height, Planes::Grey(samples))
    }

    /// A picture of luminance and colour differences (ITU-T T.871, clause 7): `width × height` samples of luminance, and
    /// `⌈width/2⌉ × ⌈height/2⌉` of each difference, which lie in the middle of four samples of luminance.
    ///
    /// # Errors
    /// As for [`Picture::grey`].
    pub fn ycbcr<P: Into<Cow<'a, [u8]>>>(width: u32, height: u32, planes: [P; 3]) -> Result<Self, Error> {
        let [y, cb, cr] = planes.map(Into::into);
        check(y.len(), count(width, height)?)?;
        let due = count(width.div_ceil(2), height.div_ceil(2))?;
        check(cb.len(), due)?;
        check(cr.len(), due)?;
        Self::new(width, height, Planes::YCbCr([y, cb, cr]))
    }

    /// A picture of red, green and blue: `width × height × 3` samples, pixel by pixel.
    ///
    /// # Errors
    /// As for [`Picture::grey`].
    pub fn from_rgb(width: u32, height: u32, samples: &[u8]) -> Result<Self, Error> {
        check(samples.len(), 3 * count(width, height)?)?;
        let planes = colour::planes(samples, width as usize, height as usize);
        Self::new(width, height, Planes::YCbCr(planes.map(Cow::Owned)))
    }

    fn new(width: u32, height: u32, planes: Planes<'a>) -> Result<Self, Error> {
        match (u16::try_from(width), u16::try_from(height)) {
            (Ok(columns @ 1..), Ok(rows @ 1..)) => Ok(Self { width: columns, height: rows, planes }),
            _ => Err(Error::Size { width, height }),
        }
    }

    /// The bytes of the file, without metadata.
    #[must_use]
    pub fn encode(&self, quality: Quality) -> Vec<u8> {
        crate::file::write(self, quality)
    }
}

/// How many samples such a plane has.
fn count(width: u32, height: u32) -> Result<usize, Error> {
    if (1..=0xffff).contains(&width) && (1..=0xffff).contains(&height) {
        Ok(width as usize * height as usize)
    } else {
        Err(Error::Size { width, height })
    }
}

const fn check(found: usize, due: usize) -> Result<(), Error> {
    if found == due { Ok(()) } else { Err(Error::Samples { found, due }) }
}
