//! AC coefficients: run and value in one look-up.

use super::{BadCode, Canonical, extended};

/// Bits of look-ahead.
const BITS: u32 = 10;

/// What a code stands for, together with the bits behind it, packed for the look-up: the length of both in bits 0
/// to 7, the advance in bits 8 to 15, the value in bits 16 to 31.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AcEntry(u32);

impl AcEntry {
    /// The advance of "end of block": it leads out of any band, and tells by how far.
    pub(crate) const END: u32 = 128;
    /// The advance of an entry that the look-ahead is too short for: farther out than any other.
    const LONG: u32 = 255;

    const fn new(length: u32, advance: u32, value: i32) -> Self {
        Self(length | advance << 8 | (value as u32) << 16)
    }

    /// An entry that is long, yet only for the value: the code is known, and stands where the value would.
    const fn half(symbol: u8, length: u32) -> Self {
        Self::new(0, Self::LONG, (symbol as i32) << 8 | length as i32)
    }

    /// How many bits code and value take: 31 at most. Only the lowest six bits count, as for a shift.
    #[inline(always)]
    pub(crate) const fn length(self) -> u32 {
        self.0 & 63
    }

    /// By how much the index of the next coefficient grows: the run of zeros and one for the value. Sixteen zeros are
    /// fifteen, and a value of zero.
    #[inline(always)]
    pub(crate) const fn advance(self) -> u32 {
        self.0 >> 8 & 0xff
    }

    /// The coefficient behind the zeros.
    #[inline(always)]
    pub(crate) const fn value(self) -> i32 {
        self.0 as i32 >> 16
    }

    /// Whether the entry stands for nothing: the code must be looked up by [`AcTable::long`].
    #[inline(always)]
    pub(crate) const fn is_long(self) -> bool {
        self.advance() == Self::LONG
    }
}

/// What the symbol behind a code is; `0xr0` with a run below 15 ends one or more blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    Entry(AcEntry),
    /// The end of so many blocks (G.1.2.2): 2 to this power, and as many as the bits behind the code tell.
    Ends {
        power: u32,
        length: u32,
    },
}

/// A code for AC coefficients (ITU-T T.81, F.2.2.2 and G.2.2).
#[derive(Debug, Clone)]
pub(crate) struct AcTable {
    entries: Box<[AcEntry; 1 << BITS]>,
    code: Canonical,
}

impl AcTable {
    pub(crate) fn new(code: &Canonical) -> Self {
        let mut entries = Box::new([AcEntry::new(0, AcEntry::LONG, 0); 1 << BITS]);
        for (led, symbol, length) in code.short(BITS) {
            let entries = entries.get_mut(led.clone()).unwrap_or_default();
            for (ahead, entry) in (led.start as u64..).zip(entries) {
                *entry = match of_symbol(symbol, length, ahead << (64 - BITS)) {
                    Symbol::Entry(short) if short.length() <= BITS => short,
                    _ => AcEntry::half(symbol, length),
                };
            }
        }
        Self { entries, code: code.clone() }
    }

    /// What leads `bits`, if it is short; else an entry that [is long](AcEntry::is_long).
    #[inline(always)]
    pub(crate) fn entry(&self, bits: u64) -> AcEntry {
        self.entries.get((bits >> (64 - BITS)) as usize).copied().unwrap_or(AcEntry(0))
    }

    /// What leads `bits`, however long.
    #[inline(never)]
    pub(crate) fn symbol(&self, bits: u64) -> Result<Symbol, BadCode> {
        let entry = self.entry(bits);
        let [.., length, symbol] = entry.0.to_le_bytes();
        if entry.is_long() && length > 0 {
            return Ok(of_symbol(symbol, u32::from(length), bits));
        }
        self.code.symbol(bits).map(|(symbol, length)| of_symbol(symbol, length, bits))
    }

    /// What leads `bits` in a sequential scan, where one symbol ends one block.
    #[inline(always)]
    pub(crate) fn long(&self, bits: u64) -> Result<AcEntry, BadCode> {
        match self.symbol(bits)? {
            Symbol::Entry(entry) => Ok(entry),
            Symbol::Ends { .. } => Err(BadCode),
        }
    }
}

/// What `symbol` stands for, whose code of `length` bits leads `bits`.
fn of_symbol(symbol: u8, length: u32, bits: u64) -> Symbol {
    let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
    match (run, size) {
        (0, 0) => Symbol::Entry(AcEntry::new(length, AcEntry::END, 0)),
        (1..=14, 0) => Symbol::Ends { power: run, length },
        _ => Symbol::Entry(AcEntry::new(length + size, run + 1, extended(bits << length, size))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::standard;
    use super::*;

    #[test]
    fn run_and_value_come_together() {
        let table = AcTable::new(&standard::ac(0));
        // 0/2 has the code 01, 3/1 the code 111010, end of block 1010, sixteen zeros 11111111001.
        let two = table.entry(0b01_11 << 60);
        assert_eq!((two.length(), two.advance(), two.value()), (4, 1, 3));
        let run = table.entry(0b111_0100 << 57);
        assert_eq!((run.length(), run.advance(), run.value()), (7, 4, -1));
        let end = table.entry(0b1010 << 60);
        assert_eq!((end.length(), end.advance()), (4, AcEntry::END));
        let zeros = 0b111_1111_1001 << 53;
        assert!(table.entry(zeros).is_long());
        let zeros = table.long(zeros).unwrap();
        assert_eq!((zeros.length(), zeros.advance(), zeros.value()), (11, 16, 0));
    }

    #[test]
    fn the_end_of_many_blocks_is_for_progressive_scans_only() {
        let mut counts = [0; 16];
        counts[1] = 1;
        let table = AcTable::new(&Canonical::new(&counts, &[0x30]).unwrap());
        assert!(table.entry(0).is_long());
        assert_eq!(table.symbol(0), Ok(Symbol::Ends { power: 3, length: 2 }));
        assert_eq!(table.long(0), Err(BadCode));
        assert_eq!(table.symbol(u64::MAX), Err(BadCode));
    }
}
