//! What pictures look like: copies look alike, other pictures do not, and even ones like nothing.

use super::pictures::{self, Chance};
use super::*;
use image::imageops::FilterType;

/// Something like a photograph: large shapes, smaller ones in them, no two scenes alike.
pub(super) fn scene(number: u64, width: u32, height: u32) -> RgbImage {
    let mut chance = Chance::new(number + 1);
    let mut part = |bound: usize| chance.below(bound) as f64;
    let waves: Vec<[f64; 4]> = (0..24)
        .map(|_| {
            let (across, down) = (part(7), part(7));
            [across, down, part(628) / 100.0, (20.0 + part(60)) / (1.0 + across + down)]
        })
        .collect();
    RgbImage::from_fn(width, height, |x, y| {
        let at = |place, side| (f64::from(place) + 0.5) / f64::from(side) * std::f64::consts::PI;
        let (x, y) = (at(x, width), at(y, height));
        let level: f64 = waves
            .iter()
            .map(|[across, down, phase, amount]| (x * across + y * down + phase).cos() * amount)
            .sum();
        let level = (110.0 + level).clamp(0.0, 230.0) as u8;
        image::Rgb([level, level / 2 + 40, 230 - level / 2])
    })
}

fn hash(file: &[u8]) -> PerceptualHash {
    thumbnails(file).unwrap().perceptual_hash.expect("the picture is not even")
}

fn of(picture: &RgbImage) -> PerceptualHash {
    hash(&pictures::png(picture))
}

#[test]
fn copies_look_alike() {
    for number in 0..6 {
        let picture = scene(number, 200, 150);
        let original = of(&picture);
        let poor = {
            let mut bytes = Vec::new();
            let encoder = jpeg_encoder::Encoder::new(&mut bytes, 30);
            encoder.encode(picture.as_raw(), 200, 150, jpeg_encoder::ColorType::Rgb).unwrap();
            bytes
        };
        let smaller = image::imageops::resize(&picture, 90, 67, FilterType::Triangle);
        let larger = image::imageops::resize(&picture, 333, 250, FilterType::CatmullRom);
        let grey = image::DynamicImage::from(image::imageops::grayscale(&picture)).into_rgb8();
        let brighter = RgbImage::from_fn(200, 150, |x, y| {
            image::Rgb(picture.get_pixel(x, y).0.map(|c| (f64::from(c) * 1.05 + 8.0) as u8))
        });
        for (copy, what) in [
            (hash(&poor), "encoded anew"),
            (of(&smaller), "smaller"),
            (of(&larger), "larger"),
            (of(&brighter), "brighter"),
            (of(&grey), "grey"),
        ] {
            assert!(original.distance(copy) <= 8, "{number}, {what}: {}", original.distance(copy));
        }
    }
}

#[test]
fn other_pictures_look_different() {
    let hashes: Vec<_> = (0..12).map(|number| of(&scene(number, 120, 90))).collect();
    for (number, hash) in hashes.iter().enumerate() {
        for other in &hashes[..number] {
            assert!(hash.distance(*other) > 15, "{number}: {hash} {other}");
        }
    }
}

#[test]
fn a_picture_looks_the_same_in_every_orientation() {
    let upright = of(&scene(3, 160, 120));
    for orientation in 2..=8 {
        let stored = pictures::png(&pictures::stored(scene(3, 160, 120), orientation));
        let file = pictures::with_chunk(&stored, b"eXIf", &pictures::orientation(orientation.into()));
        assert!(upright.distance(hash(&file)) <= 1, "{orientation}");
    }
}

#[test]
fn half_of_the_bits_are_ones() {
    for number in 0..6 {
        assert_eq!(of(&scene(number, 64, 64)).bits().count_ones(), PerceptualHash::BITS / 2);
    }
}

#[test]
fn an_even_picture_looks_like_nothing_and_says_so() {
    let mut chance = Chance::new(1);
    let mut grain = |level: u8, most: usize| {
        RgbImage::from_fn(64, 64, |_, _| image::Rgb([level + u8::try_from(chance.below(most)).unwrap(); 3]))
    };
    for picture in [grain(0, 1), grain(128, 1), grain(128, 3), grain(250, 6)] {
        let made = thumbnails(&pictures::jpeg(&picture)).unwrap();
        assert_eq!(made.perceptual_hash, None);
        assert!(made.warnings.iter().any(|warning| warning.contains("too even")), "{:?}", made.warnings);
    }
}

#[test]
fn what_shines_through_is_white() {
    let picture = scene(5, 64, 48);
    let mut flattened = picture.clone();
    let mut samples = Vec::new();
    for (x, y, pixel) in picture.enumerate_pixels() {
        let [red, green, blue] = pixel.0;
        samples.extend([red, green, blue, if x < 20 { 0 } else { 255 }]);
        if x < 20 {
            flattened.put_pixel(x, y, image::Rgb([255; 3]));
        }
    }
    let file = pictures::png_of(&samples, 64, 48, ::png::ColorType::Rgba, ::png::BitDepth::Eight, |_| {});
    assert!(hash(&file).distance(of(&flattened)) <= 2);
}
