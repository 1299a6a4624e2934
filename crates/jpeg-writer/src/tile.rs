//! Eight blocks that lie side by side: from samples to quantised coefficients.

use crate::quantisation::{Division, Divisors, ZIGZAG};
use crate::transform::forward;

/// Blocks of a tile.
pub(crate) const LANES: usize = 8;

/// Samples of a tile's row.
pub(crate) const WIDTH: usize = 8 * LANES;

/// Samples go into the transform so many bits larger, and lose some of them between its two passes, so that no sum overflows.
const BITS_BEFORE: u32 = 3;
const BITS_LOST: u32 = 2;

/// By what all coefficients come out too large, beside their factors: √8 for each pass, and what is left of the bits.
const SCALE: f64 = (8 << (BITS_BEFORE - BITS_LOST)) as f64;

/// The quantised coefficients of eight blocks.
#[derive(Debug, Clone)]
pub(crate) struct Tile {
    /// In zigzag order, of each the eight blocks'.
    coefficients: [[i16; LANES]; 64],
    /// For each block, which coefficients are not 0: bit `k` for the one with the number `k` in zigzag order.
    masks: [u64; LANES],
}

/// How the coefficients of a component are quantised.
#[derive(Debug, Clone)]
pub(crate) struct Quantiser([Division; 64]);

impl Quantiser {
    pub(crate) fn new(divisors: &Divisors) -> Self {
        Self(Division::all(divisors, SCALE))
    }
}

impl Tile {
    /// The coefficients of eight rows of samples.
    pub(crate) fn new(samples: &[[u8; WIDTH]; 8], Quantiser(divisions): &Quantiser) -> Self {
        let mut coefficients = columns(samples);
        coefficients.iter_mut().for_each(rows);
        let coefficients = coefficients.as_flattened();
        let mut tile = Self { coefficients: [[0; LANES]; 64], masks: [0; LANES] };
        for ((to, at), division) in tile.coefficients.iter_mut().zip(ZIGZAG).zip(divisions) {
            if let Some(from) = coefficients.get(usize::from(at)) {
                division.divide(from, to);
            }
        }
        tile.masks = masks(&tile.coefficients);
        tile
    }

    /// The coefficient `k` of a block, in zigzag order.
    #[inline(always)]
    pub(crate) fn coefficient(&self, k: u32, block: usize) -> i16 {
        self.coefficients.get(k as usize % 64).and_then(|all| all.get(block % LANES)).copied().unwrap_or(0)
    }

    /// Which coefficients of a block are not 0.
    #[inline(always)]
    pub(crate) fn mask(&self, block: usize) -> u64 {
        self.masks.get(block % LANES).copied().unwrap_or(0)
    }
}

/// Transforms columns. Of each row of coefficients, the first of all eight blocks, then the second, and so on.
fn columns(samples: &[[u8; WIDTH]; 8]) -> [[[i16; LANES]; 8]; 8] {
    let mut transformed = [[0; WIDTH]; 8];
    let at = |row: usize, i: usize| {
        let sample = samples.get(row).and_then(|row| row.get(i)).copied().unwrap_or(0);
        (i16::from(sample) - 128) << BITS_BEFORE
    };
    for i in 0..WIDTH {
        let sums = forward([at(0, i), at(1, i), at(2, i), at(3, i), at(4, i), at(5, i), at(6, i), at(7, i)]);
        for (row, sum) in transformed.iter_mut().zip(sums) {
            if let Some(place) = row.get_mut(i) {
                *place = (sum + (1 << (BITS_LOST - 1))) >> BITS_LOST;
            }
        }
    }
    let mut turned = [[[0; LANES]; 8]; 8];
    for (row, turned) in transformed.iter().zip(&mut turned) {
        turn(row, turned);
    }
    turned
}

/// Puts the first sample of each block side by side, then the second, and so on.
#[inline(always)]
fn turn(row: &[i16; WIDTH], turned: &mut [[i16; LANES]; 8]) {
    let (blocks, _) = row.as_chunks::<8>();
    for (block, samples) in blocks.iter().enumerate() {
        for (column, sample) in turned.iter_mut().zip(samples) {
            if let Some(place) = column.get_mut(block) {
                *place = *sample;
            }
        }
    }
}

/// Transforms a row of each block.
fn rows(row: &mut [[i16; LANES]; 8]) {
    for lane in 0..LANES {
        let mut line = [0; 8];
        for (sample, column) in line.iter_mut().zip(row.iter()) {
            *sample = column.get(lane).copied().unwrap_or(0);
        }
        for (column, sum) in row.iter_mut().zip(forward(line)) {
            if let Some(place) = column.get_mut(lane) {
                *place = sum;
            }
        }
    }
}

/// For each block, a bit for each coefficient that is not 0.
fn masks(coefficients: &[[i16; LANES]; 64]) -> [u64; LANES] {
    let mut masks = [0; LANES];
    let (quarters, _) = coefficients.as_chunks::<16>();
    for (quarter, coefficients) in quarters.iter().enumerate() {
        let mut part = [0_u16; LANES];
        for (bit, coefficients) in coefficients.iter().enumerate() {
            for (part, coefficient) in part.iter_mut().zip(coefficients) {
                *part |= u16::from(*coefficient != 0) << bit;
            }
        }
        for (mask, part) in masks.iter_mut().zip(part) {
            *mask |= u64::from(part) << (16 * quarter);
        }
    }
    masks
}
