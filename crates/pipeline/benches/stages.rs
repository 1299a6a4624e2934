//! How long a picture takes, stage by stage and as a whole: `cargo bench -p darkroom-pipeline`. `PICTURES=folder` measures
//! pictures of yours.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may stop at what it did not expect")]

use criterion::{Criterion, criterion_group, criterion_main};
use darkroom_domain::Orientation;
use darkroom_pipeline::{
    Limits, Rendered, encode, findings, make_thumbnails, perceptual_hash, read_metadata, render,
};
use darkroom_probe::probe;
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

/// The JPEGs and PNGs of the folder that `PICTURES` names, or pictures made here.
fn files() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = std::env::var_os("PICTURES") else {
        return vec![
            ("jpeg 2 MP".to_owned(), jpeg(1920, 1080, false)),
            ("jpeg 12 MP".to_owned(), jpeg(4000, 3000, false)),
            ("progressive jpeg 12 MP".to_owned(), jpeg(4000, 3000, true)),
            ("png 2 MP".to_owned(), png(1920, 1080)),
        ];
    };
    let entries = std::fs::read_dir(folder).expect("PICTURES names a folder");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg" || extension == "png"))
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("the file can be read")))
        .collect();
    files.sort();
    files
}

fn pictures(criterion: &mut Criterion) {
    for (name, file) in files() {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        let read = || probe(Cursor::new(black_box(&file))).expect("the header is right");
        let header = read();
        let drawn = |orientation| {
            let drawn = render(black_box(&file), &header, orientation, &LIMITS, &|| false);
            drawn.expect("the file is right")
        };
        let on_its_side = Orientation::from_exif(6).expect("6 is an orientation");
        let Rendered { small, medium, .. } = drawn(Orientation::UPRIGHT);
        let encoded = |pixels| encode(black_box(pixels)).expect("thumbnails can be encoded");
        group.bench_function("probe", |b| b.iter(read));
        group.bench_function("metadata", |b| b.iter(|| read_metadata(black_box(&file), &header)));
        group.bench_function("render", |b| b.iter(|| drawn(Orientation::UPRIGHT)));
        group.bench_function("render, turned", |b| b.iter(|| drawn(on_its_side)));
        group.bench_function("perceptual hash", |b| b.iter(|| perceptual_hash(black_box(&small))));
        group.bench_function("findings", |b| b.iter(|| findings(black_box(&file), &header, &small)));
        group.bench_function("encode small", |b| b.iter(|| encoded(&small)));
        group.bench_function("encode medium", |b| b.iter(|| encoded(&medium)));
        group.bench_function("whole", |b| {
            b.iter(|| make_thumbnails(black_box(&file), &header, Orientation::UPRIGHT, &LIMITS, &|| false))
        });
        group.finish();
    }
}

criterion_group!(benches, pictures);
criterion_main!(benches);
