//! The chunk IHDR of a PNG. Section numbers are those of the third edition.

use super::{Defect, Header, Layout, take};
use std::io::Read;

/// The colour type (11.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PngColour {
    /// 0.
    Grey,
    /// 2.
    Rgb,
    /// 3.
    Palette,
    /// 4.
    GreyAlpha,
    /// 6.
    Rgba,
}

impl PngColour {
    const fn of_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Grey),
            2 => Some(Self::Rgb),
            3 => Some(Self::Palette),
            4 => Some(Self::GreyAlpha),
            6 => Some(Self::Rgba),
            _ => None,
        }
    }

    /// Samples of one pixel as stored.
    #[must_use]
    pub const fn samples(self) -> u64 {
        match self {
            Self::Grey | Self::Palette => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    /// Whether the table in 11.2.1 allows this bit depth.
    const fn allows(self, bit_depth: u8) -> bool {
        match self {
            Self::Grey => matches!(bit_depth, 1 | 2 | 4 | 8 | 16),
            Self::Palette => matches!(bit_depth, 1 | 2 | 4 | 8),
            Self::Rgb | Self::GreyAlpha | Self::Rgba => matches!(bit_depth, 8 | 16),
        }
    }
}

/// Reads on from behind the signature.
pub(super) fn read(source: &mut impl Read) -> Result<Header, Defect> {
    let length = u32::from_be_bytes(take(source)?);
    let name: [u8; 4] = take(source)?;
    if name != *b"IHDR" || length != 13 {
        return Err(Defect::Lie("the first chunk is no IHDR of 13 bytes"));
    }
    let width = side(take(source)?)?;
    let height = side(take(source)?)?;
    let [bit_depth, colour, compression, filter, interlace] = take(source)?;
    let colour = PngColour::of_code(colour).ok_or(Defect::Lie("the colour type is unknown"))?;
    if !colour.allows(bit_depth) {
        return Err(Defect::Lie("the bit depth does not go with the colour type"));
    }
    if compression != 0 || filter != 0 {
        return Err(Defect::Lie("the compression or filter method is unknown"));
    }
    let interlaced = match interlace {
        0 => false,
        1 => true,
        _ => return Err(Defect::Lie("the interlace method is unknown")),
    };
    Ok(Header { width, height, layout: Layout::Png { colour, bit_depth, interlaced } })
}

/// A width or height: 1 to 2³¹ − 1 (7.1).
fn side(bytes: [u8; 4]) -> Result<u32, Defect> {
    match u32::from_be_bytes(bytes) {
        0 => Err(Defect::Lie("its width or height is zero")),
        side @ 1..=0x7fff_ffff => Ok(side),
        _ => Err(Defect::Lie("its width or height is beyond what PNG allows")),
    }
}
