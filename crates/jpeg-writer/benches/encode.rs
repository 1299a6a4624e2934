//! A thumbnail of 512 × 384 pixels that looks like a photograph: encoding it, beside jpeg-encoder.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark is run by hand")]

use criterion::{Criterion, criterion_group, criterion_main};
use jpeg_writer::{Picture, Quality};
use std::hint::black_box;

const WIDTH: u32 = 512;
const HEIGHT: u32 = 384;

/// Shapes of all sizes, and some grain.
fn photograph() -> Vec<u8> {
    let level = |x: u32, y: u32, channel: u32| {
        let (x, y) = (f64::from(x), f64::from(y));
        let waves = (1..24).map(|n| {
            let n = f64::from(n);
            ((x * n * 0.021 + y * (24.0 - n) * 0.013) + n * n).sin() * 60.0 / n
        });
        let grain = (x * 12.9898 + y * 78.233 + f64::from(channel)).sin() * 43_758.545;
        (waves.sum::<f64>() + 128.0 + f64::from(channel) * 9.0 + grain.fract() * 10.0).clamp(0.0, 255.0) as u8
    };
    let pixels = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    pixels.flat_map(|(x, y)| [0, 1, 2].map(|channel| level(x, y, channel))).collect()
}

fn encode(criterion: &mut Criterion) {
    let rgb = photograph();
    let mut group = criterion.benchmark_group("encode");
    group.bench_function("this", |bencher| {
        bencher.iter(|| Picture::from_rgb(WIDTH, HEIGHT, black_box(&rgb)).unwrap().encode(Quality::new(80)));
    });
    let picture = Picture::from_rgb(WIDTH, HEIGHT, &rgb).unwrap();
    group.bench_function("this, of planes", |bencher| {
        bencher.iter(|| black_box(&picture).encode(Quality::new(80)));
    });
    group.bench_function("jpeg-encoder", |bencher| {
        bencher.iter(|| {
            let mut bytes = Vec::new();
            let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
            encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
            encoder
                .encode(black_box(&rgb), WIDTH as u16, HEIGHT as u16, jpeg_encoder::ColorType::Rgb)
                .unwrap();
            bytes
        });
    });
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
