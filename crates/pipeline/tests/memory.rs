//! What a picture is priced at is what it takes: the most memory in use while thumbnails are made, against the price.
//!
//! A program of its own with a single test, for memory is counted in the whole process.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test ends by panicking, and this crate has no outside"
)]

#[path = "../src/tests/pictures.rs"]
#[expect(dead_code, reason = "the unit tests of the pipeline use all of it")]
mod pictures;

use darkroom_domain::Orientation;
use darkroom_pipeline::{Limits, make_thumbnails, memory_bytes, read_metadata};
use darkroom_probe::probe;
use jpeg_encoder::SamplingFactor;
use peak_alloc::PeakAlloc;
use pictures::{busy, exif_bomb, interlaced_png, jpeg_with, png_of, with_exif};
use png::{BitDepth, ColorType};
use std::io::Cursor;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Large enough that what a picture takes is seen beside what everything takes.
fn files() -> Vec<(String, Vec<u8>)> {
    let picture = busy(4000, 3000);
    let mut files = vec![];
    for sampling in [SamplingFactor::R_4_2_0, SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_2] {
        for progressive in [false, true] {
            let file = jpeg_with(&picture, |encoder| {
                encoder.set_sampling_factor(sampling);
                encoder.set_progressive(progressive);
            });
            files.push((format!("JPEG {sampling:?}, progressive: {progressive}"), file));
        }
    }
    let small = jpeg_with(&busy(1500, 1400), |encoder| encoder.set_progressive(true));
    files.push(("a progressive JPEG that is not reduced".to_owned(), small));
    let row = |colour: ColorType, depth: BitDepth| 4000 * colour.samples() * depth as usize / 8;
    for (colour, depth) in [
        (ColorType::Grayscale, BitDepth::Eight),
        (ColorType::Rgb, BitDepth::Eight),
        (ColorType::Rgba, BitDepth::Sixteen),
    ] {
        let samples: Vec<_> =
            (0..row(colour, depth) * 3000).map(|at| (at / 9 % 251).to_le_bytes()[0]).collect();
        files
            .push((format!("PNG {colour:?} {depth:?}"), png_of(&samples, 4000, 3000, colour, depth, |_| {})));
    }
    files.push(("an interlaced PNG".to_owned(), interlaced_png(&picture)));
    files
}

#[test]
fn no_picture_takes_more_than_its_price() {
    metadata_takes_little();
    let limits = Limits { max_pixels: 100_000_000, memory_budget_bytes: 1 << 30 };
    for (name, file) in files() {
        let header = probe(Cursor::new(&file)).unwrap();
        let price = memory_bytes(&file, &header);
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        make_thumbnails(&file, &header, Orientation::UPRIGHT, &limits, &|| false).unwrap();
        let taken = (MEMORY.peak_usage() - before) as u64;
        println!("{name}: {} KiB of {} KiB", taken >> 10, price >> 10);
        assert!(taken <= price, "{name} takes {taken} bytes and is priced at {price}");
        // A price that frightens for nothing keeps workers idle.
        assert!(price <= taken * 2 + (6 << 20), "{name} takes {taken} bytes and is priced at {price}");
    }
}

/// Metadata is read before anything is admitted.
fn metadata_takes_little() {
    let file = with_exif(&jpeg_with(&busy(60, 40), |_| {}), &exif_bomb());
    let header = probe(Cursor::new(&file)).unwrap();
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    assert!(!read_metadata(&file, &header).warnings.is_empty());
    let taken = MEMORY.peak_usage() - before;
    assert!(taken < 20 << 20, "metadata takes {taken} bytes");
}
