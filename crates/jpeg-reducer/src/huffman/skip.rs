//! Coefficients that nobody needs: many symbols in one look-up.

use super::Canonical;

/// Bits of look-ahead.
const BITS: u32 = 12;

/// For each look-ahead, as many whole symbols as begin in it, and what they amount to.
///
/// Of a coefficient that is not needed, only the length of its code and of the value behind it matter, and by how
/// much it advances the index. So an entry adds up those of all symbols whose *codes* lie in the look-ahead whole; the
/// value of the last one may reach beyond it, for its length is known. It stops at an "end of block", which is part
/// of it.
///
/// What it amounts to is true as long as the block does not end before the entry does: a block also ends, without a
/// symbol, with its last coefficient. Whether it did is seen from the index afterwards; see [`SkipTable::entry`].
#[derive(Debug, Clone)]
pub(crate) struct SkipTable {
    entries: Box<[u16; 1 << BITS]>,
}

impl SkipTable {
    /// Added to the advance of an entry that ends with "end of block".
    pub(crate) const END: u32 = 128;
    /// The advance of an entry without a symbol.
    pub(crate) const NONE: u32 = 255;

    pub(crate) fn new(code: &Canonical) -> Self {
        let mut single = Box::new([Single::default(); 1 << BITS]);
        for (led, symbol, length) in code.short(BITS) {
            let advance = match (symbol >> 4, symbol & 15) {
                (0, 0) => Self::END as u8,
                (1..=14, 0) => continue,
                (run, _) => run + 1,
            };
            let entry = Single { code: length as u8, both: length as u8 + (symbol & 15), advance };
            single.get_mut(led).unwrap_or_default().fill(entry);
        }
        let mut entries = Box::new([0; 1 << BITS]);
        for (ahead, entry) in entries.iter_mut().enumerate() {
            *entry = sum(single.as_slice(), ahead);
        }
        Self { entries }
    }

    /// The symbols that lead `bits`: their length (27 bits at most) in the lower byte, their advance above.
    ///
    /// With the index of the next coefficient added, an advance of up to the end of the band is true. From
    /// [`Self::END`] on, the block ended by a symbol, and the rest tells where; if that is beyond the last coefficient,
    /// it ended before, as it did if the index is between the two. [`Self::NONE`] exceeds them all.
    #[inline(always)]
    pub(crate) fn entry(&self, bits: u64) -> u32 {
        self.entries.get((bits >> (64 - BITS)) as usize).copied().unwrap_or_default().into()
    }
}

/// One symbol: the length of its code, that of code and value, and its advance. None has no length.
#[derive(Debug, Clone, Copy, Default)]
struct Single {
    code: u8,
    both: u8,
    advance: u8,
}

/// Adds up the symbols from `ahead` on.
fn sum(single: &[Single], ahead: usize) -> u16 {
    let (mut length, mut advance) = (0, 0);
    while length < BITS {
        let rest = ahead << length & ((1 << BITS) - 1);
        let Some(Single { code: code @ 1.., both, advance: by }) = single.get(rest).copied() else { break };
        let (code, both, by) = (u32::from(code), u32::from(both), u32::from(by));
        let inside = length + code <= BITS;
        let room = by == SkipTable::END || advance + by < 64;
        if !inside || !room {
            break;
        }
        (length, advance) = (length + both, advance + by);
        if by == SkipTable::END {
            break;
        }
    }
    if length == 0 {
        advance = SkipTable::NONE;
    }
    (length | advance << 8) as u16
}

#[cfg(test)]
mod tests {
    use super::super::standard;
    use super::*;

    /// Length and advance.
    fn parts(table: &SkipTable, bits: u64) -> (u32, u32) {
        let entry = table.entry(bits);
        (entry & 0xff, entry >> 8)
    }

    #[test]
    fn symbols_are_added_up_to_the_last_whole_code() {
        let entry = |bits| parts(&SkipTable::new(&standard::ac(0)), bits);
        // 0/1 (00 and a bit) three times, and the code 100 of 0/3, whose value is outside.
        assert_eq!(entry(0b000_001_000_100 << 52), (9 + 6, 4));
        // 0/2, 3/1 and an end of block that is cut off.
        assert_eq!(entry(0b0111_1110_1001 << 52), (11, 5));
        // 0/1, end of block; what follows is the next block's.
        assert_eq!(entry(0b0011_0100_0000 << 52), (7, SkipTable::END + 1));
    }

    #[test]
    fn a_code_longer_than_the_look_ahead_has_no_entry() {
        let entry = |bits| parts(&SkipTable::new(&standard::ac(0)), bits);
        assert_eq!(entry(0xff82 << 48), (0, SkipTable::NONE));
        assert_eq!(entry(u64::MAX), (0, SkipTable::NONE));
        assert_eq!(entry(0b1010 << 60), (4, SkipTable::END));
    }
}
