//! One component of a picture, and its blocks.

use crate::tile::{LANES, Quantiser, Tile, WIDTH};

/// Samples, and how they are encoded.
#[derive(Debug, Clone)]
pub(crate) struct Component<'p> {
    samples: &'p [u8],
    width: usize,
    height: usize,
    quantiser: Quantiser,
    /// Blocks of an MCU, across and down alike: 1 or 2.
    pub(crate) sampling: usize,
    /// Which of the tables for quantisation and for codes: 0 or 1.
    pub(crate) table: u8,
}

impl<'p> Component<'p> {
    /// A component of `width × height` samples.
    pub(crate) const fn new(
        samples: &'p [u8],
        (width, height): (usize, usize),
        quantiser: Quantiser,
        sampling: usize,
        table: u8,
    ) -> Self {
        Self { samples, width, height, quantiser, sampling, table }
    }

    /// The tiles of a row of blocks, from the left, as many as `mcus` MCUs need. What is beyond the edges is like the last samples
    /// before them (A.2.4).
    pub(crate) fn tiles(&self, row: usize, mcus: usize) -> impl Iterator<Item = Tile> {
        let rows: [&[u8]; 8] = std::array::from_fn(|down| {
            let at = (row * 8 + down).min(self.height - 1) * self.width;
            self.samples.get(at..at + self.width).unwrap_or_default()
        });
        (0..(mcus * self.sampling).div_ceil(LANES)).map(move |tile| {
            let samples = rows.each_ref().map(|row| {
                let rest = row.get(tile * WIDTH..).unwrap_or_default();
                rest.first_chunk().copied().unwrap_or_else(|| {
                    let last = row.last().copied().unwrap_or(0);
                    std::array::from_fn(|at| rest.get(at).copied().unwrap_or(last))
                })
            });
            Tile::new(&samples, &self.quantiser)
        })
    }
}
