//! From pixels to the bytes of a thumbnail: JPEG, or PNG where there is alpha. No metadata is written.

use super::Thumbnail;
use super::pixels::{Channels, Pixels};
use darkroom_domain::{Failure, FailureCode, ThumbnailFormat, ThumbnailSize};
use std::fmt::Display;

/// Looks clean at the size of a thumbnail; above, files grow faster than the eye notices.
const JPEG_QUALITY: u8 = 80;

/// Up to this many pixels, Huffman tables made for the picture save a tenth of its bytes. Above, they save a fiftieth
/// and take half as much time again.
const OWN_TABLES_UP_TO: u32 = ThumbnailSize::Small.bound() * ThumbnailSize::Small.bound();

/// Encodes a picture in sRGB.
///
/// # Errors
/// `Corrupt` if the picture is larger than the format can say, which no thumbnail is.
pub fn encode(pixels: &Pixels) -> Result<Thumbnail, Failure> {
    let (bytes, format) = match pixels.channels() {
        Channels::Grey => (jpeg(pixels, jpeg_encoder::ColorType::Luma)?, ThumbnailFormat::Jpeg),
        Channels::Rgb => (jpeg(pixels, jpeg_encoder::ColorType::Rgb)?, ThumbnailFormat::Jpeg),
        Channels::Cmyk => (jpeg(pixels, jpeg_encoder::ColorType::Cmyk)?, ThumbnailFormat::Jpeg),
        Channels::GreyAlpha => (png(pixels, png::ColorType::GrayscaleAlpha)?, ThumbnailFormat::Png),
        Channels::Rgba => (png(pixels, png::ColorType::Rgba)?, ThumbnailFormat::Png),
    };
    Ok(Thumbnail { bytes, width: pixels.width(), height: pixels.height(), format })
}

fn jpeg(pixels: &Pixels, colour: jpeg_encoder::ColorType) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, JPEG_QUALITY);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
    if pixels.width() * pixels.height() <= OWN_TABLES_UP_TO {
        encoder.set_optimized_huffman_tables(true);
        // DC and AC. This encoder makes a sequential picture with tables of its own one scan for each component, which
        // is allowed, rare, and misread by some decoders.
        encoder.set_progressive_scans(2);
    }
    let side = |side: u32| u16::try_from(side).map_err(impossible);
    encoder
        .encode(pixels.samples(), side(pixels.width())?, side(pixels.height())?, colour)
        .map_err(impossible)?;
    Ok(bytes)
}

fn png(pixels: &Pixels, colour: png::ColorType) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixels.width(), pixels.height());
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(impossible)?;
    writer.write_image_data(pixels.samples()).map_err(impossible)?;
    writer.finish().map_err(impossible)?;
    Ok(bytes)
}

/// Encoding into memory fails only for sizes that no thumbnail has.
fn impossible(error: impl Display) -> Failure {
    Failure::permanent(FailureCode::Corrupt, format!("the thumbnail cannot be encoded: {error}"))
}
