//! The pipeline from outside: a file goes in, thumbnails come out and are looked at.

mod after_end;
mod colour;
mod damage;
mod description;
mod findings;
mod jpeg;
mod look;
mod metadata;
mod pictures;
mod png;

use super::*;
use darkroom_domain::FailureCode;
use darkroom_probe::probe;
use image::{ImageFormat as Codec, RgbImage, RgbaImage};
use pictures::{BLUE, GREEN, RED, YELLOW};
use std::io::Cursor;

const LIMITS: Limits = Limits { max_pixels: 100_000_000, memory_budget_bytes: 512 << 20 };

fn header(file: &[u8]) -> Header {
    probe(Cursor::new(file)).unwrap()
}

fn thumbnails(file: &[u8]) -> Result<Thumbnails, Failure> {
    let header = header(file);
    let orientation = read_metadata(file, &header).orientation;
    make_thumbnails(file, &header, orientation, &LIMITS, &|| false)
}

fn failure(file: &[u8]) -> FailureCode {
    thumbnails(file).expect_err("the file is wrong").code()
}

fn decoded(thumbnail: &Thumbnail) -> RgbaImage {
    let codec = match thumbnail.format {
        ThumbnailFormat::Jpeg => Codec::Jpeg,
        ThumbnailFormat::Png => Codec::Png,
    };
    let picture = image::load_from_memory_with_format(&thumbnail.bytes, codec).unwrap();
    assert_eq!((picture.width(), picture.height()), (thumbnail.width, thumbnail.height));
    picture.into_rgba8()
}

fn rgb(thumbnail: &Thumbnail) -> RgbImage {
    assert_eq!(thumbnail.format, ThumbnailFormat::Jpeg);
    image::DynamicImage::from(decoded(thumbnail)).into_rgb8()
}

#[track_caller]
fn assert_close(is: &[u8], due: &[u8], tolerance: u8) {
    assert!(is.iter().zip(due).all(|(is, due)| is.abs_diff(*due) <= tolerance), "{is:?} is not near {due:?}");
}

/// Whether the middle of each quarter has the colour that `pictures::corners` gives it.
#[track_caller]
fn assert_corners(thumbnail: &Thumbnail) {
    let picture = rgb(thumbnail);
    let (w, h) = picture.dimensions();
    for (x, y, due) in [
        (w / 4, h / 4, RED),
        (w * 3 / 4, h / 4, GREEN),
        (w / 4, h * 3 / 4, BLUE),
        (w * 3 / 4, h * 3 / 4, YELLOW),
    ] {
        assert_close(&picture.get_pixel(x, y).0, &due, 12);
    }
}

#[test]
fn every_orientation_is_shown_upright() {
    for orientation in 1..=8 {
        let stored = pictures::stored(pictures::corners(1200, 800), orientation);
        let exif = pictures::orientation(orientation.into());
        let jpeg = pictures::with_exif(&pictures::jpeg(&stored), &exif);
        let png = pictures::with_chunk(&pictures::png(&stored), b"eXIf", &exif);
        for file in [jpeg, png] {
            let metadata = read_metadata(&file, &header(&file));
            assert_eq!((metadata.width, metadata.height), (1200, 800));
            assert_eq!(metadata.orientation.exif(), orientation);
            let Thumbnails { small, medium, .. } = thumbnails(&file).unwrap();
            assert_eq!((small.width, small.height), (128, 85));
            assert_eq!((medium.width, medium.height), (512, 341));
            assert_corners(&small);
            assert_corners(&medium);
        }
    }
}

#[test]
fn extreme_shapes_keep_at_least_a_pixel() {
    for (size, small, medium) in [
        ((1, 1), (1, 1), (1, 1)),
        ((100, 20), (100, 20), (100, 20)),
        ((3, 2000), (1, 128), (1, 512)),
        ((65_500, 1), (128, 1), (512, 1)),
        ((1, 65_500), (1, 128), (1, 512)),
    ] {
        let picture = RgbImage::from_pixel(size.0, size.1, image::Rgb(BLUE));
        for file in [pictures::jpeg(&picture), pictures::progressive(&picture), pictures::png(&picture)] {
            let made = thumbnails(&file).unwrap();
            assert_eq!((made.small.width, made.small.height), small);
            assert_eq!((made.medium.width, made.medium.height), medium);
            assert_close(&rgb(&made.small).get_pixel(0, 0).0, &BLUE, 12);
            assert_close(&rgb(&made.medium).get_pixel(0, 0).0, &BLUE, 12);
        }
    }
}

#[test]
fn thumbnails_carry_no_metadata() {
    let exif = pictures::exif(&[(::exif::Tag::Make, ::exif::Value::Ascii(vec![b"Secretive".to_vec()]))]);
    let file = pictures::with_exif(&pictures::jpeg(&pictures::corners(600, 600)), &exif);
    let made = thumbnails(&file).unwrap();
    for bytes in [made.small.bytes, made.medium.bytes] {
        assert!(!bytes.windows(4).any(|w| w == b"Exif" || w == b"Secr"));
    }
}

#[test]
fn limits_are_applied_before_decoding() {
    let file = pictures::png(&pictures::corners(100, 100));
    let code = |limits: Limits| {
        make_thumbnails(&file, &header(&file), Orientation::UPRIGHT, &limits, &|| false).unwrap_err().code()
    };
    assert_eq!(code(Limits { max_pixels: 9_999, ..LIMITS }), FailureCode::TooManyPixels);
    assert_eq!(code(Limits { memory_budget_bytes: 1 << 20, ..LIMITS }), FailureCode::OverMemoryBudget);
}

#[test]
fn work_stops_soon_after_it_is_cancelled() {
    let picture = pictures::busy(1500, 1000);
    for file in [pictures::jpeg(&picture), pictures::progressive(&picture), pictures::png(&picture)] {
        let header = header(&file);
        for patience in [0, 1, 3, 5] {
            let asked = std::cell::Cell::new(0);
            let cancelled = || asked.replace(asked.get() + 1) >= patience;
            let failure =
                make_thumbnails(&file, &header, Orientation::UPRIGHT, &LIMITS, &cancelled).unwrap_err();
            assert_eq!(failure.code(), FailureCode::TimedOut);
            assert_eq!(asked.get(), patience + 1, "asked again after it said stop");
        }
    }
}
