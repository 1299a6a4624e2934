//! From pixels to the bytes of a thumbnail: JPEG, or PNG where there is alpha. No metadata is written.

use super::Thumbnail;
use super::picture::Picture;
use super::pixels::{Channels, Pixels};
use darkroom_domain::{Failure, FailureCode, ThumbnailFormat};
use jpeg_writer::Quality;
use std::fmt::Display;

/// Looks clean at the size of a thumbnail; above, files grow faster than the eye notices.
const JPEG_QUALITY: Quality = Quality::new(80);

/// That of zlib itself, and of most programs. The mode for speed alone makes the thumbnail of a screenshot a fifth larger, and
/// one of patterns that repeat three times as large; the highest level takes four times as long for less than a hundredth.
const PNG_LEVEL: png::DeflateCompression = png::DeflateCompression::Level(6);

/// Encodes a picture in sRGB.
///
/// # Errors
/// `Corrupt` if the picture is larger than the format can say, or made of inks, which no thumbnail is.
pub fn encode(picture: &Picture) -> Result<Thumbnail, Failure> {
    let (width, height) = (picture.width(), picture.height());
    let (bytes, format) = match picture {
        Picture::Planes(planes) => (
            jpeg(jpeg_writer::Picture::ycbcr(width, height, planes.all().map(Pixels::samples)))?,
            ThumbnailFormat::Jpeg,
        ),
        Picture::Pixels(pixels) => match pixels.channels() {
            Channels::Grey => {
                (jpeg(jpeg_writer::Picture::grey(width, height, pixels.samples()))?, ThumbnailFormat::Jpeg)
            }
            Channels::Rgb => (
                jpeg(jpeg_writer::Picture::from_rgb(width, height, pixels.samples()))?,
                ThumbnailFormat::Jpeg,
            ),
            Channels::GreyAlpha => (png(pixels, png::ColorType::GrayscaleAlpha)?, ThumbnailFormat::Png),
            Channels::Rgba => (png(pixels, png::ColorType::Rgba)?, ThumbnailFormat::Png),
            Channels::Cmyk => return Err(impossible("its colours are inks")),
        },
    };
    Ok(Thumbnail { bytes, width, height, format })
}

fn jpeg(picture: Result<jpeg_writer::Picture<'_>, jpeg_writer::Error>) -> Result<Vec<u8>, Failure> {
    Ok(picture.map_err(impossible)?.encode(JPEG_QUALITY))
}

fn png(pixels: &Pixels, colour: png::ColorType) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixels.width(), pixels.height());
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_deflate_compression(PNG_LEVEL);
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header().map_err(impossible)?;
    writer.write_image_data(pixels.samples()).map_err(impossible)?;
    writer.finish().map_err(impossible)?;
    Ok(bytes)
}

/// Encoding into memory fails only for sizes that no thumbnail has.
fn impossible(error: impl Display) -> Failure {
    Failure::permanent(FailureCode::Corrupt, format!("the thumbnail cannot be encoded: {error}"))
}
