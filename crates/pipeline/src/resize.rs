//! Resampling with a Lanczos window of three lobes.

use super::pixels::{Channels, Pixels};
use super::transpose::transpose;
use darkroom_domain::{Failure, FailureCode};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};
use fast_image_resize::{Filter, FilterType, MulDiv, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use std::f64::consts::PI;
use std::fmt::Display;
use std::sync::LazyLock;

/// The size of a `width` × `height` picture that is to fit inside a square of side `bound`: aspect kept, never
/// enlarged, at least one pixel each way.
pub(super) fn fit(width: u32, height: u32, bound: u32) -> (u32, u32) {
    let long_side = u64::from(width.max(height).max(1));
    if long_side <= u64::from(bound) {
        return (width, height);
    }
    let side = |side: u32| {
        let rounded = (u64::from(side) * u64::from(bound) + long_side / 2) / long_side;
        u32::try_from(rounded.max(1)).unwrap_or(bound)
    };
    (side(width), side(height))
}

/// The part of some [`Pixels`] that is the picture, in pixels. A reduced picture rounds its sides up, and taking the rest of the
/// last pixel for picture would move all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Extent {
    /// So much of the upper left corner.
    pub(super) const fn corner(width: f64, height: f64) -> Self {
        Self { left: 0.0, top: 0.0, width, height }
    }

    /// All of so many pixels.
    pub(super) fn whole(width: u32, height: u32) -> Self {
        Self::corner(width.into(), height.into())
    }
}

/// `source` at the given size. An alpha channel must be multiplied in already, see [`premultiply`].
pub(super) fn shrink(source: &Pixels, size: (u32, u32)) -> Result<Pixels, Failure> {
    shrink_part(source, Extent::whole(source.width(), source.height()), size)
}

/// The part of `source` that is the picture, at the given size; as [`shrink`].
pub(super) fn shrink_part(
    source: &Pixels,
    extent: Extent,
    (width, height): (u32, u32),
) -> Result<Pixels, Failure> {
    let mut samples = Vec::new();
    shrink_onto(source, extent, (width, height), &mut samples)?;
    Pixels::new(width, height, source.channels(), samples)
}

/// As [`shrink_part`], with the new samples put behind those that `samples` holds.
pub(super) fn shrink_onto(
    source: &Pixels,
    extent: Extent,
    size: (u32, u32),
    samples: &mut Vec<u8>,
) -> Result<(), Failure> {
    let held = samples.len();
    samples.resize(held + size.0 as usize * size.1 as usize * source.channels().count(), 0);
    let to = samples.get_mut(held..).unwrap_or_default();
    let from = (source.samples(), (source.width(), source.height()));
    match source.channels() {
        Channels::Grey => shrink_grey(from, extent, size, to),
        Channels::GreyAlpha => shrink_as::<U8x2>(from, extent, size, to),
        Channels::Rgb => shrink_as::<U8x3>(from, extent, size, to),
        Channels::Rgba | Channels::Cmyk => shrink_as::<U8x4>(from, extent, size, to),
    }
}

/// Samples, and the size of the picture that they are.
type Samples<'s> = (&'s [u8], (u32, u32));

/// Height first, and then the width as the height of the picture turned on its side: adding rows up goes through memory in order,
/// many samples at once, which with single samples along a row takes longer than turning twice.
fn shrink_grey(
    (samples, (width, height)): Samples<'_>,
    extent: Extent,
    (to_width, to_height): (u32, u32),
    to: &mut [u8],
) -> Result<(), Failure> {
    let down = Extent { left: 0.0, width: width.into(), ..extent };
    let across = Extent { left: 0.0, top: extent.left, width: to_height.into(), height: extent.width };
    let mut low = Vec::new();
    let low = if to_height == height && down == Extent::whole(width, height) {
        samples
    } else {
        low.resize(width as usize * to_height as usize, 0);
        shrink_as::<U8>((samples, (width, height)), down, (width, to_height), &mut low)?;
        &low
    };
    // What was narrowed as its rows came has its width already.
    if to_width == width && across == Extent::whole(to_height, width) {
        to.copy_from_slice(low);
        return Ok(());
    }
    let mut turned = vec![0; low.len()];
    transpose(low, width as usize, &mut turned);
    let mut narrow = vec![0; to.len()];
    shrink_as::<U8>((&turned, (to_height, width)), across, (to_height, to_width), &mut narrow)?;
    transpose(&narrow, to_height as usize, to);
    Ok(())
}

fn shrink_as<P: PixelTrait>(
    (samples, (width, height)): Samples<'_>,
    extent: Extent,
    (to_width, to_height): (u32, u32),
    to: &mut [u8],
) -> Result<(), Failure> {
    let from = TypedImageRef::<P>::from_buffer(width, height, samples).map_err(impossible)?;
    let mut to = TypedImage::<P>::from_buffer(to_width, to_height, to).map_err(impossible)?;
    let lanczos = Filter::new("lanczos", lanczos, LOBES).map_err(impossible)?;
    let lanczos = ResizeAlg::Convolution(FilterType::Custom(lanczos));
    let part = ResizeOptions::new().crop(extent.left, extent.top, extent.width, extent.height);
    let options = part.resize_alg(lanczos).use_alpha(false);
    Resizer::new().resize_typed::<P>(&from, &mut to, &options).map_err(impossible)
}

/// A grey picture made larger, with samples in between mixed by their distance.
pub(super) fn enlarge(source: &Pixels, (width, height): (u32, u32)) -> Result<Pixels, Failure> {
    let from = TypedImageRef::<U8>::from_buffer(source.width(), source.height(), source.samples())
        .map_err(impossible)?;
    let mut samples = vec![0; width as usize * height as usize];
    let mut to = TypedImage::<U8>::from_buffer(width, height, &mut samples).map_err(impossible)?;
    let linear = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize_typed::<U8>(&from, &mut to, &linear).map_err(impossible)?;
    Pixels::new(width, height, Channels::Grey, samples)
}

/// Lobes of the window on either side.
const LOBES: f64 = 3.0;

/// Steps of a lobe in the table of weights: enough that a weight in between, on the straight line, is right to five digits. The
/// resampler has no more.
const STEPS: f64 = 512.0;

/// sinc x × sinc (x / 3), where sinc x is sin πx / πx: the weight of a pixel at this distance.
static WEIGHTS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let weight = |distance: f64| {
        let angle = PI * distance;
        if distance == 0.0 { 1.0 } else { LOBES * angle.sin() * (angle / LOBES).sin() / (angle * angle) }
    };
    (0..=(LOBES * STEPS) as u32).map(|step| weight(f64::from(step) / STEPS)).collect()
});

/// The weight of a pixel at this distance. Weights are computed anew for each batch of rows, which takes longer than it
/// seems: hence the table.
fn lanczos(distance: f64) -> f64 {
    let step = distance.abs() * STEPS;
    let before = step as usize;
    match WEIGHTS.get(before..) {
        Some([a, b, ..]) => a + (b - a) * (step - before as f64),
        _ => 0.0,
    }
}

/// Multiplies each colour by its alpha, so that the colour of what cannot be seen does not bleed into what can.
pub(super) fn premultiply(pixels: &mut Pixels) -> Result<(), Failure> {
    match pixels.channels() {
        Channels::GreyAlpha => {
            MulDiv::new().multiply_alpha_inplace_typed(&mut typed::<U8x2>(pixels)?).map_err(impossible)
        }
        Channels::Rgba => {
            MulDiv::new().multiply_alpha_inplace_typed(&mut typed::<U8x4>(pixels)?).map_err(impossible)
        }
        Channels::Grey | Channels::Rgb | Channels::Cmyk => Ok(()),
    }
}

/// Takes [`premultiply`] back.
pub(super) fn unpremultiply(pixels: &mut Pixels) -> Result<(), Failure> {
    match pixels.channels() {
        Channels::GreyAlpha => {
            MulDiv::new().divide_alpha_inplace_typed(&mut typed::<U8x2>(pixels)?).map_err(impossible)
        }
        Channels::Rgba => {
            MulDiv::new().divide_alpha_inplace_typed(&mut typed::<U8x4>(pixels)?).map_err(impossible)
        }
        Channels::Grey | Channels::Rgb | Channels::Cmyk => Ok(()),
    }
}

fn typed<P: PixelTrait>(pixels: &mut Pixels) -> Result<TypedImage<'_, P>, Failure> {
    let (width, height) = (pixels.width(), pixels.height());
    TypedImage::from_buffer(width, height, pixels.samples_mut()).map_err(impossible)
}

/// [`Pixels`] always has the samples that its size asks for; should that break, the picture fails and not the
/// process.
fn impossible(error: impl Display) -> Failure {
    Failure::permanent(FailureCode::Corrupt, format!("the picture cannot be resized: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_lanczos() {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
        for step in -3_200..=3_200 {
            let x = f64::from(step) / 1_000.0;
            let due = if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
            assert!((lanczos(x) - due).abs() < 3e-6, "{x}: {}, not {due}", lanczos(x));
        }
    }

    #[test]
    fn a_thumbnail_fits_keeps_its_aspect_and_never_grows() {
        assert_eq!(fit(4000, 3000, 512), (512, 384));
        assert_eq!(fit(3000, 4000, 128), (96, 128));
        assert_eq!(fit(1, 1, 128), (1, 1));
        assert_eq!(fit(512, 511, 512), (512, 511));
        assert_eq!(fit(3, 2000, 512), (1, 512));
        assert_eq!(fit(65_500, 1, 128), (128, 1));
        assert_eq!(fit(u32::MAX, u32::MAX, 128), (128, 128));
    }
}
