//! The frame header of a JPEG. Section and table numbers are those of ITU-T T.81.

use super::{Defect, Header, Layout, take};
use std::io::{BufRead, Seek};

/// Segments that may precede the frame header. A profile and a preview of 16 MiB make 512 segments.
const MAX_SEGMENTS: u32 = 2_000;

/// Bytes between segments that are skipped in all; some cameras leave a few.
const MAX_STRAY_BYTES: u32 = 4_096;

/// The coding process that the marker of the frame header names (table B.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JpegProcess {
    /// SOF0.
    Baseline,
    /// SOF1: sequential, up to 12 bits and four tables of each kind.
    Extended,
    /// SOF2.
    Progressive,
    /// SOF3.
    Lossless,
    /// DHP, SOF5 to SOF7 and SOF13 to SOF15.
    Hierarchical,
    /// SOF9 to SOF11.
    Arithmetic,
}

impl JpegProcess {
    /// The process of a frame header's marker, or `None` for any other marker.
    const fn of_marker(code: u8) -> Option<Self> {
        match code {
            0xc0 => Some(Self::Baseline),
            0xc1 => Some(Self::Extended),
            0xc2 => Some(Self::Progressive),
            0xc3 => Some(Self::Lossless),
            0xc5..=0xc7 | 0xcd..=0xcf | 0xde => Some(Self::Hierarchical),
            0xc9..=0xcb => Some(Self::Arithmetic),
            _ => None,
        }
    }
}

/// Reads on from behind SOI.
pub(super) fn read<R: BufRead + Seek>(source: &mut R) -> Result<Header, Defect> {
    let mut stray_bytes = 0;
    for _ in 0..MAX_SEGMENTS {
        let code = marker(source, &mut stray_bytes)?;
        if let Some(process) = JpegProcess::of_marker(code) {
            return frame_header(source, process);
        }
        match code {
            // TEM, RST0 to RST7 and SOI stand alone.
            0x01 | 0xd0..=0xd8 => {}
            0xd9 => return Err(Defect::Lie("it ends before any picture begins")),
            0xda => return Err(Defect::Lie("a scan comes before the frame header")),
            _ => {
                let payload = payload_length(source)?;
                source.seek_relative(i64::from(payload))?;
            }
        }
    }
    Err(Defect::Lie("too many segments precede the frame header"))
}

/// The code of the next marker (B.1.1.2): FF, any number of further FF, the code.
fn marker<R: BufRead>(source: &mut R, stray_bytes: &mut u32) -> Result<u8, Defect> {
    let mut after_ff = false;
    loop {
        let [byte] = take(source)?;
        match (after_ff, byte) {
            (_, 0xff) => after_ff = true,
            (true, code) if code != 0 => return Ok(code),
            _ => {
                after_ff = false;
                *stray_bytes += 1;
            }
        }
        if *stray_bytes > MAX_STRAY_BYTES {
            return Err(Defect::Lie("there is no segment where one is due"));
        }
    }
}

/// The length of a segment without its length field (B.1.1.4).
fn payload_length<R: BufRead>(source: &mut R) -> Result<u16, Defect> {
    u16::from_be_bytes(take(source)?)
        .checked_sub(2)
        .ok_or(Defect::Lie("a segment is shorter than its length field"))
}

/// B.2.2.
fn frame_header<R: BufRead>(source: &mut R, process: JpegProcess) -> Result<Header, Defect> {
    let payload = payload_length(source)?;
    let [precision, h1, h0, w1, w0, components] = take(source)?;
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    if height == 0 {
        return Err(Defect::Lie("its height is left to a DNL segment, which is not supported"));
    }
    if width == 0 {
        return Err(Defect::Lie("its width is zero"));
    }
    if components == 0 || payload != 6 + 3 * u16::from(components) {
        return Err(Defect::Lie("the frame header's length does not fit its number of components"));
    }
    let mut factors = Vec::with_capacity(usize::from(components));
    for _ in 0..components {
        let [_identifier, sampling, _table] = take(source)?;
        factors.push((sampling >> 4, sampling & 15));
    }
    if factors.iter().any(|(h, v)| !(1..=4).contains(h) || !(1..=4).contains(v)) {
        return Err(Defect::Lie("a sampling factor is not between 1 and 4"));
    }
    let coefficients = coefficients(width, height, &factors);
    let layout = Layout::Jpeg { process, precision, components, coefficients };
    Ok(Header { width: width.into(), height: height.into(), layout })
}

/// The number of coefficients when each component is padded to whole MCUs (A.2.4).
fn coefficients(width: u16, height: u16, factors: &[(u8, u8)]) -> u64 {
    let largest = |of: fn(&(u8, u8)) -> u8| u64::from(factors.iter().map(of).max().unwrap_or(1));
    let across = u64::from(width).div_ceil(8 * largest(|f| f.0));
    let down = u64::from(height).div_ceil(8 * largest(|f| f.1));
    let blocks_of_mcu: u64 = factors.iter().map(|(h, v)| u64::from(*h) * u64::from(*v)).sum();
    across * down * blocks_of_mcu * 64
}
