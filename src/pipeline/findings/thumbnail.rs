//! The thumbnail inside the Exif data against the picture: programs that change a picture may forget it.

use super::finding;
use crate::domain::{Finding, FindingCode, PerceptualHash};
use crate::pipeline::jpeg;
use crate::pipeline::look::Look;
use crate::pipeline::pixels::Pixels;
use crate::probe::Header;
use exif::{Exif, In, Tag};

/// The most pixels of a thumbnail that is looked at. Cameras make 160 × 120.
const MAX_PIXELS: u64 = 640 * 480;

/// In how many bits the hashes of two pictures differ at the least. A thumbnail differs from its own picture in about five,
/// and from another one in about thirty, or twenty and more in the best of all ways to hold one against the other.
const LEAST_DISTANCE: u32 = 18;

/// The finding that the embedded thumbnail shows another picture than `shown`, in whichever way the two are held against each
/// other: turned, with black bars or without, the whole picture or what a thumbnail of that shape can hold of it.
pub(super) fn differs(exif: &Exif, header: &Header, shown: &Pixels) -> Option<Finding> {
    let (thumbnail, size) = jpeg::small(embedded(exif)?, MAX_PIXELS)?;
    let distance = match nearest(&thumbnail, shown)? {
        far if far >= LEAST_DISTANCE => match crop_bars(&thumbnail) {
            Some(without_bars) => far.min(nearest(&without_bars, shown)?),
            None => far,
        },
        near => near,
    };
    if distance < LEAST_DISTANCE {
        return None;
    }
    let bits = PerceptualHash::BITS;
    let text = format!(
        "The thumbnail inside the Exif data differs from the picture: their perceptual hashes in {distance} of {bits} bits at the least."
    );
    let evidence = [
        ("distance", format!("{distance} of {bits} bits")),
        ("thumbnail", format!("{} × {}", size.0, size.1)),
        ("picture", format!("{} × {}", header.width(), header.height())),
    ];
    Some(finding(FindingCode::ThumbnailDiffers, text, evidence))
}

/// The bytes of the thumbnail (CIPA DC-008, 4.6.4: in the first IFD, as JPEG).
fn embedded(exif: &Exif) -> Option<&[u8]> {
    let number = |tag| usize::try_from(exif.get_field(tag, In::THUMBNAIL)?.value.get_uint(0)?).ok();
    let (from, length) = (number(Tag::JPEGInterchangeFormat)?, number(Tag::JPEGInterchangeFormatLength)?);
    exif.buf().get(from..from.checked_add(length)?)
}

/// The least distance over all quarter turns, with the whole picture and with its middle in the shape of the thumbnail; or
/// the first that is small enough. `None` if one of them is even: of such, nothing can be told.
fn nearest(thumbnail: &Pixels, shown: &Pixels) -> Option<u32> {
    let mut turns = vec![Look::of(thumbnail).ok()?];
    for _ in 1..4 {
        turns.push(turns.last()?.turned());
    }
    let hashes = turns.iter().map(Look::hash).collect::<Option<Vec<_>>>()?;
    let least = |hashes: &[PerceptualHash], shown: &Pixels| {
        let shown = Look::of(shown).ok()?.hash()?;
        hashes.iter().map(|hash| hash.distance(shown)).min()
    };
    let whole = least(&hashes, shown)?;
    if whole < LEAST_DISTANCE {
        return Some(whole);
    }
    let (width, height) = (thumbnail.width(), thumbnail.height());
    let [up, right, down, left] = <[PerceptualHash; 4]>::try_from(hashes).ok()?;
    let upright = least(&[up, down], &middle(shown, (width, height))?)?;
    let on_its_side = least(&[right, left], &middle(shown, (height, width))?)?;
    Some(whole.min(upright).min(on_its_side))
}

/// As much of the middle of a picture as has the given shape.
fn middle(pixels: &Pixels, (width, height): (u32, u32)) -> Option<Pixels> {
    let scaled = |side: u32, by: u32, of: u32| {
        u32::try_from(u64::from(side) * u64::from(by) / u64::from(of.max(1))).ok()
    };
    let across = scaled(pixels.height(), width, height)?.clamp(1, pixels.width());
    let down = scaled(pixels.width(), height, width)?.clamp(1, pixels.height());
    let (left, top) = ((pixels.width() - across) / 2, (pixels.height() - down) / 2);
    pixels.part((left, top), (across, down))
}

/// The picture without black bars at opposite sides; `None` if there are none.
fn crop_bars(pixels: &Pixels) -> Option<Pixels> {
    let (width, height) = (pixels.width(), pixels.height());
    let channels = pixels.channels().count();
    let row = width as usize * channels;
    let is_dark = |sample: &u8| *sample < 40;
    let dark_row = |y: u32| {
        pixels.samples().chunks_exact(row).nth(y as usize).is_some_and(|row| row.iter().all(is_dark))
    };
    let dark_column = |x: u32| {
        let at = |row: &[u8]| {
            row.chunks_exact(channels).nth(x as usize).is_some_and(|pixel| pixel.iter().all(is_dark))
        };
        pixels.samples().chunks_exact(row).all(at)
    };
    // A bar on each side, of a third at the most.
    let bar = |side: u32, dark: &dyn Fn(u32) -> bool| {
        (0..side / 3).take_while(|line| dark(*line) && dark(side - 1 - line)).count()
    };
    let (top, left) = (bar(height, &dark_row), bar(width, &dark_column));
    let (top, left) = (u32::try_from(top).ok()?, u32::try_from(left).ok()?);
    if (top, left) == (0, 0) {
        return None;
    }
    pixels.part((left, top), (width - 2 * left, height - 2 * top))
}
