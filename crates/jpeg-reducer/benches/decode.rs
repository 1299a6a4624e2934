//! Decoding by stage: the header alone, sequential and progressive pictures at each reduction, and other decoders.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may say what it expects")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use jpeg_reducer::{Decoder, Options, Reduction};
use std::hint::black_box;

const SIZE: (u16, u16) = (2000, 1500);

/// A picture with waves and grain, about as hard as a photograph.
fn file(progressive: bool, interval: u16) -> Vec<u8> {
    let mut seed = 1_u64;
    let mut samples = Vec::new();
    for (y, x) in (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (f64::from(y), f64::from(x)))) {
        for speed in [0.011, 0.017, 0.007] {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let grain = (seed >> 59) as f64 - 16.0;
            samples.push((128.0 + 90.0 * (x * speed).sin() * (y * speed * 1.7).cos() + grain) as u8);
        }
    }
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 88);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.set_progressive(progressive);
    if interval > 0 {
        encoder.set_restart_interval(interval);
    }
    encoder.encode(&samples, SIZE.0, SIZE.1, ColorType::Rgb).unwrap();
    file
}

fn decode(criterion: &mut Criterion) {
    let kinds =
        [("sequential", file(false, 0)), ("restarts", file(false, 125)), ("progressive", file(true, 0))];
    for (name, file) in &kinds {
        let mut group = criterion.benchmark_group(*name);
        group.throughput(Throughput::Elements(u64::from(SIZE.0) * u64::from(SIZE.1))).sample_size(20);
        group.bench_function("header", |b| b.iter(|| Decoder::new(black_box(file)).unwrap()));
        let decoder = Decoder::new(file).unwrap();
        for reduction in Reduction::ALL {
            group.bench_with_input(
                BenchmarkId::new("eighths", reduction.eighths()),
                &reduction,
                |b, reduction| {
                    b.iter(|| {
                        decoder.decode(&Options::new(*reduction), &mut |rows| {
                            black_box(rows.samples);
                        })
                    });
                },
            );
        }
        group.bench_function("jpeg-decoder, reduced by 4", |b| {
            b.iter(|| {
                let mut decoder = jpeg_decoder::Decoder::new(black_box(&file[..]));
                decoder.scale(SIZE.0 / 4, SIZE.1 / 4).unwrap();
                decoder.decode().unwrap()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
