//! What decoding costs in memory, estimated from the header alone, so that workers can admit pictures by weight.

use super::{Header, JpegProcess, Layout, PngColour};
use crate::domain::ThumbnailSize;

/// JPEGs are decoded at a half, a quarter or an eighth of their size as long as their longer side keeps this many
/// pixels: one and a half times the larger thumbnail, below which the reduction begins to show.
pub const REDUCED_LONG_SIDE: u32 = ThumbnailSize::Medium.bound() * 3 / 2;

/// What resizing keeps for each row and column of the decoded picture: their weights, in two forms, and where they
/// begin. Measured, and rounded up.
const RESIZE_BYTES_OF_LINE: u64 = 64;

/// Tables, thread stacks, colour transforms, thumbnails and their encoders.
const FIXED_BYTES: u64 = 4 << 20;

/// Bytes that the PNG decoder may spend on ancillary chunks, such as an inflated colour profile.
pub const PNG_ANCILLARY_BYTES: u64 = 8 << 20;

impl Header {
    /// By how much a JPEG is reduced while it is decoded: 1, 2, 4 or 8. Always 1 for PNG.
    #[must_use]
    pub fn reduction(&self) -> u32 {
        let long_side = self.width.max(self.height);
        match self.layout {
            Layout::Png { .. } => 1,
            Layout::Jpeg { .. } => [8, 4, 2]
                .into_iter()
                .find(|reduction| long_side.div_ceil(*reduction) >= REDUCED_LONG_SIDE)
                .unwrap_or(1),
        }
    }

    /// An upper estimate of the bytes that making thumbnails takes, beside the file itself.
    #[must_use]
    pub fn decode_cost_bytes(&self) -> u64 {
        let decoding = match self.layout {
            Layout::Jpeg { process, components, coefficients, .. } => {
                self.jpeg_bytes(process, components, coefficients)
            }
            Layout::Png { colour, bit_depth, .. } => self.png_bytes(colour, bit_depth),
        };
        decoding.saturating_add(FIXED_BYTES)
    }

    fn jpeg_bytes(&self, process: JpegProcess, components: u8, coefficients: u64) -> u64 {
        let reduction = self.reduction();
        let (width, height) = (self.width.div_ceil(reduction), self.height.div_ceil(reduction));
        let samples = u64::from(width) * u64::from(height) * u64::from(components);
        let reduction = u64::from(reduction);
        let planes = coefficients / (reduction * reduction);
        // Coefficients are 16 bits wide. A sequential decoder holds the rows that its transforming threads have not
        // come to yet, about an eighth of all; a progressive one holds all of them, and the rows under way.
        let held = match process {
            JpegProcess::Baseline | JpegProcess::Extended => coefficients / 4,
            _ => coefficients * 2 + coefficients / 4,
        };
        held + planes + samples + resize_bytes(width, height, u64::from(components))
    }

    fn png_bytes(&self, colour: PngColour, bit_depth: u8) -> u64 {
        // The picture is decoded whole, to 8 bits; a chunk tRNS, which comes later, may add alpha.
        let channels = match colour {
            PngColour::Grey | PngColour::GreyAlpha => 2,
            PngColour::Palette | PngColour::Rgb | PngColour::Rgba => 4,
        };
        let row = (u64::from(self.width) * colour.samples() * u64::from(bit_depth)).div_ceil(8);
        let rows_in_hand = row.saturating_mul(4);
        self.pixels()
            .saturating_mul(channels)
            .saturating_add(resize_bytes(self.width, self.height, channels))
            .saturating_add(rows_in_hand)
            .saturating_add(PNG_ANCILLARY_BYTES)
    }
}

/// The picture between the two passes of resizing, of which one side is already that of the thumbnail, and the weights
/// of what is resized.
fn resize_bytes(width: u32, height: u32, channels: u64) -> u64 {
    let bound = ThumbnailSize::Medium.bound();
    let across = u64::from(width.min(bound)) * u64::from(height);
    let down = u64::from(width) * u64::from(height.min(bound));
    let weights = (u64::from(width) + u64::from(height)).saturating_mul(RESIZE_BYTES_OF_LINE);
    across.max(down).saturating_mul(channels).saturating_add(weights)
}
