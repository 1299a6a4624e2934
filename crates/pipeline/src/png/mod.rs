//! PNG, decoded row by row into 8 bits a sample. Of an animation, the first picture.

mod chunks;

use super::cost::PNG_ANCILLARY_BYTES;
use super::decode::{Decoded, MAX_PROFILE_BYTES};
use super::narrow::Narrowing;
use super::pixels::{Channels, Pixels};
use super::resize::Extent;
use super::{Cancelled, check};
use ::png::{ColorType, Decoder, DecodingError, InterlaceInfo, Limits, Reader, Transformations};
use chunks::{Chunk, Source};
use darkroom_domain::{Failure, FailureCode};
use darkroom_probe::{Header, Layout, PngColour};
use std::io::ErrorKind;

/// The chunk that holds Exif data (PNG third edition, 11.3.4.5).
const EXIF_CHUNK: [u8; 4] = *b"eXIf";

/// Decodes `bytes`; see [`super::decode::decode`].
pub(super) fn decode(
    bytes: &[u8],
    header: &Header,
    to_width: u32,
    cancelled: Cancelled<'_>,
) -> Result<Decoded, Failure> {
    if matches!(header.layout(), Layout::Png { colour: PngColour::Palette, .. }) {
        check_palette(bytes)?;
    }
    // A profile that inflates beyond all bounds is a reason to leave it out, not to refuse the picture.
    let (mut reader, profile) = match open(bytes, true) {
        Ok(reader) => {
            let info = reader.info();
            let profile =
                info.icc_profile.as_deref().filter(|p| p.len() <= MAX_PROFILE_BYTES && info.srgb.is_none());
            let profile = profile.map(<[u8]>::to_vec);
            (reader, profile)
        }
        Err(DecodingError::LimitsExceeded) => (open(bytes, false).map_err(refuse)?, None),
        Err(error) => return Err(refuse(error)),
    };
    let (pixels, extent) = read_pixels(&mut reader, to_width, cancelled)?;
    Ok(Decoded::Pixels { pixels, extent, profile })
}

/// A palette has three bytes for each of 1 to 256 colours (11.2.2). The decoder takes the three for granted (png 0.18.1
/// panics), and holds as much as there is.
fn check_palette(bytes: &[u8]) -> Result<(), Failure> {
    let mut palettes = Chunk::all(bytes).filter(|chunk| chunk.name == *b"PLTE");
    let is_wrong = |bytes: usize| !bytes.is_multiple_of(3) || bytes > 3 * 256;
    match palettes.find(|palette| is_wrong(palette.data.len())) {
        Some(palette) => {
            let text = format!("the picture is damaged: its palette has {} bytes", palette.data.len());
            Err(Failure::permanent(FailureCode::Corrupt, text))
        }
        None => Ok(()),
    }
}

/// Reads up to the compressed data. What ancillary chunks may take is bounded: with the profile, as the picture's
/// cost promises; without it, nothing is inflated, and they take no more than they do in the file.
fn open(bytes: &[u8], with_profile: bool) -> Result<Reader<Source<'_>>, DecodingError> {
    let mut decoder = Decoder::new(Source::new(bytes, with_profile));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let rows = decoder.read_header_info()?.raw_row_length().saturating_mul(4);
    let ancillary =
        if with_profile { usize::try_from(PNG_ANCILLARY_BYTES).unwrap_or(usize::MAX) } else { bytes.len() };
    decoder.set_limits(Limits { bytes: rows.saturating_add(ancillary) });
    decoder.read_info()
}

fn read_pixels(
    reader: &mut Reader<Source<'_>>,
    to_width: u32,
    cancelled: Cancelled<'_>,
) -> Result<(Pixels, Extent), Failure> {
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => Channels::Grey,
        ColorType::GrayscaleAlpha => Channels::GreyAlpha,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Rgb | ColorType::Indexed => Channels::Rgb,
    };
    let (width, height) = reader.info().size();
    let (Some(stride), Some(size)) = (reader.output_line_size(width), reader.output_buffer_size()) else {
        return Err(refuse(DecodingError::LimitsExceeded));
    };
    let mut narrowing = Narrowing::new((width, height), Extent::whole(width, height), channels, to_width);
    let mut row = vec![0; stride];
    if reader.info().interlaced {
        // The last pass brings every other row: nothing can be narrowed before.
        let mut samples = vec![0; size];
        let bits_per_pixel = u8::try_from(8 * channels.count()).unwrap_or(u8::MAX);
        while let Some(place) = reader.read_row(&mut row).map_err(refuse)? {
            check(cancelled)?;
            if let InterlaceInfo::Adam7(place) = place {
                ::png::expand_interlaced_row(&mut samples, stride, &row, &place, bits_per_pixel);
            }
        }
        narrowing.take(&samples)?;
    } else {
        // Not one more: what follows the last row may be cut off.
        for _ in 0..height {
            check(cancelled)?;
            reader.read_row(&mut row).map_err(refuse)?;
            narrowing.take(&row)?;
        }
    }
    narrowing.finish()
}

fn refuse(error: DecodingError) -> Failure {
    match error {
        DecodingError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => Failure::permanent(
            FailureCode::Truncated,
            "the file is not whole: the data ends before the picture does",
        ),
        DecodingError::LimitsExceeded => {
            let text = "decoding the picture takes more memory than its header promises";
            Failure::permanent(FailureCode::OverMemoryBudget, text)
        }
        _ => Failure::permanent(FailureCode::Corrupt, format!("the picture is damaged: {error}")),
    }
}

/// Whether the file says that it has a colour profile.
pub(super) fn has_profile(bytes: &[u8]) -> bool {
    Chunk::all(bytes).take_while(|chunk| chunk.name != *b"IDAT").any(|chunk| chunk.name == *b"iCCP")
}

/// The Exif data, from its TIFF header on.
pub(super) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    Chunk::all(bytes).find(|chunk| chunk.name == EXIF_CHUNK).map(|chunk| chunk.data)
}

/// The XMP data, unless it is compressed (ISO 16684-3, 6.1.7; PNG third edition, 11.3.3.4).
pub(super) fn xmp(bytes: &[u8]) -> Option<&[u8]> {
    let text = Chunk::all(bytes)
        .filter(|chunk| chunk.name == *b"iTXt")
        .find_map(|chunk| chunk.data.strip_prefix(b"XML:com.adobe.xmp\0\0\0"))?;
    // A language and a translated keyword, each ended by a NUL, and then the text.
    text.splitn(3, |byte| *byte == 0).nth(2)
}

/// The text `Software` (PNG third edition, 11.3.3.1).
pub(super) fn software(bytes: &[u8]) -> Option<&[u8]> {
    Chunk::all(bytes)
        .filter(|chunk| chunk.name == *b"tEXt")
        .find_map(|chunk| chunk.data.strip_prefix(b"Software\0"))
}

/// Where the picture ends in the file; `None` if its end is not marked.
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    let mut end = chunks::SIGNATURE_BYTES;
    Chunk::all(bytes).find_map(|chunk| {
        end += chunk.length();
        (chunk.name == *b"IEND").then_some(end)
    })
}
