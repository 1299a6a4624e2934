//! A 64-bit reservoir over unstuffed bytes.

use super::window::Buffer;

/// The next bits, and where more of them come from.
///
/// The reservoir is refilled by one load of eight bytes, without a branch: the bytes are put behind the bits that are
/// left, as many whole ones as fit are counted, and the rest, being there already, is loaded again next time, to the
/// same place. (The method is known as "variant 4" from F. Giesen, "Reading bits in far too many ways", 2018.)
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bits {
    /// The next bits, from the highest on.
    ahead: u64,
    /// How many of them count.
    count: u32,
    /// Where in the buffer the first byte stands that does not count yet.
    at: usize,
}

impl Bits {
    /// Begins at the start of the buffer.
    pub(crate) const fn new() -> Self {
        Self { ahead: 0, count: 0, at: 0 }
    }

    /// Makes at least 56 bits available.
    #[inline(always)]
    pub(crate) fn refill(&mut self, buffer: &Buffer) {
        self.ahead |= buffer.load(self.at) >> self.count;
        self.at += (63 - self.count as usize) >> 3;
        self.count |= 56;
    }

    /// The next bits, from the highest on; after a refill, at least 56 are right.
    #[inline(always)]
    pub(crate) const fn ahead(&self) -> u64 {
        self.ahead
    }

    /// Takes `count` bits, no more than are available.
    #[inline(always)]
    pub(crate) const fn take(&mut self, count: u32) {
        self.ahead = self.ahead.wrapping_shl(count);
        self.count = self.count.wrapping_sub(count);
    }

    /// The next `count` bits as a number; at most 32, and at least one.
    #[inline(always)]
    pub(crate) const fn number(&mut self, count: u32) -> u32 {
        let number = (self.ahead >> (64 - count)) as u32;
        self.take(count);
        number
    }

    /// How many bits of the buffer were taken.
    pub(crate) const fn taken(&self) -> usize {
        self.at * 8 - self.count as usize
    }

    /// The first byte of the buffer that may be needed again.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Says that the bytes from [`Bits::at`] on were moved to the start of the buffer, and `offset` bytes farther.
    pub(crate) const fn moved(&mut self, offset: usize) {
        self.at = offset;
    }
}
