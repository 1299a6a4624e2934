//! The thumbnail inside the Exif data against the picture: programs that change a picture may forget it.

use super::finding;
use crate::jpeg;
use crate::look::{Difference, Look};
use crate::pixels::Pixels;
use darkroom_domain::{Finding, FindingCode, PerceptualHash};
use darkroom_probe::Header;
use exif::{Exif, In, Tag};

/// The most pixels of a thumbnail that is looked at. Cameras make 160 × 120.
const MAX_PIXELS: u64 = 640 * 480;

/// Two pictures are not the same if at least this share of the decided bits of their hashes differs. In a picture and its own
/// thumbnail about a tenth does; in unlike pictures half, or a third in the best of all ways to hold one against the other.
const LEAST_SHARE: f32 = 0.28;

/// Fewer decided bits, half of all, say nothing: of a picture that is nearly smooth (sky, fog, a wall) most are not.
const LEAST_DECIDED: u32 = PerceptualHash::BITS / 2;

/// Pictures that rise and fall together as much as this are the same, whatever their hashes say.
const CORRELATED: f32 = 0.6;

/// The finding that the embedded thumbnail shows another picture than `shown`, in whichever way the two are held against each
/// other: turned, mirrored, with black bars or without, the whole picture or what a thumbnail of that shape can hold of it.
pub(super) fn differs(exif: &Exif, header: &Header, shown: &Pixels) -> Option<Finding> {
    let (thumbnail, size) = jpeg::small(embedded(exif)?, MAX_PIXELS)?;
    let mut least = least_difference(&thumbnail, shown)?;
    if let Some(without_bars) = crop_bars(&thumbnail) {
        least = lesser(least, least_difference(&without_bars, shown)?);
    }
    let Difference { differing, decided, correlation } = least;
    let text = format!(
        "The thumbnail inside the Exif data differs from the picture: their perceptual hashes in {differing} of {decided} bits at the least."
    );
    let evidence = [
        ("distance", format!("{differing} of {decided} bits")),
        ("correlation", format!("{correlation:.2}")),
        ("thumbnail", format!("{} × {}", size.0, size.1)),
        ("picture", format!("{} × {} as stored", header.width(), header.height())),
    ];
    Some(finding(FindingCode::ThumbnailDiffers, text, evidence))
}

/// The bytes of the thumbnail (CIPA DC-008, 4.6.4: in the first IFD, as JPEG).
fn embedded(exif: &Exif) -> Option<&[u8]> {
    let number = |tag| usize::try_from(exif.get_field(tag, In::THUMBNAIL)?.value.get_uint(0)?).ok();
    let (from, length) = (number(Tag::JPEGInterchangeFormat)?, number(Tag::JPEGInterchangeFormatLength)?);
    exif.buf().get(from..from.checked_add(length)?)
}

/// The least difference over all quarter turns, mirrored (as the picture itself may be stored) and not, from the whole
/// picture and from its middle in the shape of the thumbnail; `None` as soon as one of them is small, or in doubt.
fn least_difference(thumbnail: &Pixels, shown: &Pixels) -> Option<Difference> {
    let as_stored = Look::of(thumbnail).ok()?;
    let mirrored = as_stored.mirrored();
    let (mut upright, mut on_its_side) = (Vec::new(), Vec::new());
    for look in [as_stored, mirrored] {
        let right = look.turned();
        let down = right.turned();
        on_its_side.extend([down.turned(), right]);
        upright.extend([look, down]);
    }
    let whole = Look::of(shown).ok()?;
    let of_whole = lesser(unlike(&upright, &whole)?, unlike(&on_its_side, &whole)?);
    let (width, height) = (thumbnail.width(), thumbnail.height());
    let of_upright = unlike(&upright, &Look::of(&middle(shown, (width, height))?).ok()?)?;
    let of_side = unlike(&on_its_side, &Look::of(&middle(shown, (height, width))?).ok()?)?;
    Some(lesser(of_whole, lesser(of_upright, of_side)))
}

/// The least difference of these looks of a thumbnail from that of a picture; `None` if one of them may be the picture's.
fn unlike(thumbnail: &[Look], picture: &Look) -> Option<Difference> {
    let differences = thumbnail.iter().map(|look| Some(look.difference(picture)).filter(is_certain));
    differences.collect::<Option<Vec<_>>>()?.into_iter().reduce(lesser)
}

fn is_certain(difference: &Difference) -> bool {
    difference.decided >= LEAST_DECIDED
        && share(difference) >= LEAST_SHARE
        && difference.correlation < CORRELATED
}

fn share(difference: &Difference) -> f32 {
    difference.differing as f32 / difference.decided as f32
}

fn lesser(one: Difference, other: Difference) -> Difference {
    if share(&other) < share(&one) { other } else { one }
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
