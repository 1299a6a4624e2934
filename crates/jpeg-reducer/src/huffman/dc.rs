//! DC differences: code and value in one look-up.

use super::{BadCode, Canonical, extended};

/// Bits of look-ahead.
const BITS: u32 = 10;

/// A code for DC differences (ITU-T T.81, F.2.2.1).
#[derive(Debug, Clone)]
pub(crate) struct DcTable {
    /// The value in the upper half, the length of code and value in the lower; 0 where the look-ahead is too short.
    entries: Box<[u32; 1 << BITS]>,
    code: Canonical,
}

impl DcTable {
    /// The table of `code`. A difference of more than 15 bits is a [`BadCode`] where it is met.
    pub(crate) fn new(code: &Canonical) -> Self {
        let mut entries = Box::new([0; 1 << BITS]);
        for (led, symbol, length) in code.short(BITS) {
            let size = u32::from(symbol);
            if length + size <= BITS {
                let entries = entries.get_mut(led.clone()).unwrap_or_default();
                for (ahead, entry) in (led.start as u64..).zip(entries) {
                    let value = extended(ahead << (64 - BITS) << length, size);
                    *entry = (value as u32) << 16 | (length + size);
                }
            }
        }
        Self { entries, code: code.clone() }
    }

    /// The difference whose code leads `bits`, and how many bits it takes: 31 at most.
    #[inline(always)]
    pub(crate) fn difference(&self, bits: u64) -> Result<(i32, u32), BadCode> {
        let entry = self.entries.get((bits >> (64 - BITS)) as usize).copied().unwrap_or_default();
        if entry == 0 { slow(&self.code, bits) } else { Ok((entry as i32 >> 16, entry & 0xff)) }
    }
}

#[cold]
fn slow(code: &Canonical, bits: u64) -> Result<(i32, u32), BadCode> {
    let (symbol, length) = code.symbol(bits)?;
    let size = u32::from(symbol);
    if size > 15 {
        return Err(BadCode);
    }
    Ok((extended(bits << length, size), length + size))
}

#[cfg(test)]
mod tests {
    use super::super::standard;
    use super::*;

    #[test]
    fn short_and_long_differences_are_read() {
        let table = DcTable::new(&standard::dc(0));
        // Category 2 has the code 011; category 11 the code 111111110.
        assert_eq!(table.difference(0b0_1110 << 59), Ok((2, 5)));
        assert_eq!(table.difference(0b0_1100 << 59), Ok((-3, 5)));
        assert_eq!(table.difference(0b1111_1111_0100_0000_0001 << 44), Ok((1025, 20)));
        assert_eq!(table.difference(0), Ok((0, 2)));
        assert_eq!(table.difference(u64::MAX), Err(BadCode));
    }
}
