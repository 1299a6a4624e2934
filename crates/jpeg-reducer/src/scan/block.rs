//! One block of a sequential scan (ITU-T T.81, F.2.2).

use crate::entropy::{Bits, Buffer};
use crate::huffman::{AcEntry, AcTable, BadCode, DcTable, SkipTable};
use crate::transform::Tile;

/// What blocks of a component are read with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Codes<'t> {
    pub(crate) dc: &'t DcTable,
    pub(crate) ac: &'t AcTable,
    pub(crate) skip: &'t SkipTable,
    /// Where the coefficients go.
    pub(crate) slots: &'t [u8; 64],
    /// The last one that is needed.
    pub(crate) last: u32,
}

/// Why a block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Code,
    Run,
}

impl From<BadCode> for Fault {
    fn from(_: BadCode) -> Self {
        Self::Code
    }
}

/// Coefficients of a block.
pub(crate) const COEFFICIENTS: u32 = 64;

/// Reads a block into one lane of `tile`; `dc` is the DC coefficient of the block before, and becomes this one's.
#[inline(always)]
pub(super) fn read(
    bits: &mut Bits,
    buffer: &Buffer,
    codes: Codes<'_>,
    tile: &mut Tile,
    lane: usize,
    dc: &mut i16,
) -> Result<(), Fault> {
    let mut local = *bits;
    let result = read_here(&mut local, buffer, codes, tile, lane, dc);
    *bits = local;
    result
}

#[inline(always)]
fn read_here(
    bits: &mut Bits,
    buffer: &Buffer,
    codes: Codes<'_>,
    tile: &mut Tile,
    lane: usize,
    dc: &mut i16,
) -> Result<(), Fault> {
    bits.refill(buffer);
    let (difference, length) = codes.dc.difference(bits.ahead())?;
    bits.take(length);
    *dc = dc.wrapping_add(difference as i16);
    tile.set(0, lane, *dc);
    let mut next = 1;
    while next <= codes.last {
        // Two short entries need no more bits than are left in any case.
        for _ in 0..2 {
            let mut entry = codes.ac.entry(bits.ahead());
            let mut after = next + entry.advance();
            if after > COEFFICIENTS {
                if entry.is_long() {
                    bits.refill(buffer);
                    entry = codes.ac.long(bits.ahead())?;
                    after = next + entry.advance();
                }
                if after > COEFFICIENTS {
                    bits.take(entry.length());
                    tile.last = tile.last.max(next - 1);
                    return if after > AcEntry::END { Ok(()) } else { Err(Fault::Run) };
                }
            }
            bits.take(entry.length());
            if let Some(slot) = codes.slots.get(after as usize - 1) {
                tile.set(*slot, lane, entry.value() as i16);
            }
            next = after;
            if next > codes.last {
                break;
            }
        }
        bits.refill(buffer);
    }
    tile.last = tile.last.max(codes.last);
    skip(bits, buffer, codes.skip, next, COEFFICIENTS, |bits, next| one(bits, codes.ac, next))
}

/// Passes over the coefficients from `next` up to `band_end`, or to the end of the block if that comes first. Where
/// the table does not help, `one` passes over one symbol, and returns the next coefficient.
#[inline(always)]
pub(super) fn skip(
    bits: &mut Bits,
    buffer: &Buffer,
    table: &SkipTable,
    mut next: u32,
    band_end: u32,
    mut one: impl FnMut(&mut Bits, u32) -> Result<u32, Fault>,
) -> Result<(), Fault> {
    while next < band_end {
        bits.refill(buffer);
        let first = table.entry(bits.ahead());
        let second = table.entry(bits.ahead().wrapping_shl(first));
        // Lengths add up in the lower byte, advances above it.
        let both = first + second;
        let after_both = next + (both >> 8);
        if after_both < band_end {
            bits.take(both & 0xff);
            next = after_both;
            continue;
        }
        let after = next + (first >> 8);
        let (length, after) =
            if after < band_end { (both & 0xff, after_both) } else { (first & 0xff, after) };
        if is_true(after, band_end) {
            bits.take(length);
            return Ok(());
        }
        next = one(bits, next)?;
    }
    Ok(())
}

/// Whether the entry that led to `after`, at or behind the end, is to be believed.
#[inline(always)]
const fn is_true(after: u32, band_end: u32) -> bool {
    after == band_end || (after >= SkipTable::END && after - SkipTable::END < band_end)
}

/// Passes over one symbol of a block; returns the next coefficient, which is one behind the last at the end.
fn one(bits: &mut Bits, ac: &AcTable, next: u32) -> Result<u32, Fault> {
    let mut entry = ac.entry(bits.ahead());
    if entry.is_long() {
        entry = ac.long(bits.ahead())?;
    }
    bits.take(entry.length());
    let after = next + entry.advance();
    if after <= COEFFICIENTS {
        Ok(after)
    } else if after > AcEntry::END {
        Ok(COEFFICIENTS)
    } else {
        Err(Fault::Run)
    }
}
