//! Subsampled components made as large as the picture, where the transform could not.
//!
//! Samples lie in the middle of the pixels they stand for (ITU-T T.871, clause 9), so between two of them a pixel
//! gets of each by its distance: for two pixels a sample, three parts of the nearer and one of the other.

use super::plan::Ratio;

/// Parts that two samples are mixed in.
const PARTS: usize = 64;

/// Between which two samples a pixel lies, and how many parts it gets of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mix {
    pub(super) first: usize,
    pub(super) second: usize,
    pub(super) parts: u16,
}

impl Mix {
    /// The mix of the pixel `at`, among `samples` of them.
    pub(super) fn new(at: usize, ratio: Ratio, samples: usize) -> Self {
        let last = samples.saturating_sub(1);
        // Twice the position, in pixels of the middle of `at`, less that of the first sample.
        let Some(beyond) = ((2 * at + 1) * ratio.samples).checked_sub(ratio.pixels) else {
            return Self { first: 0, second: 0, parts: 0 };
        };
        let first = beyond / (2 * ratio.pixels);
        let parts = (beyond % (2 * ratio.pixels) * PARTS + ratio.pixels) / (2 * ratio.pixels);
        Self { first: first.min(last), second: (first + 1).min(last), parts: parts as u16 }
    }
}

/// Mixes two rows of samples, to 64 times their value.
pub(super) fn mix_rows(first: &[u8], second: &[u8], parts: u16, mixed: &mut [u16]) {
    let rest = PARTS as u16 - parts;
    for ((mixed, first), second) in mixed.iter_mut().zip(first).zip(second) {
        *mixed = u16::from(*first) * rest + u16::from(*second) * parts;
    }
}

/// Makes a row of pixels of a row of mixed samples.
pub(super) fn mix_across(mixed: &[u16], ratio: Ratio, pixels: &mut [u8]) {
    match (ratio, mixed) {
        (Ratio::ONE, _) => {
            pixels.iter_mut().zip(mixed).for_each(|(pixel, sample)| *pixel = ((sample + 32) >> 6) as u8);
        }
        (Ratio { pixels: 2, samples: 1 }, [first, .., last]) => {
            // The first and the last pixel have one neighbour only.
            let Some((outer, inner)) = pixels.split_first_mut() else { return };
            *outer = rounded(*first, *first);
            let (pairs, odd) = inner.as_chunks_mut::<2>();
            for ((pair, left), right) in pairs.iter_mut().zip(mixed).zip(mixed.iter().skip(1)) {
                *pair = [rounded(*left, *right), rounded(*right, *left)];
            }
            let at = 2 * (mixed.len() - 1);
            if let [pixel] = odd
                && pairs.len() * 2 == at
            {
                *pixel = rounded(*last, *last);
            } else if let [pixel] = odd
                && let [left, right, ..] = mixed.get(pairs.len()..).unwrap_or_default()
            {
                *pixel = rounded(*left, *right);
            }
        }
        _ => {
            for (at, pixel) in pixels.iter_mut().enumerate() {
                let Mix { first, second, parts } = Mix::new(at, ratio, mixed.len());
                let of = |index: usize| u32::from(mixed.get(index).copied().unwrap_or(0));
                let parts = u32::from(parts);
                *pixel = ((of(first) * (PARTS as u32 - parts) + of(second) * parts + 2048) >> 12) as u8;
            }
        }
    }
}

/// Three parts of the nearer sample and one of the other; 64 times a sample four times is within 16 bits.
#[inline(always)]
const fn rounded(near: u16, far: u16) -> u8 {
    ((near * 3 + far + 128) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_mixes_the_samples_beside_it() {
        let double = Ratio { pixels: 2, samples: 1 };
        let of = |at| Mix::new(at, double, 3);
        assert_eq!(of(0), Mix { first: 0, second: 0, parts: 0 });
        assert_eq!(of(1), Mix { first: 0, second: 1, parts: 16 });
        assert_eq!(of(2), Mix { first: 0, second: 1, parts: 48 });
        assert_eq!(of(5), Mix { first: 2, second: 2, parts: 16 });
        assert_eq!(Mix::new(7, Ratio::ONE, 9), Mix { first: 7, second: 8, parts: 0 });
        assert_eq!(Mix::new(1, Ratio { pixels: 3, samples: 2 }, 9), Mix { first: 0, second: 1, parts: 32 });
    }

    #[test]
    fn doubling_is_what_the_general_way_gives() {
        let samples: Vec<u16> = (0..21).map(|i| i * 97 % 255 * 64).collect();
        let double = Ratio { pixels: 2, samples: 1 };
        for length in 1..=samples.len() {
            let mixed = &samples[..length];
            for width in 2 * length - 1..=2 * length {
                let mut pixels = vec![0; width];
                mix_across(mixed, double, &mut pixels);
                for (at, pixel) in pixels.iter().enumerate() {
                    let mix = Mix::new(at, double, length);
                    let (first, second) = (f64::from(mixed[mix.first]), f64::from(mixed[mix.second]));
                    let due = (first + (second - first) * f64::from(mix.parts) / 64.0) / 64.0;
                    assert!((f64::from(*pixel) - due).abs() <= 0.51, "{length}: {pixel}, not {due}");
                }
            }
        }
    }

    #[test]
    fn rows_are_mixed_by_parts() {
        let mut mixed = [0; 2];
        mix_rows(&[255, 0], &[255, 100], 16, &mut mixed);
        assert_eq!(mixed, [255 * 64, 1600]);
    }
}
