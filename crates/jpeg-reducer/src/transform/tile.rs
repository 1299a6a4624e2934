//! Eight blocks that lie side by side.

use super::points::{Inverse, Points};
use super::{LANES, Lanes};

/// The coefficients that are kept of eight blocks, and room for those that are not. Twice as many as a block has, so
/// that seven bits of any number are an index.
#[derive(Debug, Clone)]
pub(crate) struct Tile {
    planes: [Lanes; 128],
    /// No coefficient behind this one, in zigzag order, is set in any of the blocks.
    pub(crate) last: u32,
}

impl Tile {
    pub(crate) const fn new() -> Self {
        Self { planes: [[0; LANES]; 128], last: 0 }
    }

    /// Sets the first `kept` coefficients to 0.
    pub(crate) fn clear(&mut self, kept: usize) {
        self.planes.iter_mut().take(kept).for_each(|plane| *plane = [0; LANES]);
        self.last = 0;
    }

    #[inline(always)]
    pub(crate) fn set(&mut self, slot: u8, lane: usize, value: i16) {
        if let Some(place) =
            self.planes.get_mut(usize::from(slot & 127)).and_then(|plane| plane.get_mut(lane & (LANES - 1)))
        {
            *place = value;
        }
    }

    pub(crate) fn planes(&self, kept: usize) -> &[Lanes] {
        self.planes.get(..kept).unwrap_or_default()
    }
}

/// Makes samples of the coefficients of eight blocks: `high` rows of `8 × wide`, from the start of `out` on, `stride`
/// apart. `planes` and `factors` have the kept coefficients row by row; none behind `last`, in zigzag order, is set.
pub(crate) fn transform(
    (wide, high): (usize, usize),
    planes: &[Lanes],
    factors: &[i16; 64],
    last: u32,
    out: &mut [u8],
    stride: usize,
) {
    let reach = reach(last);
    if reach == 1 {
        return flat(wide, planes, factors, out.chunks_mut(stride).take(high));
    }
    let place = Place { planes, factors, out, stride };
    // Sides differ where sampling does: by two, four or eight, as far as the larger one has no more than eight.
    match (wide, high) {
        (1, 1) => to_reach::<1, 1>(reach, place),
        (1, 2) => to_reach::<1, 2>(reach, place),
        (1, 4) => to_reach::<1, 4>(reach, place),
        (1, _) => to_reach::<1, 8>(reach, place),
        (2, 1) => to_reach::<2, 1>(reach, place),
        (2, 2) => to_reach::<2, 2>(reach, place),
        (2, 4) => to_reach::<2, 4>(reach, place),
        (2, _) => to_reach::<2, 8>(reach, place),
        (3, 3) => to_reach::<3, 3>(reach, place),
        (3, _) => to_reach::<3, 6>(reach, place),
        (4, 1) => to_reach::<4, 1>(reach, place),
        (4, 2) => to_reach::<4, 2>(reach, place),
        (4, 4) => to_reach::<4, 4>(reach, place),
        (4, _) => to_reach::<4, 8>(reach, place),
        (5, _) => to_reach::<5, 5>(reach, place),
        (6, 3) => to_reach::<6, 3>(reach, place),
        (6, _) => to_reach::<6, 6>(reach, place),
        (_, 1) => to_reach::<8, 1>(reach, place),
        (_, 2) => to_reach::<8, 2>(reach, place),
        (_, 4) => to_reach::<8, 4>(reach, place),
        (_, _) => to_reach::<8, 8>(reach, place),
    }
}

fn to_reach<const W: usize, const H: usize>(reach: usize, place: Place<'_>)
where
    Inverse: Points<W> + Points<H>,
{
    match reach {
        2 => inverse::<W, H, 2>(place),
        4 => inverse::<W, H, 4>(place),
        _ => inverse::<W, H, 8>(place),
    }
}

/// How far from the corner the coefficients up to `last` reach.
const fn reach(last: u32) -> usize {
    match last {
        0 => 1,
        1..=2 => 2,
        3..=9 => 4,
        _ => 8,
    }
}

/// Bits that the first pass leaves for the second to round, where it multiplies.
const SPARE: u32 = 2;

/// What is transformed, and where to.
struct Place<'p> {
    planes: &'p [Lanes],
    factors: &'p [i16; 64],
    out: &'p mut [u8],
    stride: usize,
}

/// Transforms blocks of which only the first `R` coefficients of the first `R` rows are set.
fn inverse<const W: usize, const H: usize, const R: usize>(place: Place<'_>)
where
    Inverse: Points<W> + Points<H>,
{
    let mut known = [[[0; LANES]; W]; H];
    dequantise::<W, H>(&place, R, &mut known);
    // First pass: H samples of each column. The other way round than the columns are, for the second pass.
    let mut columns = [[[0; LANES]; W]; H];
    let spare = if <Inverse as Points<H>>::BITS > 0 { SPARE } else { 0 };
    let bits = <Inverse as Points<H>>::BITS - spare;
    for i in 0..W.min(R) * LANES {
        let line = std::array::from_fn(|v| known.get(v).map_or(0, |row| at(row, i)));
        let sums = <Inverse as Points<H>>::inverse::<R>(line);
        for (row, sum) in columns.iter_mut().zip(sums) {
            if let Some(place) = row.as_flattened_mut().get_mut(i) {
                *place = ((sum + rounding(bits)) >> bits) as i16;
            }
        }
    }
    let mut rows = [[[0; LANES]; H]; W];
    for (y, row) in columns.iter().enumerate() {
        for (to, from) in rows.iter_mut().zip(row) {
            if let Some(place) = to.get_mut(y) {
                *place = *from;
            }
        }
    }
    // Second pass: W samples of each row, scaled by √8 × √8.
    let mut samples = [[[0_i16; LANES]; H]; W];
    let bits = <Inverse as Points<W>>::BITS + spare + 3;
    for i in 0..H * LANES {
        let line = std::array::from_fn(|u| rows.get(u).map_or(0, |column| at(column, i)));
        let sums = <Inverse as Points<W>>::inverse::<R>(line);
        for (column, sum) in samples.iter_mut().zip(sums) {
            if let Some(place) = column.as_flattened_mut().get_mut(i) {
                *place = ((sum + rounding(bits)) >> bits) as i16;
            }
        }
    }
    let mut bytes = [[[0; LANES]; H]; W];
    let all = samples.as_flattened().as_flattened();
    for (byte, sample) in bytes.as_flattened_mut().as_flattened_mut().iter_mut().zip(all) {
        *byte = self::sample(*sample);
    }
    let mut blocks = [[[0; W]; LANES]; H];
    for (i, block) in blocks.as_flattened_mut().iter_mut().enumerate() {
        put(std::array::from_fn(|x| bytes.get(x).map_or(0, |column| byte_at(column, i))), block);
    }
    for (row, blocks) in place.out.chunks_mut(place.stride).zip(&blocks) {
        if let Some(start) = row.get_mut(..W * LANES) {
            start.copy_from_slice(blocks.as_flattened());
        }
    }
}

/// Multiplies the coefficients that may be set.
#[inline(always)]
fn dequantise<const W: usize, const H: usize>(place: &Place<'_>, reach: usize, known: &mut [[Lanes; W]; H]) {
    let (planes, _) = place.planes.as_chunks::<W>();
    let (factors, _) = place.factors.as_chunks::<W>();
    for ((known, planes), factors) in known.iter_mut().zip(planes).zip(factors).take(reach) {
        for ((known, plane), factor) in known.iter_mut().zip(planes).zip(factors).take(reach) {
            known.iter_mut().zip(plane).for_each(|(known, k)| *known = k.wrapping_mul(*factor));
        }
    }
}

#[inline(always)]
fn at<const N: usize>(lines: &[Lanes; N], index: usize) -> i32 {
    lines.as_flattened().get(index).copied().map_or(0, i32::from)
}

#[inline(always)]
fn byte_at<const N: usize>(lines: &[[u8; LANES]; N], index: usize) -> u32 {
    lines.as_flattened().get(index).copied().map_or(0, u32::from)
}

#[inline(always)]
const fn rounding(bits: u32) -> i32 {
    (1 << bits) >> 1
}

/// A sample of a sum, with 128 in the middle (T.81, A.3.1). By way of 16 bits, where all machines can compare vectors.
#[inline(always)]
const fn sample(rounded: i16) -> u8 {
    let moved = rounded.saturating_add(128);
    if moved < 0 {
        0
    } else if moved > 255 {
        255
    } else {
        moved as u8
    }
}

/// Puts samples side by side, by way of registers.
#[inline(always)]
fn put<const W: usize>(samples: [u32; W], place: &mut [u8; W]) {
    let mut rest = samples.as_slice();
    let (words, few) = place.as_chunks_mut::<4>();
    for word in words {
        if let [a, b, c, d, after @ ..] = rest {
            *word = (a | b << 8 | c << 16 | d << 24).to_le_bytes();
            rest = after;
        }
    }
    few.iter_mut().zip(rest).for_each(|(place, sample)| *place = *sample as u8);
}

/// Blocks of one colour each.
fn flat<'a>(wide: usize, planes: &[Lanes], factors: &[i16; 64], rows: impl Iterator<Item = &'a mut [u8]>) {
    let [factor, ..] = factors;
    let samples = planes
        .first()
        .unwrap_or(&[0; LANES])
        .map(|k| sample(((i32::from(k.wrapping_mul(*factor)) + rounding(3)) >> 3) as i16));
    for row in rows {
        row.chunks_mut(wide).zip(samples).for_each(|(block, sample)| block.fill(sample));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OUTSIDE, slots};
    use super::*;

    /// The samples of one lane, by the formula of A.3.3 for blocks of `wide` × `high`.
    fn exact(planes: &[Lanes], lane: usize, wide: usize, high: usize, x: usize, y: usize) -> f64 {
        let wave = |k: usize, n: usize, points: usize| {
            let angle = (2 * n + 1) as f64 * k as f64 * std::f64::consts::PI / (2 * points) as f64;
            if k == 0 { 1.0 } else { 2_f64.sqrt() * angle.cos() }
        };
        let sum: f64 = (0..high)
            .flat_map(|v| (0..wide).map(move |u| (u, v)))
            .map(|(u, v)| f64::from(planes[v * wide + u][lane]) * 3.0 * wave(u, x, wide) * wave(v, y, high))
            .sum();
        (sum / 8.0 + 128.0).clamp(0.0, 255.0)
    }

    #[test]
    fn every_size_and_reach_is_the_formula_rounded() {
        let doubled = [1, 2, 4, 8];
        let sizes = doubled.iter().flat_map(|wide| doubled.map(|high| (*wide, high)));
        for (wide, high) in sizes.chain([(3, 3), (3, 6), (6, 3), (6, 6), (5, 5)]) {
            let (places, _) = slots(wide, high);
            for last in [0, 1, 2, 5, 9, 20, 63_u32] {
                let mut tile = Tile::new();
                for (k, slot) in places.iter().take(last as usize + 1).enumerate() {
                    for lane in 0..LANES {
                        let value = (k * 7919 + lane * 104_729) % 201;
                        tile.set(*slot, lane, (value as i16 - 100) / (k as i16 + 1));
                    }
                }
                let mut out = vec![0; high * 80];
                let planes = tile.planes(wide * high);
                transform((wide, high), planes, &[3; 64], last, &mut out, 80);
                for (x, y) in (0..8 * wide).flat_map(|x| (0..high).map(move |y| (x, y))) {
                    let due = exact(planes, x / wide, wide, high, x % wide, y);
                    let off = f64::from(out[y * 80 + x]) - due;
                    assert!(off.abs() < 0.7, "{wide} × {high} up to {last}: off by {off} at {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn a_cleared_tile_is_grey() {
        let mut tile = Tile::new();
        tile.set(3, 5, 99);
        tile.set(OUTSIDE, 5, 99);
        tile.clear(4);
        let mut out = [0; 32];
        transform((2, 2), tile.planes(4), &[9; 64], 4, &mut out, 16);
        assert_eq!(out, [128; 32]);
    }
}
