//! The numbers on the way to a caption, against those of transformers.

#[expect(dead_code, reason = "tests/suite/ uses all of it")]
mod reference;

use super::{LocalCaptioner, Patches, Picture};
use reference::{expected, folder};

/// One level of 255, in the channel where it counts most.
const ONE_LEVEL: f32 = 1.0 / 255.0 / 0.261;

/// Some pixels of these become one level brighter or darker than with Pillow.
const PILLOW_ROUNDS_OTHERWISE: [&str; 2] = ["fine", "tiny"];

/// The largest difference between the two.
fn off(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f32::max)
}

#[test]
fn pixels_and_logits_are_those_of_transformers() {
    let captioner = LocalCaptioner::load(&folder()).unwrap();
    for expected in expected() {
        let (name, samples) = (&expected.name, expected.samples());
        let picture = Picture::new(expected.width, expected.height, &samples).unwrap();
        let patches = Patches::of(&picture, &captioner.vision_config).unwrap();
        // The first patch is eight pixels wide and high.
        let rows: Vec<_> =
            patches.samples.chunks(64).take(3).flat_map(|channel| &channel[..8]).copied().collect();
        let pixels_off = off(&rows, &expected.pixel_values);

        let seen = captioner.vision.encode(patches, &|| false).unwrap();
        let logits = captioner.text.begin(&seen).unwrap().next(captioner.bounds.start).unwrap();
        let logits_off = off(&logits, &expected.first_logits);
        assert!(pixels_off < 1.01 * ONE_LEVEL, "{name}: {pixels_off}");
        let close = if PILLOW_ROUNDS_OTHERWISE.contains(&name.as_str()) { 0.1 } else { 5e-5 };
        assert!(logits_off < close, "{name}: {logits_off}");
    }
}
