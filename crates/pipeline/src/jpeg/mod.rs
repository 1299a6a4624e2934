//! JPEG, reduced while it is decoded.

mod resources;
mod segments;

pub(super) use resources::resource;
pub(super) use segments::{exif, has_index_of_pictures, xmp};

use super::decode::Decoded;
use super::narrow::Narrowing;
use super::pixels::{Channels, Pixels};
use super::planes::Part;
use super::resize::Extent;
use super::{Cancelled, Limits, cost, timed_out};
use darkroom_domain::{Failure, FailureCode, ThumbnailSize};
use darkroom_probe::Header;
use jpeg_reducer::{ColourModel, Decoder, Error, Options, PlaneRow, PlaneSize, Reduction, Rows, Scrutiny};
use segments::icc_profile;

/// Decodes `bytes`; see [`super::decode::decode`].
pub(super) fn decode(
    bytes: &[u8],
    header: &Header,
    to_width: u32,
    limits: &Limits,
    cancelled: Cancelled<'_>,
) -> Result<Decoded, Failure> {
    let decoder = Decoder::new(bytes).map_err(|error| refuse(&error))?;
    if (decoder.info().width, decoder.info().height) != (header.width(), header.height()) {
        let text = "the picture is damaged: it has two headers, which contradict each other";
        return Err(Failure::permanent(FailureCode::Corrupt, text));
    }
    let options = options(header, limits, cancelled);
    let profile = icc_profile(bytes);
    if is_encoded_as_it_is(&decoder, profile.as_deref()) {
        planes(&decoder, &options, to_width)
    } else {
        pixels(&decoder, &options, to_width, profile)
    }
}

/// Whether the colours are those that a thumbnail has, so that nothing needs to be converted.
fn is_encoded_as_it_is(decoder: &Decoder<'_>, profile: Option<&[u8]>) -> bool {
    decoder.info().colour == ColourModel::YCbCr && profile.is_none()
}

/// For colours that have to be converted before they can be encoded again.
fn pixels(
    decoder: &Decoder<'_>,
    options: &Options<'_>,
    to_width: u32,
    profile: Option<Vec<u8>>,
) -> Result<Decoded, Failure> {
    let reduced = |side: u32| f64::from(side) * f64::from(options.reduction.eighths()) / 8.0;
    let extent = Extent::corner(reduced(decoder.info().width), reduced(decoder.info().height));
    let size = decoder.size(options.reduction);
    let mut narrowing = Narrowing::new(size, extent, channels(decoder), to_width);
    let mut narrowed = Ok(());
    let mut take = |rows: Rows<'_>| {
        if narrowed.is_ok() {
            narrowed = narrowing.take(rows.samples);
        }
    };
    decoder.decode(options, &mut take).map_err(|error| refuse(&error))?;
    narrowed?;
    let (pixels, extent) = narrowing.finish()?;
    Ok(Decoded::Pixels { pixels, extent, profile })
}

/// For colours that are encoded as they were: each plane by itself, as large as it is coded. Differences are collected whole; they
/// are a quarter as large as the luminance, as a rule.
fn planes(decoder: &Decoder<'_>, options: &Options<'_>, to_width: u32) -> Result<Decoded, Failure> {
    let [luminance, cb, cr] = plane_sizes(decoder, options.reduction)?;
    let extent = Extent::corner(luminance.across, luminance.down);
    let mut narrowing = Narrowing::new((luminance.width, luminance.height), extent, Channels::Grey, to_width);
    let collected = |size: &PlaneSize| Vec::with_capacity(size.width as usize * size.height as usize);
    let (mut all_cb, mut all_cr) = (collected(&cb), collected(&cr));
    let mut narrowed = Ok(());
    let mut take = |row: PlaneRow<'_>| match row.component {
        0 if narrowed.is_ok() => narrowed = narrowing.take(row.samples),
        1 => all_cb.extend_from_slice(row.samples),
        2 => all_cr.extend_from_slice(row.samples),
        _ => {}
    };
    decoder.decode_planes(options, &mut take).map_err(|error| refuse(&error))?;
    narrowed?;
    let (plane, extent) = narrowing.finish()?;
    let part = |size: PlaneSize, samples| {
        let plane = Pixels::new(size.width, size.height, Channels::Grey, samples)?;
        Ok(Part { plane, extent: Extent::corner(size.across, size.down) })
    };
    Ok(Decoded::Planes {
        luminance: Part { plane, extent },
        differences: [part(cb, all_cb)?, part(cr, all_cr)?],
    })
}

/// The sizes of luminance and differences.
fn plane_sizes(decoder: &Decoder<'_>, reduction: Reduction) -> Result<[PlaneSize; 3], Failure> {
    let size = |component| decoder.plane_size(component, reduction);
    match (size(0), size(1), size(2)) {
        (Some(luminance), Some(cb), Some(cr)) => Ok([luminance, cb, cr]),
        _ => {
            let text = "the picture cannot be decoded: it has no colour differences";
            Err(Failure::permanent(FailureCode::UnsupportedFeature, text))
        }
    }
}

/// A small picture as stored, in full or reduced to half, and its size before; `None` if it is damaged, has more than
/// `max_pixels`, or is for the press.
pub(super) fn small(bytes: &[u8], max_pixels: u64) -> Option<(Pixels, (u32, u32))> {
    let decoder = Decoder::new(bytes).ok()?;
    let size = (decoder.info().width, decoder.info().height);
    let channels = channels(&decoder);
    if channels == Channels::Cmyk {
        return None;
    }
    let reduction = if size.0.min(size.1) < 100 { Reduction::Full } else { Reduction::Half };
    let mut options = Options::new(reduction);
    options.limits.max_pixels = max_pixels;
    options.limits.max_memory_bytes = SMALL_BYTES;
    let (picture, _) = decoder.picture(&options).ok()?;
    Some((Pixels::new(picture.width, picture.height, channels, picture.samples).ok()?, size))
}

/// The most memory for a [`small`] picture: within what is counted for everything that is always there.
const SMALL_BYTES: u64 = 1 << 20;

/// Where the picture ends in the file; `None` if its end is not marked.
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    Decoder::new(bytes).ok()?.end()
}

fn options<'c>(header: &Header, limits: &Limits, cancelled: Cancelled<'c>) -> Options<'c> {
    let mut options = Options::new(reduction(header));
    options.limits.max_pixels = limits.max_pixels;
    options.limits.max_memory_bytes = limits.memory_budget_bytes;
    options.interrupted = cancelled;
    // Damage is told also where the thumbnails do not show it: the original is what somebody wants to keep.
    options.scrutiny = Scrutiny::Everything;
    options
}

/// As far as the longer side keeps what the larger thumbnail asks for.
fn reduction(header: &Header) -> Reduction {
    let long_side = header.width().max(header.height());
    let suits = |reduction: &&Reduction| reduction.of(long_side) >= least_long_side(**reduction);
    Reduction::ALL.iter().rfind(suits).copied().unwrap_or(Reduction::Full)
}

/// How many pixels the longer side is to keep, so that the larger thumbnail does not show that the picture was reduced.
/// Blocks are reduced one by one, which separates frequencies less cleanly than resampling does, and the fewer of a
/// block's coefficients are kept, the less so. Measured on photographs with grain, whose SSIM to a thumbnail of the
/// full picture stays above 0.995 also where a reduction is only just used: of one eighth it is 0.9958 at 1.7 times the
/// thumbnail, and 0.9936 at 1.5.
const fn least_long_side(reduction: Reduction) -> u32 {
    let bound = ThumbnailSize::Medium.bound();
    match reduction.eighths() {
        0 | 1 => bound * 17 / 10,
        2 => bound * 3 / 2,
        _ => bound * 7 / 5,
    }
}

const fn channels(decoder: &Decoder<'_>) -> Channels {
    match decoder.info().colour {
        ColourModel::Grey => Channels::Grey,
        ColourModel::YCbCr | ColourModel::Rgb => Channels::Rgb,
        ColourModel::Cmyk { .. } | ColourModel::Ycck => Channels::Cmyk,
    }
}

/// An upper estimate of the bytes that decoding and narrowing take; 0 for what will be refused at once.
pub(super) fn memory_bytes(bytes: &[u8], header: &Header) -> u64 {
    let Ok(decoder) = Decoder::new(bytes) else { return 0 };
    let reduction = reduction(header);
    let (width, height) = decoder.size(reduction);
    let decoding = decoder.memory_bytes(reduction);
    let profile = icc_profile(bytes);
    if is_encoded_as_it_is(&decoder, profile.as_deref())
        && let Ok([luminance, cb, cr]) = plane_sizes(&decoder, reduction)
    {
        let samples = |size: PlaneSize| u64::from(size.width) * u64::from(size.height);
        // Those of a difference, and once more for the one that is widened.
        let differences = samples(cb) + samples(cr) + samples(cb).max(samples(cr));
        return decoding
            + differences
            + cost::narrowing_bytes(luminance.width, luminance.height, Channels::Grey);
    }
    decoding
        + cost::narrowing_bytes(width, height, channels(&decoder))
        + profile.map_or(0, |profile| profile.len() as u64) * cost::BYTES_OF_PROFILE_BYTE
}

fn refuse(error: &Error) -> Failure {
    let (code, text) = match error {
        Error::Interrupted => return timed_out(),
        Error::Truncated { .. } | Error::Incomplete { .. } => {
            (FailureCode::Truncated, format!("the file is not whole: {error}"))
        }
        Error::Unsupported(_) | Error::Limit { .. } => {
            (FailureCode::UnsupportedFeature, format!("the picture cannot be decoded: {error}"))
        }
        _ => (FailureCode::Corrupt, format!("the picture is damaged: {error}")),
    };
    Failure::permanent(code, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_probe::probe;
    use std::io::Cursor;

    #[test]
    fn the_reduction_keeps_the_long_side() {
        let reduction = |long: u16| {
            let [high, low] = long.to_be_bytes();
            let frame = [0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 10, high, low, 1, 1, 0x11, 0];
            reduction(&probe(Cursor::new(frame)).unwrap()).eighths()
        };
        let sides = [716, 955, 956, 1_146, 1_432, 1_920, 2_867, 3_069, 4_000, 6_952, 6_953, 65_500];
        assert_eq!(sides.map(reduction), [8, 6, 6, 5, 4, 3, 3, 2, 2, 2, 1, 1]);
    }
}
