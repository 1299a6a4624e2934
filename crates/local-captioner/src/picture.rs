//! From a picture to what the model looks at: resized to a square, normalised and cut into patches.

use crate::config::VisionConfig;
use crate::error::CaptionError;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use std::fmt::Display;

/// The mean of each channel in the pictures that BLIP learned from, and their standard deviation, both for samples from
/// 0 to 1: `image_mean` and `image_std` of the published `preprocessor_config.json`.
const CHANNELS: [(f32, f32); 3] =
    [(0.481_454_66, 0.268_629_54), (0.457_827_5, 0.261_302_6), (0.408_210_73, 0.275_777_1)];

/// An upright picture in sRGB without transparency, as rows of red, green and blue samples.
#[derive(Debug, Clone, Copy)]
pub struct Picture<'a> {
    width: u32,
    height: u32,
    samples: &'a [u8],
}

impl<'a> Picture<'a> {
    /// # Errors
    /// `NotAPicture` if there are no pixels, or not width × height × 3 samples.
    pub fn new(width: u32, height: u32, samples: &'a [u8]) -> Result<Self, CaptionError> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels.checked_mul(3) != Some(samples.len() as u64) {
            return Err(CaptionError::NotAPicture { width, height, samples: samples.len() });
        }
        Ok(Self { width, height, samples })
    }
}

/// A picture cut into squares, row by row.
pub(crate) struct Patches {
    pub(crate) count: usize,
    pub(crate) samples_each: usize,
    /// Patch by patch, in each channel by channel, in each row by row.
    pub(crate) samples: Vec<f32>,
}

impl Patches {
    /// As published: the sides are not kept in proportion, and the filter is a bicubic one.
    ///
    /// # Errors
    /// `Resize`.
    pub(crate) fn of(picture: &Picture<'_>, config: &VisionConfig) -> Result<Self, CaptionError> {
        let (size, side, across) = (config.image_size, config.patch_size, config.patches_per_side());
        let square = resize(picture, size)?;
        let mut samples = Vec::with_capacity(size * size * 3);
        for (row, column) in (0..across * across).map(|patch| (patch / across, patch % across)) {
            for (channel, (mean, deviation)) in CHANNELS.into_iter().enumerate() {
                for y in row * side..(row + 1) * side {
                    let begin = (y * size + column * side) * 3;
                    let line = square.get(begin..begin + side * 3).unwrap_or_default();
                    let channel = line.iter().skip(channel).step_by(3);
                    samples.extend(channel.map(|sample| (f32::from(*sample) / 255.0 - mean) / deviation));
                }
            }
        }
        Ok(Self { count: across * across, samples_each: side * side * 3, samples })
    }
}

/// The picture as a square of this side. Pillow, with which the model was trained, calls this filter bicubic.
fn resize(picture: &Picture<'_>, side: usize) -> Result<Vec<u8>, CaptionError> {
    let mut samples = vec![0; side * side * 3];
    let side = u32::try_from(side).map_err(|error| impossible(&error))?;
    let from = TypedImageRef::<U8x3>::from_buffer(picture.width, picture.height, picture.samples)
        .map_err(|error| impossible(&error))?;
    let mut to =
        TypedImage::<U8x3>::from_buffer(side, side, &mut samples).map_err(|error| impossible(&error))?;
    let bicubic = ResizeAlg::Convolution(FilterType::CatmullRom);
    let options = ResizeOptions::new().resize_alg(bicubic).use_alpha(false);
    Resizer::new().resize_typed(&from, &mut to, &options).map_err(|error| impossible(&error))?;
    Ok(samples)
}

fn impossible(error: &dyn Display) -> CaptionError {
    CaptionError::Resize(error.to_string())
}

#[cfg(test)]
#[path = "tests/picture.rs"]
mod tests;
