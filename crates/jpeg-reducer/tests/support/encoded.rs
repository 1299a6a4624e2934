//! Pictures that an ordinary encoder makes.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Every sampling that the encoder knows.
pub(crate) const SAMPLINGS: [SamplingFactor; 8] = [
    SamplingFactor::R_4_4_4,
    SamplingFactor::R_4_2_2,
    SamplingFactor::R_4_2_0,
    SamplingFactor::R_4_4_0,
    SamplingFactor::R_4_4_1,
    SamplingFactor::R_4_1_1,
    SamplingFactor::R_4_1_0,
    SamplingFactor::F_4_1,
];

/// Waves in colour, and some grain: `3 × width × height` bytes.
pub(crate) fn waves(width: usize, height: usize, grain: f64) -> Vec<u8> {
    let mut chance = super::Chance::new(7);
    let mut samples = Vec::with_capacity(3 * width * height);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y as f64, x as f64))) {
        for (channel, speed) in [(0.0, 0.05), (1.0, 0.07), (2.0, 0.03)] {
            let wave = (x * speed + channel).sin() * 50.0 + (y * speed * 1.3 - x * 0.02).cos() * 50.0;
            let noise = (chance.below(2001) as f64 / 1000.0 - 1.0) * grain;
            samples.push((128.0 + wave + noise).clamp(0.0, 255.0) as u8);
        }
    }
    samples
}

/// A file made of RGB samples.
pub(crate) fn encode(
    samples: &[u8],
    (width, height): (usize, usize),
    adjust: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 90);
    adjust(&mut encoder);
    encoder.encode(samples, width as u16, height as u16, ColorType::Rgb).unwrap();
    file
}

/// Where the compressed data begins, about.
pub(crate) fn data_begins(file: &[u8]) -> usize {
    file.windows(2).position(|w| w == [0xff, 0xda]).unwrap() + 16
}
