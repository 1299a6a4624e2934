//! What making thumbnails takes in memory, estimated from the headers alone, so that workers can admit pictures by
//! weight.

use super::narrow::batch_bytes;
use super::pixels::Channels;
use super::resize::fit;
use super::{jpeg, png};
use darkroom_domain::ThumbnailSize;
use darkroom_probe::{Header, Layout, PngColour};

/// What resizing keeps for each row and column of the decoded picture: their weights, in two forms, and where they
/// begin. Measured, and rounded up.
const RESIZE_BYTES_OF_LINE: u64 = 64;

/// Tables, colour transforms, thumbnails and their encoders.
const FIXED_BYTES: u64 = 2 << 20;

/// What a byte of a colour profile becomes: itself, and its tables unpacked to floating point.
pub(super) const BYTES_OF_PROFILE_BYTE: u64 = 8;

/// Bytes that the PNG decoder may spend on an inflated colour profile, where there is one.
pub(super) const PNG_ANCILLARY_BYTES: u64 = 8 << 20;

/// An upper estimate of the bytes of memory that making thumbnails of the file `bytes` takes, beside the file itself.
#[must_use]
pub fn memory_bytes(bytes: &[u8], header: &Header) -> u64 {
    let decoding = match header.layout() {
        Layout::Jpeg { .. } => jpeg::memory_bytes(bytes, header),
        Layout::Png { colour, bit_depth, interlaced } => {
            png_bytes(bytes, header, colour, bit_depth, interlaced)
        }
    };
    decoding.saturating_add(FIXED_BYTES)
}

fn png_bytes(bytes: &[u8], header: &Header, colour: PngColour, bit_depth: u8, interlaced: bool) -> u64 {
    // Rows come with 8 bits a sample; a chunk tRNS, which comes later, may add alpha.
    let channels = match colour {
        PngColour::Grey | PngColour::GreyAlpha => Channels::GreyAlpha,
        PngColour::Palette | PngColour::Rgb | PngColour::Rgba => Channels::Rgba,
    };
    let row = (u64::from(header.width()) * colour.samples() * u64::from(bit_depth)).div_ceil(8);
    // Of an interlaced picture every row is known only at its end.
    let whole = if interlaced { header.pixels().saturating_mul(channels.count() as u64) } else { 0 };
    whole
        .saturating_add(narrowing_bytes(header.width(), header.height(), channels))
        .saturating_add(row.saturating_mul(4))
        .saturating_add(if png::has_profile(bytes) { PNG_ANCILLARY_BYTES } else { 0 })
}

/// Rows that wait, the narrow picture, and the weights of resizing it both ways.
pub(super) fn narrowing_bytes(width: u32, height: u32, channels: Channels) -> u64 {
    let row = width as usize * channels.count();
    let waiting = batch_bytes(row, height as usize) as u64;
    let channels = channels.count() as u64;
    let narrow =
        u64::from(fit(width, height, ThumbnailSize::Medium.bound()).0) * u64::from(height) * channels;
    let weights = (u64::from(width) + u64::from(height)) * RESIZE_BYTES_OF_LINE;
    waiting.saturating_add(narrow).saturating_add(weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_probe::probe;
    use std::io::Cursor;

    /// The price of the file with these bytes.
    fn price(file: &[u8]) -> u64 {
        memory_bytes(file, &probe(Cursor::new(file)).unwrap())
    }

    fn jpeg(process: u8, width: u16, height: u16) -> u64 {
        let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
        let frame = [0xff, process, 0, 17, 8, h1, h0, w1, w0, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
        let last = if process == 0xc2 { 0 } else { 63 };
        let scan = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, last, 0];
        price(&[&[0xff, 0xd8], &frame[..], &scan].concat())
    }

    fn png(width: u32, height: u32, rest: [u8; 5]) -> u64 {
        let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
        price(&[b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", sides.as_slice(), &rest].concat())
    }

    #[test]
    fn what_must_be_held_is_priced() {
        let megabytes = |price: u64| price >> 20;
        // Reduced to a quarter: a strip, and a 16th of the coefficients.
        assert!(megabytes(jpeg(0xc0, 6_000, 4_000)) < 12);
        assert!(megabytes(jpeg(0xc2, 6_000, 4_000)) > 6);
        // Row by row, and interlaced.
        assert!(megabytes(png(10_000, 10_000, [8, 6, 0, 0, 0])) < 50);
        assert!(megabytes(png(10_000, 10_000, [8, 6, 0, 0, 1])) > 400);
        // Of a thin picture, the weights of resizing are the largest part.
        assert!(megabytes(png(1, 1_000_000, [1, 0, 0, 0, 0])) > 60);
        assert!(megabytes(png(1_000_000, 1, [1, 0, 0, 0, 0])) > 60);
        assert_eq!(png(0x7fff_ffff, 0x7fff_ffff, [16, 6, 0, 0, 1]), u64::MAX);
    }
}
