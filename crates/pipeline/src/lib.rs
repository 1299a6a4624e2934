//! Bytes in, result out: an uploaded file becomes thumbnails and metadata. One step a file.
//!
//! Thumbnails: `decode` (reduced as far as the format allows, and narrowed as the rows come) › `resize` › `colour` (to
//! sRGB) › `orient` › `encode`. A JPEG without a colour profile goes through all of it as `planes`, and becomes red, green and
//! blue nowhere; everything else goes as `pixels`.
//! Metadata: `metadata`, from Exif data and a description in words; it never fails. Beside these, `look` (a hash of what the picture looks
//! like) and `findings` (what is odd about the file).

mod colour;
mod cost;
mod decode;
mod description;
mod encode;
mod fields;
mod findings;
mod jpeg;
mod look;
mod metadata;
mod narrow;
mod orient;
mod picture;
mod pixels;
mod planes;
mod png;
mod resize;
mod taken_at;
mod text;
mod transpose;
mod xmp;

pub use cost::memory_bytes;
pub use encode::encode;
pub use findings::{findings, name_contradicts_content};
pub use look::perceptual_hash;
pub use metadata::read_metadata;
pub use picture::Picture;
pub use pixels::{Channels, Pixels};
pub use planes::Planes;

use colour::Conversion;
use darkroom_domain::{
    Failure, FailureCode, Finding, Orientation, PerceptualHash, ThumbnailFormat, ThumbnailSize,
};
use darkroom_probe::Header;
use decode::{Decoded, decode};
use planes::Part;
use text::Warnings;

/// Asked between steps, and while decoding: true once the work is no longer wanted.
pub type Cancelled<'a> = &'a dyn Fn() -> bool;

/// The longest side that is decoded, in pixels: libjpeg's limit. Resizing takes memory for each row and column.
const MAX_SIDE: u32 = 65_500;

/// What one picture may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most pixels, width × height.
    pub max_pixels: u64,
    /// The most bytes of memory that decoding may take, by [`memory_bytes`].
    pub memory_budget_bytes: u64,
}

/// One encoded thumbnail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// The encoded picture, free of metadata.
    pub bytes: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What it is encoded as.
    pub format: ThumbnailFormat,
}

/// The two thumbnails of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnails {
    /// [`ThumbnailSize::Small`].
    pub small: Thumbnail,
    /// [`ThumbnailSize::Medium`].
    pub medium: Thumbnail,
    /// What the picture looks like, upright; `None` if it is as good as even.
    pub perceptual_hash: Option<PerceptualHash>,
    /// What is odd about the file.
    pub findings: Vec<Finding>,
    /// What was odd about the picture and did no harm; one sentence each.
    pub warnings: Vec<String>,
}

/// The two thumbnails of an image before they are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// [`ThumbnailSize::Small`].
    pub small: Picture,
    /// [`ThumbnailSize::Medium`].
    pub medium: Picture,
    /// What was odd about the picture and did no harm; one sentence each.
    pub warnings: Vec<String>,
}

/// Makes both thumbnails of the file `bytes`, whose header is `header`: [`render`], then [`encode()`].
///
/// # Errors
/// As for [`render`].
pub fn make_thumbnails(
    bytes: &[u8],
    header: &Header,
    orientation: Orientation,
    limits: &Limits,
    cancelled: Cancelled<'_>,
) -> Result<Thumbnails, Failure> {
    let Rendered { small, medium, mut warnings } = render(bytes, header, orientation, limits, cancelled)?;
    check(cancelled)?;
    let perceptual_hash = perceptual_hash(&small)?;
    if perceptual_hash.is_none() {
        warnings.push("there is no perceptual hash: the picture is too even".to_owned());
    }
    let findings = findings(bytes, header, &small);
    Ok(Thumbnails { small: encode(&small)?, medium: encode(&medium)?, perceptual_hash, findings, warnings })
}

/// Draws both thumbnails of the file `bytes`, whose header is `header`: upright, in sRGB, never enlarged.
///
/// # Errors
/// Always permanent: `TooManyPixels`, `OverMemoryBudget` and `UnsupportedFeature` by the header, `UnsupportedFeature`,
/// `Truncated` and `Corrupt` by the data, `TimedOut` as soon as `cancelled` says so.
pub fn render(
    bytes: &[u8],
    header: &Header,
    orientation: Orientation,
    limits: &Limits,
    cancelled: Cancelled<'_>,
) -> Result<Rendered, Failure> {
    admit(bytes, header, limits)?;
    let size = |size: ThumbnailSize| resize::fit(header.width(), header.height(), size.bound());
    let (small, medium) = (size(ThumbnailSize::Small), size(ThumbnailSize::Medium));
    let decoded = decode(bytes, header, medium.0, limits, cancelled)?;
    check(cancelled)?;
    let (pixels, extent, profile) = match decoded {
        Decoded::Pixels { pixels, extent, profile } => (pixels, extent, profile),
        Decoded::Planes { luminance, differences } => {
            let differences = differences.each_ref().map(Part::as_ref);
            let medium = Planes::shrunk(luminance.as_ref(), differences, medium, orientation)?;
            let small = medium.shrink(small, orientation)?;
            let finish = |planes: Planes| Picture::Planes(planes.upright(orientation));
            return Ok(Rendered { small: finish(small), medium: finish(medium), warnings: Vec::new() });
        }
    };
    let mut warnings = Warnings::default();
    let conversion = profile.and_then(|profile| {
        let ignored = |error| warnings.add(format_args!("the colour profile was ignored: {error}"));
        Conversion::to_srgb(&profile, pixels.channels()).map_err(ignored).ok()
    });
    let finish = |mut pixels: Pixels| {
        resize::unpremultiply(&mut pixels)?;
        let upright = orient::upright(colour::apply(conversion.as_ref(), pixels)?, orientation);
        Ok(Picture::Pixels(upright))
    };
    let medium = resize::shrink_part(&pixels, extent, medium)?;
    let small = resize::shrink(&medium, small)?;
    Ok(Rendered { small: finish(small)?, medium: finish(medium)?, warnings: warnings.into_vec() })
}

/// Refuses what the header alone shows to be too much.
fn admit(bytes: &[u8], header: &Header, limits: &Limits) -> Result<(), Failure> {
    let (pixels, most) = (header.pixels(), limits.max_pixels);
    if pixels > most {
        let text = format!("the picture has {pixels} pixels, and at most {most} are accepted");
        return Err(Failure::permanent(FailureCode::TooManyPixels, text));
    }
    if header.width().max(header.height()) > MAX_SIDE {
        let text = format!("the picture cannot be decoded: a side has more than {MAX_SIDE} pixels");
        return Err(Failure::permanent(FailureCode::UnsupportedFeature, text));
    }
    within_budget(memory_bytes(bytes, header), limits)
}

fn within_budget(cost: u64, limits: &Limits) -> Result<(), Failure> {
    let budget = limits.memory_budget_bytes;
    if cost <= budget {
        return Ok(());
    }
    let text = format!("decoding the picture takes {cost} bytes of memory, and at most {budget} may be used");
    Err(Failure::permanent(FailureCode::OverMemoryBudget, text))
}

fn check(cancelled: Cancelled<'_>) -> Result<(), Failure> {
    if cancelled() { Err(timed_out()) } else { Ok(()) }
}

fn timed_out() -> Failure {
    Failure::permanent(FailureCode::TimedOut, "making the thumbnails took longer than is allowed")
}

#[cfg(test)]
mod tests;
