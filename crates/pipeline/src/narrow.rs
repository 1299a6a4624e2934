//! Rows as they come from a decoder, brought to the width of the thumbnail at once: a picture that comes row by row is
//! never in memory as a whole.

use super::pixels::{Channels, Pixels};
use super::resize::{self, Extent};
use darkroom_domain::Failure;

/// Rows wait until there are this many of them: the resampler computes its weights anew for each call, and row by row
/// that would take longer than the resampling.
const BATCH_ROWS: usize = 100;

/// The bytes that may wait, or a row if that has more; and those that may wait in any case.
const BATCH_BYTES: std::ops::RangeInclusive<usize> = 1 << 20..=4 << 20;

/// The bytes of so many rows as wait for each other.
pub(super) fn batch_bytes(row_bytes: usize, rows: usize) -> usize {
    let batch = (row_bytes * BATCH_ROWS).clamp(*BATCH_BYTES.start(), *BATCH_BYTES.end());
    (batch / row_bytes).clamp(1, rows) * row_bytes
}

/// A picture on its way: rows go in from the top, and are kept at their new width.
pub(super) struct Narrowing {
    channels: Channels,
    width: u32,
    height: u32,
    extent: Extent,
    to_width: u32,
    batch_bytes: usize,
    waiting: Vec<u8>,
    narrow: Vec<u8>,
    transparent: bool,
}

impl Narrowing {
    /// For `height` rows of `width` pixels, of which `extent` is the picture. They are to become `to_width` wide.
    pub(super) fn new(
        (width, height): (u32, u32),
        extent: Extent,
        channels: Channels,
        to_width: u32,
    ) -> Self {
        let row_bytes = width as usize * channels.count();
        let batch_bytes = batch_bytes(row_bytes, height as usize);
        Self {
            channels,
            width,
            height,
            extent,
            to_width,
            batch_bytes,
            waiting: Vec::with_capacity(batch_bytes),
            narrow: Vec::with_capacity(to_width as usize * height as usize * channels.count()),
            transparent: false,
        }
    }

    /// Takes any number of whole rows.
    pub(super) fn take(&mut self, mut rows: &[u8]) -> Result<(), Failure> {
        while !rows.is_empty() {
            let fits = rows.len().min(self.batch_bytes - self.waiting.len());
            let (now, later) = rows.split_at(fits);
            self.waiting.extend_from_slice(now);
            rows = later;
            if self.waiting.len() == self.batch_bytes {
                self.narrow_waiting()?;
            }
        }
        Ok(())
    }

    /// The picture at its new width and old height, and how much of that it is: with alpha multiplied in if any pixel lets something through, and
    /// without alpha otherwise.
    pub(super) fn finish(mut self) -> Result<(Pixels, Extent), Failure> {
        self.narrow_waiting()?;
        let pixels = Pixels::new(self.to_width, self.height, self.channels, self.narrow)?;
        let extent = Extent { width: self.to_width.into(), ..self.extent };
        Ok((if self.transparent { pixels } else { pixels.without_alpha() }, extent))
    }

    fn narrow_waiting(&mut self) -> Result<(), Failure> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let row_bytes = self.width as usize * self.channels.count();
        let rows = u32::try_from(self.waiting.len() / row_bytes).unwrap_or(self.height);
        let mut batch = Pixels::new(self.width, rows, self.channels, std::mem::take(&mut self.waiting))?;
        // An alpha channel alone does not make a picture transparent.
        if batch.is_transparent() {
            self.transparent = true;
            resize::premultiply(&mut batch)?;
        }
        let extent = Extent { height: rows.into(), ..self.extent };
        resize::shrink_onto(&batch, extent, (self.to_width, rows), &mut self.narrow)?;
        self.waiting = batch.into_samples();
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of which every sample differs from its neighbours.
    fn rows(width: u32, height: u32, channels: Channels) -> Vec<u8> {
        let samples = u64::from(width) * u64::from(height) * channels.count() as u64;
        (0..samples).map(|at| (at * at * 7 % 251).to_le_bytes()[0]).collect()
    }

    #[test]
    fn batches_leave_no_seam() {
        // Three batches, the last of them short.
        let (width, height, channels) = (30_000, 120, Channels::Rgb);
        let samples = rows(width, height, channels);
        let extent = Extent::corner(f64::from(width) - 0.5, height.into());
        let mut narrowing = Narrowing::new((width, height), extent, channels, 512);
        for part in samples.chunks(width as usize * 3 * 7) {
            narrowing.take(part).unwrap();
        }
        let whole = Pixels::new(width, height, channels, samples).unwrap();
        let mut due = Vec::new();
        resize::shrink_onto(&whole, extent, (512, height), &mut due).unwrap();
        assert_eq!(narrowing.finish().unwrap().0.samples(), due);
    }

    #[test]
    fn alpha_is_kept_if_a_single_pixel_needs_it() {
        let row = |alpha: u8| [[10, 20, 30, 255], [10, 20, 30, alpha]].concat();
        let narrowed = |alphas: &[u8]| {
            let mut narrowing = Narrowing::new((2, 3), Extent::whole(2, 3), Channels::Rgba, 2);
            alphas.iter().for_each(|alpha| narrowing.take(&row(*alpha)).unwrap());
            narrowing.finish().map(|(pixels, _)| (pixels.channels(), pixels.samples().last().copied()))
        };
        assert_eq!(narrowed(&[255, 255, 255]).unwrap(), (Channels::Rgb, Some(30)));
        assert_eq!(narrowed(&[255, 254, 255]).unwrap(), (Channels::Rgba, Some(255)));
        assert!(narrowed(&[255, 255]).is_err(), "a row is missing");
    }
}
