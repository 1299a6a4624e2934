//! What a picture looks like: the perceptual hash known as pHash, and a small grey picture that it is made of.
//!
//! The hash says for each of the 64 lowest frequencies of the cosine transform of 32 × 32 grey samples whether its amount
//! is above their median (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, 3.2.1,
//! after B. Coskun and B. Sankur, "Robust video hash extraction", 2004). Low frequencies are what encoding, resizing and
//! brightening leave alone; the median makes half of the bits ones, whatever the picture. Of the variants in use, this is the
//! one of the Python library ImageHash (`phash`), with the same order of bits, so that hashes can be compared with others'.

use super::picture::Picture;
use super::pixels::{Channels, Pixels};
use super::resize;
use darkroom_domain::{Failure, PerceptualHash};

const SIDE: usize = 32;
const FREQUENCIES: usize = 8;

/// Pictures whose low frequencies make less of a difference than this (root of the mean square, in levels of 255) are
/// even: what the encoder leaves over would decide about most bits, and such hashes say nothing.
const LEAST_CONTRAST: f32 = 2.0;

/// What rounding and encoding make of a frequency that a picture has nothing of, at the most: a quarter of a level, summed up
/// over the samples. An amount that is nearer to the median than this may as well be on the other side of it.
const NOISE: f32 = 0.25 * (SIDE * SIDE) as f32 / 4.0;

/// `COSINES[frequency][sample]` (type II).
static COSINES: std::sync::LazyLock<[[f32; SIDE]; FREQUENCIES]> = std::sync::LazyLock::new(|| {
    std::array::from_fn(|frequency| {
        std::array::from_fn(|sample| {
            let turn = std::f64::consts::PI * (sample as f64 + 0.5) * frequency as f64 / SIDE as f64;
            #[expect(clippy::cast_possible_truncation, reason = "single precision is plenty for a median")]
            let cosine = turn.cos() as f32;
            cosine
        })
    })
});

/// How two looks differ.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference {
    /// Bits of the two hashes that noise does not decide about in either.
    pub(super) decided: u32,
    /// How many of these differ.
    pub(super) differing: u32,
    /// How much the grey samples rise and fall together (Pearson): 1 if they do so everywhere, about 0 if they have nothing
    /// to do with each other. Not a number if one of them is even.
    pub(super) correlation: f32,
}

/// A picture as grey samples, 32 × 32 of them whatever its sides, row by row.
#[derive(Debug, Clone)]
pub(super) struct Look([[f32; SIDE]; SIDE]);

impl Look {
    /// The look of a picture in sRGB. What shines through is taken for white.
    pub(super) fn of(pixels: &Pixels) -> Result<Self, Failure> {
        let grey = pixels.iter().map(lightness).collect();
        let grey = Pixels::new(pixels.width(), pixels.height(), Channels::Grey, grey)?;
        let side = u32::try_from(SIDE).unwrap_or(u32::MAX);
        let grey = resize::shrink(&grey, (side, side))?;
        let mut look = [[0.0; SIDE]; SIDE];
        for (to, from) in look.as_flattened_mut().iter_mut().zip(grey.samples()) {
            *to = f32::from(*from);
        }
        Ok(Self(look))
    }

    /// `None` for a picture that is as good as even.
    pub(super) fn hash(&self) -> Option<PerceptualHash> {
        let amounts = self.frequencies();
        if contrast(&amounts) < LEAST_CONTRAST {
            return None;
        }
        let around_median = around_median(amounts);
        let bits =
            around_median.as_flattened().iter().fold(0, |bits, amount| bits << 1 | u64::from(*amount > 0.0));
        Some(PerceptualHash::new(bits))
    }

    /// How this differs from another look.
    pub(super) fn difference(&self, other: &Self) -> Difference {
        let (own, others) = (around_median(self.frequencies()), around_median(other.frequencies()));
        let (mut decided, mut differing) = (0, 0);
        for (own, other) in own.as_flattened().iter().zip(others.as_flattened()) {
            if own.abs() > NOISE && other.abs() > NOISE {
                decided += 1;
                differing += u32::from((*own > 0.0) != (*other > 0.0));
            }
        }
        Difference { decided, differing, correlation: self.correlation(other) }
    }

    fn correlation(&self, other: &Self) -> f32 {
        let (own, others) = (self.0.as_flattened(), other.0.as_flattened());
        let mean = |samples: &[f32]| samples.iter().sum::<f32>() / samples.len() as f32;
        let (own_mean, others_mean) = (mean(own), mean(others));
        let (mut together, mut of_own, mut of_others) = (0.0, 0.0, 0.0);
        for (own, other) in own.iter().zip(others) {
            let (own, other) = (own - own_mean, other - others_mean);
            together += own * other;
            of_own += own * own;
            of_others += other * other;
        }
        together / (of_own * of_others).sqrt()
    }

    /// A quarter turn to the right.
    pub(super) fn turned(&self) -> Self {
        let column = |x: usize| -> [f32; SIDE] {
            let mut upwards = self.0.iter().rev().map(|row| row.get(x).copied().unwrap_or_default());
            std::array::from_fn(|_| upwards.next().unwrap_or_default())
        };
        Self(std::array::from_fn(column))
    }

    /// Left for right.
    pub(super) fn mirrored(&self) -> Self {
        let mut mirrored = self.clone();
        mirrored.0.iter_mut().for_each(|row| row.reverse());
        mirrored
    }

    /// The amounts of the lowest frequencies: of each vertical one, all horizontal ones.
    fn frequencies(&self) -> [[f32; FREQUENCIES]; FREQUENCIES] {
        let dot = |cosines: &[f32; SIDE], samples: &[f32; SIDE]| -> f32 {
            cosines.iter().zip(samples).map(|(cosine, sample)| cosine * sample).sum()
        };
        // Of each horizontal frequency, what each row has of it.
        let across: [[f32; SIDE]; FREQUENCIES] =
            COSINES.each_ref().map(|cosines| self.0.each_ref().map(|row| dot(cosines, row)));
        COSINES.each_ref().map(|cosines| across.each_ref().map(|column| dot(cosines, column)))
    }
}

/// How far each amount is above the median of all.
fn around_median(mut amounts: [[f32; FREQUENCIES]; FREQUENCIES]) -> [[f32; FREQUENCIES]; FREQUENCIES] {
    let mut sorted = amounts;
    let sorted = sorted.as_flattened_mut();
    sorted.sort_unstable_by(f32::total_cmp);
    let middle = sorted.get(sorted.len() / 2 - 1..=sorted.len() / 2).unwrap_or_default();
    let median = middle.iter().sum::<f32>() / 2.0;
    amounts.as_flattened_mut().iter_mut().for_each(|amount| *amount -= median);
    amounts
}

/// How much the low frequencies together differ from an even grey, as the root of the mean square (Parseval's theorem).
fn contrast(amounts: &[[f32; FREQUENCIES]; FREQUENCIES]) -> f32 {
    let weight = |frequency: usize| if frequency == 0 { 1.0 } else { 2.0 };
    let samples = (SIDE * SIDE) as f32;
    let mut sum = 0.0;
    for (down, row) in amounts.iter().enumerate() {
        for (across, amount) in row.iter().enumerate().filter(|(across, _)| (down, *across) != (0, 0)) {
            sum += amount * amount * weight(down) * weight(across);
        }
    }
    sum.sqrt() / samples
}

/// ITU-R BT.601, as most programs turn colours into grey.
fn lightness(pixel: &[u8]) -> u8 {
    let luma = |[red, green, blue]: [u8; 3]| {
        (u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114 + 500) / 1000
    };
    let (luma, alpha) = match *pixel {
        [grey] => (u32::from(grey), 255),
        [grey, alpha] => (u32::from(grey), u32::from(alpha)),
        [red, green, blue] => (luma([red, green, blue]), 255),
        [red, green, blue, alpha, ..] => (luma([red, green, blue]), u32::from(alpha)),
        [] => (0, 255),
    };
    u8::try_from((luma * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}

/// The perceptual hash of a picture in sRGB; `None` for one that is as good as even.
///
/// # Errors
/// If the picture cannot be resized, which none is known for.
pub fn perceptual_hash(picture: &Picture) -> Result<Option<PerceptualHash>, Failure> {
    Ok(Look::of(picture.brightness())?.hash())
}
