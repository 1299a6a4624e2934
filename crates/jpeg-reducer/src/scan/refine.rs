//! Refinement of AC coefficients: one more bit of those that are not 0, and new ones of one bit (ITU-T T.81, G.1.2.3).

use super::block::Fault;
use super::header::Band;
use super::progressive::{Block, ends};
use crate::entropy::{Bits, Buffer};
use crate::huffman::{AcTable, Symbol};

/// What a block is refined with.
pub(super) struct Refinement<'t> {
    pub(super) table: &'t AcTable,
    pub(super) band: Band,
    /// How many blocks from here on have no codes of their own, but correction bits.
    pub(super) ended: &'t mut u32,
}

/// Refines a block, whose mask tells which of its coefficients were not 0 before.
#[inline(always)]
pub(super) fn refine_block(
    bits: &mut Bits,
    buffer: &Buffer,
    Refinement { table, band, ended }: Refinement<'_>,
    mut block: Block<'_>,
) -> Result<(), Fault> {
    let (mut next, end) = (band.first, band.last + 1);
    let history = block.mask.as_deref().copied().unwrap_or(0);
    // Of the band: those that were 0, and those that were not, each without what is passed.
    let (mut zeros, mut set) = (!history & band.mask(), history & band.mask());
    let one = 1 << band.low;
    while *ended == 0 && next < end {
        bits.refill(buffer);
        let mut entry = table.entry(bits.ahead());
        if entry.is_long() {
            match table.symbol(bits.ahead())? {
                Symbol::Entry(long) => entry = long,
                Symbol::Ends { power, length } => {
                    *ended = ends(bits, buffer, power, length);
                    break;
                }
            }
        }
        bits.take(entry.length());
        if entry.advance() > 16 {
            *ended = 1;
            break;
        }
        let value = entry.value();
        if !(-1..=1).contains(&value) {
            return Err(Fault::Code);
        }
        for _ in 1..entry.advance() {
            zeros &= zeros.wrapping_sub(1);
        }
        if zeros == 0 {
            return Err(Fault::Run);
        }
        let target = zeros.trailing_zeros();
        let passed = set & !(u64::MAX << target);
        let count = target - next - (entry.advance() - 1);
        next = target;
        correct(bits, buffer, &mut block, passed, count, one);
        (set, zeros) = (set ^ passed, zeros & zeros.wrapping_sub(1));
        if value != 0 {
            if let Some(mask) = &mut block.mask {
                **mask |= 1 << next;
            }
            if let Some(place) = block.place(next) {
                *place = (value << band.low) as i16;
            }
        }
        next += 1;
    }
    if *ended > 0 {
        bits.refill(buffer);
        correct(bits, buffer, &mut block, set, set.count_ones(), one);
        *ended -= 1;
    }
    Ok(())
}

/// Bits that are left in any case after a refill and a symbol.
const SURE: u32 = 25;

/// Takes a bit for each of the `count` coefficients in `passed`; set bits add `one` to the size of those that are kept.
#[inline(always)]
fn correct(
    bits: &mut Bits,
    buffer: &Buffer,
    block: &mut Block<'_>,
    mut passed: u64,
    mut count: u32,
    one: i16,
) {
    while passed.trailing_zeros() <= block.last {
        if count > SURE {
            bits.refill(buffer);
        }
        let add = if bits.number(1) == 1 { one } else { 0 };
        if let Some(place) = block.place(passed.trailing_zeros())
            && *place & one == 0
        {
            *place = if *place < 0 { place.wrapping_sub(add) } else { place.wrapping_add(add) };
        }
        passed &= passed.wrapping_sub(1);
        count -= 1;
    }
    if count > SURE {
        bits.refill(buffer);
        bits.take(count - SURE);
        bits.refill(buffer);
        count = SURE;
    }
    bits.take(count);
}
