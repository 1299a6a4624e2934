//! The stretch of compressed data that is being read, free of stuffing.
//!
//! A byte FF of the data is followed by a stuffed 00 in the file (ITU-T T.81, F.1.2.3), so that markers can be found.
//! It is taken out here, a stretch at a time, so that the loops that read bits need not look for it.

use crate::marker::RST0;
use memchr::memchr;

/// Unstuffed bytes held at once. Little, to stay in the first-level cache beside the tables.
const SIZE: usize = 8 << 10;

/// More than an MCU of ten blocks (B.2.3) can take, at 31 bits a coefficient.
pub(super) const MCU: usize = 10 * 64 * 31 / 8 + 16;

/// Ones put behind the data where it ends. No code consists of ones (C.2), so reading ends in a bad code; before it,
/// at most a code, its value and the correction bits of a block are read.
const PADDING: usize = 32;

/// The bytes; any eight can be loaded.
#[derive(Debug)]
pub(crate) struct Buffer(Box<[u8; SIZE + 8]>);

impl Buffer {
    /// Eight bytes from `at` on, the first one highest.
    #[inline(always)]
    pub(super) fn load(&self, at: usize) -> u64 {
        // The mask tells the compiler that no check is needed.
        let at = at & (SIZE - 1);
        self.0.get(at..at + 8).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

/// A stretch of one scan's data, moving along.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    file: &'a [u8],
    /// Where in the file the next stretch begins.
    next: usize,
    pub(super) buffer: Buffer,
    /// How many bytes of the buffer are data.
    end: usize,
    /// Whether a marker or the end of the file follows the data in the buffer.
    last: bool,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a [u8], position: usize) -> Self {
        let mut window =
            Self { file, next: position, buffer: Buffer(Box::new([0; SIZE + 8])), end: 0, last: false };
        window.fill();
        window
    }

    /// Bytes that a window allocates.
    pub(crate) const fn memory_bytes() -> u64 {
        SIZE as u64 + 8
    }

    /// How many bytes of data the buffer has, and whether nothing follows them but a marker or the end.
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    pub(super) const fn is_last(&self) -> bool {
        self.last
    }

    /// Moves the bytes from `at` on to the start, and fills up behind them.
    pub(super) fn advance(&mut self, at: usize) {
        let at = at.min(self.end);
        self.buffer.0.copy_within(at..self.end, 0);
        self.end -= at;
        self.fill();
    }

    /// Begins anew behind the marker RST`number`, if it is what follows.
    pub(super) fn restart(&mut self, number: u8) -> bool {
        let mut marker = self.file.get(self.next..).unwrap_or_default();
        while let [0xff, 0xff, ..] = marker {
            marker = marker.get(1..).unwrap_or_default();
        }
        if !marker.starts_with(&[0xff, RST0 + number]) {
            return false;
        }
        (self.next, self.end, self.last) = (self.file.len() - marker.len() + 2, 0, false);
        self.fill();
        true
    }

    /// Where in the file the byte `at` of the buffer stands.
    pub(super) fn position(&self, at: usize) -> usize {
        let ahead = self.buffer.0.get(at.min(self.end)..self.end).unwrap_or_default();
        let stuffing = ahead.iter().filter(|byte| **byte == 0xff).count();
        self.next.saturating_sub(ahead.len() + stuffing)
    }

    /// What is left of the data from the byte `at` of the buffer on.
    pub(super) fn left(&self, at: usize) -> &[u8] {
        self.buffer.0.get(at.min(self.end)..self.end).unwrap_or_default()
    }

    fn fill(&mut self) {
        let full = SIZE - PADDING;
        while !self.last && self.end < full {
            let rest = self.file.get(self.next..).unwrap_or_default();
            let wanted = rest.get(..full - self.end).unwrap_or(rest);
            let plain = memchr(0xff, wanted).unwrap_or(wanted.len());
            self.append(wanted.get(..plain).unwrap_or_default());
            self.next += plain;
            match rest.get(plain..) {
                Some([0xff, 0, ..]) if plain < wanted.len() => {
                    self.append(&[0xff]);
                    self.next += 2;
                }
                Some([0xff, ..]) if plain < wanted.len() => self.last = true,
                Some([_, ..]) => {}
                _ => self.last = true,
            }
        }
        if self.last
            && let Some(padding) = self.buffer.0.get_mut(self.end..self.end + PADDING)
        {
            padding.fill(0xff);
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        if let Some(place) = self.buffer.0.get_mut(self.end..self.end + bytes.len()) {
            place.copy_from_slice(bytes);
            self.end += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffing_is_taken_out_and_positions_are_those_of_the_file() {
        let file = [9, 1, 0xff, 0, 2, 0xff, 0, 0xff, 0xd9];
        let window = Window::new(&file, 1);
        assert_eq!(window.left(0), [1, 0xff, 2, 0xff]);
        assert!(window.is_last());
        assert_eq!([0, 1, 2, 3, 4].map(|at| window.position(at)), [1, 2, 4, 5, 7]);
        assert_eq!(window.buffer.load(0), 0x01ff_02ff_ffff_ffff, "ones follow");
    }

    #[test]
    fn the_window_moves_along() {
        let file: Vec<u8> = (0..5 * SIZE)
            .flat_map(|i| if i % 7 == 0 { vec![0xff, 0] } else { vec![i as u8 & 127] })
            .collect();
        let mut window = Window::new(&file, 0);
        let mut seen = Vec::new();
        while !window.is_last() {
            let half = window.end() / 2;
            seen.extend_from_slice(&window.left(0)[..half]);
            window.advance(half);
        }
        seen.extend_from_slice(window.left(0));
        let due: Vec<u8> = (0..5 * SIZE).map(|i| if i % 7 == 0 { 0xff } else { i as u8 & 127 }).collect();
        assert!(seen == due);
        assert_eq!(window.position(window.end()), file.len());
    }

    #[test]
    fn restart_markers_are_taken_one_by_one() {
        let file = [1, 0xff, 0xff, 0xd0, 2, 3, 0xff, 0xd2, 4];
        let mut window = Window::new(&file, 0);
        assert!(!window.restart(1));
        assert!(window.restart(0));
        assert_eq!((window.left(0), window.position(1)), (&[2, 3][..], 5));
        assert!(!window.restart(1));
        assert!(window.restart(2));
        assert_eq!(window.left(0), [4]);
    }
}
