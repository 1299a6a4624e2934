//! How long a picture takes, step by step and as a whole. `cargo bench --bench pipeline`.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may stop at what it did not expect")]

use criterion::{Criterion, criterion_group, criterion_main};
use darkroom::domain::Orientation;
use darkroom::pipeline::{Limits, make_thumbnails, read_metadata};
use darkroom::probe::probe;
use std::hint::black_box;
use std::io::Cursor;

const LIMITS: Limits = Limits { max_pixels: 100_000_000, memory_budget_bytes: 1 << 30 };

/// Soft shapes and some grain: about as hard to compress as a photograph.
fn picture(width: u16, height: u16) -> Vec<u8> {
    let mut seed = 1_u32;
    let mut samples = Vec::new();
    for y in 0..u32::from(height) {
        for x in 0..u32::from(width) {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = seed >> 28;
            samples.extend(
                [x / 16, y / 12, (x + y) / 24].map(|c| (c.abs_diff(128) % 224 + grain).to_le_bytes()[0]),
            );
        }
    }
    samples
}

fn jpeg(width: u16, height: u16, progressive: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 85);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
    encoder.set_progressive(progressive);
    encoder
        .encode(&picture(width, height), width, height, jpeg_encoder::ColorType::Rgb)
        .expect("the sizes agree");
    bytes
}

fn png(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width.into(), height.into());
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("memory takes it");
    writer.write_image_data(&picture(width, height)).expect("the sizes agree");
    writer.finish().expect("memory takes it");
    bytes
}

fn pictures(criterion: &mut Criterion) {
    for (name, file) in [
        ("jpeg 2 MP", jpeg(1920, 1080, false)),
        ("jpeg 12 MP", jpeg(4000, 3000, false)),
        ("progressive jpeg 12 MP", jpeg(4000, 3000, true)),
        ("png 2 MP", png(1920, 1080)),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        let read = || probe(Cursor::new(black_box(&file))).expect("the header is right");
        let header = read();
        let thumbnails = |orientation| {
            let made = make_thumbnails(black_box(&file), &header, orientation, &LIMITS, &|| false);
            made.expect("the file is right")
        };
        let on_its_side = Orientation::from_exif(6).expect("6 is an orientation");
        group.bench_function("probe", |b| b.iter(read));
        group.bench_function("metadata", |b| b.iter(|| read_metadata(black_box(&file), &header)));
        group.bench_function("thumbnails", |b| b.iter(|| thumbnails(Orientation::UPRIGHT)));
        group.bench_function("thumbnails, turned", |b| b.iter(|| thumbnails(on_its_side)));
        group.finish();
    }
}

criterion_group!(benches, pictures);
criterion_main!(benches);
