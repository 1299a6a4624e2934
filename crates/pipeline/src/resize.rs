//! Resampling with a Lanczos window of three lobes.

use super::pixels::{Channels, Pixels};
use darkroom_domain::{Failure, FailureCode};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};
use fast_image_resize::{Filter, FilterType, MulDiv, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use std::f64::consts::PI;
use std::fmt::Display;

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

/// The part of some [`Pixels`] that is the picture: from the upper left corner on, in pixels. A reduced picture rounds its
/// sides up, and taking the rest of the last pixel for picture would move all others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Extent {
    /// All of so many pixels.
    pub(super) fn whole(width: u32, height: u32) -> Self {
        Self { width: width.into(), height: height.into() }
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
    match source.channels() {
        Channels::Grey => shrink_as::<U8>(source, extent, size, samples),
        Channels::GreyAlpha => shrink_as::<U8x2>(source, extent, size, samples),
        Channels::Rgb => shrink_as::<U8x3>(source, extent, size, samples),
        Channels::Rgba | Channels::Cmyk => shrink_as::<U8x4>(source, extent, size, samples),
    }
}

fn shrink_as<P: PixelTrait>(
    source: &Pixels,
    extent: Extent,
    (width, height): (u32, u32),
    samples: &mut Vec<u8>,
) -> Result<(), Failure> {
    let held = samples.len();
    samples.resize(held + width as usize * height as usize * P::size(), 0);
    let from = TypedImageRef::<P>::from_buffer(source.width(), source.height(), source.samples())
        .map_err(impossible)?;
    let behind = samples.get_mut(held..).unwrap_or_default();
    let mut to = TypedImage::<P>::from_buffer(width, height, behind).map_err(impossible)?;
    let lanczos = Filter::new("lanczos", lanczos, LOBES).map_err(impossible)?;
    let lanczos = ResizeAlg::Convolution(FilterType::Custom(lanczos));
    let part = ResizeOptions::new().crop(0.0, 0.0, extent.width, extent.height);
    let options = part.resize_alg(lanczos).use_alpha(false);
    Resizer::new().resize_typed::<P>(&from, &mut to, &options).map_err(impossible)
}

/// Lobes of the window on either side.
const LOBES: f64 = 3.0;

/// sinc x × sinc (x / 3), where sinc x is sin πx / πx: the weight of a pixel at this distance. Weights are computed anew for
/// each batch of rows, which takes longer than it seems: so by one sine, for sin 3a = 3 sin a − 4 sin³ a, and that by its
/// series.
fn lanczos(distance: f64) -> f64 {
    let distance = distance.abs();
    // As good as none; the quotient below has no value there.
    if distance < 1e-9 {
        return 1.0;
    }
    if distance >= LOBES {
        return 0.0;
    }
    let angle = PI * distance;
    // The sine of a third of it, which is that of what is left of half a turn.
    let square = sine((angle / LOBES).min(PI - angle / LOBES)).powi(2);
    LOBES * square * (3.0 - 4.0 * square) / (angle * angle)
}

/// The sine of an angle from 0 to a quarter of a turn, by the first eight terms of its series: to eleven digits.
fn sine(angle: f64) -> f64 {
    const TERMS: [f64; 7] =
        [2.0 * 3.0, 4.0 * 5.0, 6.0 * 7.0, 8.0 * 9.0, 10.0 * 11.0, 12.0 * 13.0, 14.0 * 15.0];
    let square = angle * angle;
    TERMS.iter().rev().fold(1.0, |sum, divisor| 1.0 - sum * square * (1.0 / divisor)) * angle
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
            assert!((lanczos(x) - due).abs() < 1e-11, "{x}: {}, not {due}", lanczos(x));
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
