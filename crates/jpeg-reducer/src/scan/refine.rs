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
    // Those of the band that were not 0, without what is passed.
    let mut set = history & band.mask();
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
        let run = entry.advance() - 1;
        // The run counts coefficients that were 0. Mostly there is no other on the way, and nothing to be counted.
        let mut target = next + run;
        let is_straight = set & through(target) == 0;
        if !is_straight {
            target = behind(!history & band.mask() & (u64::MAX << next), run);
        }
        if target >= end {
            return Err(Fault::Run);
        }
        if !is_straight {
            let passed = set & through(target);
            correct(bits, buffer, &mut block, passed, target - next - run, one);
            set ^= passed;
        }
        next = target;
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

/// The coefficients up to `last`, which is less than 128.
#[inline(always)]
const fn through(last: u32) -> u64 {
    if last >= 63 { u64::MAX } else { (2 << last) - 1 }
}

/// Steps of [`behind`] that are always taken.
const FORESEEN: u32 = 3;

/// The one of the `zeros` before which there are `run` others; 64 if there are not so many.
#[inline(always)]
fn behind(mut zeros: u64, run: u32) -> u32 {
    // Runs are short, and how short cannot be foreseen: the first steps are taken without a branch.
    for step in 0..FORESEEN {
        zeros = if step < run { zeros & zeros.wrapping_sub(1) } else { zeros };
    }
    for _ in FORESEEN..run {
        zeros &= zeros.wrapping_sub(1);
    }
    zeros.trailing_zeros()
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
