//! What a picture must look like: slowly, in f64, by the formulas.

use super::{Component, Source};
use std::f64::consts::PI;

/// One component's samples.
struct Plane {
    width: usize,
    height: usize,
    samples: Vec<f64>,
}

/// The samples of the components at the size of the reduced picture, one after the other, before colour conversion.
pub(crate) fn components(source: &Source, eighths: usize) -> Vec<Vec<f64>> {
    let (h_max, v_max) = source.max_factors();
    source
        .components
        .iter()
        .map(|component| {
            let single = source.components.len() == 1;
            let (h, v) = if single { (h_max, v_max) } else { (component.h, component.v) };
            let (wide, high) = (points(h, h_max, eighths), points(v, v_max, eighths));
            let plane = plane(
                component,
                (wide, high),
                |side, factor, most, points| (side * factor * points).div_ceil(most * 8),
                [source.width, h, h_max, source.height, v, v_max],
            );
            let (width, height) =
                ((source.width * eighths).div_ceil(8), (source.height * eighths).div_ceil(8));
            let across = (h * wide) as f64 / (eighths * h_max) as f64;
            let down = (v * high) as f64 / (eighths * v_max) as f64;
            let mut samples = Vec::new();
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                samples.push(plane.at((x as f64 + 0.5) * across - 0.5, (y as f64 + 0.5) * down - 0.5));
            }
            samples
        })
        .collect()
}

/// The samples of the components by themselves, each reduced alike.
pub(crate) fn planes(source: &Source, eighths: usize) -> Vec<Vec<f64>> {
    let (h_max, v_max) = source.max_factors();
    let of = |component: &Component| {
        let single = source.components.len() == 1;
        let (h, v) = if single { (h_max, v_max) } else { (component.h, component.v) };
        let shown = |side: usize, factor: usize, most: usize, points: usize| {
            (side * factor * points).div_ceil(most * 8)
        };
        plane(component, (eighths, eighths), shown, [source.width, h, h_max, source.height, v, v_max]).samples
    };
    source.components.iter().map(of).collect()
}

/// How many samples of a block: those of the reduction, doubled as long as the component is subsampled by a factor of
/// two, and they are not more than eight.
fn points(factor: usize, most: usize, eighths: usize) -> usize {
    let mut points = eighths;
    while points * 2 <= 8 && (most * eighths).is_multiple_of(2 * factor * points) {
        points *= 2;
    }
    points
}

fn plane(
    component: &Component,
    (wide, high): (usize, usize),
    shown: impl Fn(usize, usize, usize, usize) -> usize,
    [width, h, h_max, height, v, v_max]: [usize; 6],
) -> Plane {
    let stride = component.across * wide;
    let mut samples = vec![0.0; stride * component.down * high];
    for (index, block) in component.blocks.iter().enumerate() {
        let (bx, by) = (index % component.across, index / component.across);
        let natural = natural(block, &component.quantisation);
        for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
            let mut sum = 0.0;
            for (v, u) in (0..high).flat_map(|v| (0..wide).map(move |u| (v, u))) {
                sum += natural[v * 8 + u] * wave(u, x, wide) * wave(v, y, high);
            }
            samples[(by * high + y) * stride + bx * wide + x] = (sum / 8.0 + 128.0).clamp(0.0, 255.0);
        }
    }
    let (wide, high) = (shown(width, h, h_max, wide), shown(height, v, v_max, high));
    let rows = samples.chunks(stride).take(high);
    Plane { width: wide, height: high, samples: rows.flat_map(|row| row[..wide].to_vec()).collect() }
}

fn wave(k: usize, n: usize, points: usize) -> f64 {
    if k == 0 { 1.0 } else { 2_f64.sqrt() * ((2 * n + 1) as f64 * k as f64 * PI / (2 * points) as f64).cos() }
}

/// Dequantised, row by row.
fn natural(block: &[i16; 64], quantisation: &[u16; 64]) -> [f64; 64] {
    let mut order: Vec<usize> = (0..64).collect();
    order.sort_by_key(|at| {
        let (row, column) = (at / 8, at % 8);
        (row + column, if (row + column) % 2 == 0 { column } else { row })
    });
    let mut natural = [0.0; 64];
    for ((at, coefficient), factor) in order.into_iter().zip(block).zip(quantisation) {
        natural[at] = f64::from(*coefficient) * f64::from(*factor);
    }
    natural
}

impl Plane {
    /// Between the four nearest samples.
    fn at(&self, x: f64, y: f64) -> f64 {
        let sample = |x: f64, y: f64| {
            let x = (x.max(0.0) as usize).min(self.width - 1);
            let y = (y.max(0.0) as usize).min(self.height - 1);
            self.samples[y * self.width + x]
        };
        let (left, top) = (x.floor(), y.floor());
        let (right, below) = (x - left, y - top);
        let row = |y: f64| sample(left, y) * (1.0 - right) + sample(left + 1.0, y) * right;
        row(top) * (1.0 - below) + row(top + 1.0) * below
    }
}

/// Red, green and blue of `YCbCr`, by ITU-T T.871.
pub(crate) fn rgb(y: f64, cb: f64, cr: f64) -> [f64; 3] {
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [y + 1.402 * cr, y - 0.344_136_286 * cb - 0.714_136_286 * cr, y + 1.772 * cb].map(|s| s.clamp(0.0, 255.0))
}
