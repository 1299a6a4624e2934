//! What Hugging Face's transformers makes of some pictures: `tests/reference.py` writes it down.

use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// A picture that transformers was shown, and what came of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// How many levels brighter a sample gets to the right, downwards and by channel, and the first sample.
    coefficients: [u32; 4],
    pub(crate) tokens: Vec<u32>,
    pub(crate) text: String,
    /// The first eight of the uppermost row, for each channel.
    pub(crate) pixel_values: Vec<f32>,
    /// How likely each word is to be the first.
    pub(crate) first_logits: Vec<f32>,
}

impl Expected {
    /// The picture, by the formula of `tests/reference.py`.
    pub(crate) fn samples(&self) -> Vec<u8> {
        let [across, down, channel, base] = self.coefficients;
        let positions = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let first = positions.map(|(x, y)| x * across + y * down + base);
        first.flat_map(|first| [0, 1, 2].map(|c| ((first + c * channel) % 256) as u8)).collect()
    }
}

/// The folder of the tiny model.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

pub(crate) fn expected() -> Vec<Expected> {
    serde_json::from_slice(&fs::read(folder().join("expected.json")).unwrap()).unwrap()
}
