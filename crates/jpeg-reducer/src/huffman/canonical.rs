//! The canonical code that a DHT segment lists.

use super::BadCode;
use std::ops::Range;

/// A code by its lengths: slow, but for codes of any length.
#[derive(Debug, Clone)]
pub(crate) struct Canonical {
    /// For each length from 1 to 16: the first 16 bits of look-ahead that belong to a longer code.
    limits: [u32; 16],
    /// For each length: what to add to a code to have the index of its symbol.
    offsets: [i32; 16],
    symbols: [u8; 256],
}

impl Canonical {
    /// The code with `counts` codes of each length from 1 to 16, which stand for `symbols` in turn (C.2). `None` if
    /// there are no such codes. The one of ones only is none (C.2): data that ends is recognised by it.
    pub(crate) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut code = Self { limits: [0; 16], offsets: [0; 16], symbols: [0; 256] };
        code.symbols.get_mut(..symbols.len())?.copy_from_slice(symbols);
        let (mut next, mut index) = (0_u32, 0_i32);
        let lengths = code.limits.iter_mut().zip(&mut code.offsets).zip(counts).zip(1_u32..);
        for (((limit, offset), count), length) in lengths {
            *offset = index - i32::try_from(next).ok()?;
            next += u32::from(*count);
            index += i32::from(*count);
            if next >= 1 << length && *count > 0 {
                return None;
            }
            *limit = next << (16 - length);
            next <<= 1;
        }
        (usize::try_from(index) == Ok(symbols.len())).then_some(code)
    }

    /// The codes of up to `bits` bits, in order: which look-aheads of so many bits each of them leads, its symbol, and its
    /// length.
    pub(crate) fn short(&self, bits: u32) -> impl Iterator<Item = (Range<usize>, u8, u32)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            // No code leads the last look-ahead, the one of ones only, if it is not longer than that.
            let (symbol, length) = self.symbol((next as u64) << (64 - bits)).ok()?;
            let led = next..next + (1 << bits.checked_sub(length)?);
            next = led.end;
            Some((led, symbol, length))
        })
    }

    /// The symbol whose code leads `bits`, and the length of the code.
    pub(crate) fn symbol(&self, bits: u64) -> Result<(u8, u32), BadCode> {
        let ahead = (bits >> 48) as u32;
        let ((_, offset), length) = self
            .limits
            .iter()
            .zip(&self.offsets)
            .zip(1_u32..)
            .find(|((limit, _), _)| ahead < **limit)
            .ok_or(BadCode)?;
        let index = (ahead >> (16 - length)).wrapping_add_signed(*offset);
        self.symbols.get(index as usize).map(|symbol| (*symbol, length)).ok_or(BadCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(short: &[u8]) -> [u8; 16] {
        let mut counts = [0; 16];
        counts[..short.len()].copy_from_slice(short);
        counts
    }

    #[test]
    fn codes_are_numbered_from_short_to_long() {
        let code = Canonical::new(&counts(&[0, 2, 1, 1]), &[7, 8, 9, 10]).unwrap();
        let at = |bits: u64, length: u32| code.symbol(bits << (64 - length));
        assert_eq!(at(0b00, 2), Ok((7, 2)));
        assert_eq!(at(0b01, 2), Ok((8, 2)));
        assert_eq!(at(0b100, 3), Ok((9, 3)));
        assert_eq!(at(0b1010, 4), Ok((10, 4)));
        assert_eq!(at(0b1011, 4), Err(BadCode));
        assert_eq!(code.symbol(u64::MAX), Err(BadCode));
    }

    #[test]
    fn short_codes_lead_what_the_search_says() {
        let code = Canonical::new(&counts(&[0, 1, 2, 1, 3]), &[7, 8, 9, 10, 11, 12, 13]).unwrap();
        for bits in 1..10 {
            let mut led = vec![None; 1 << bits];
            for (range, symbol, length) in code.short(bits) {
                led[range].fill(Some((symbol, length)));
            }
            for (ahead, led) in (0_u64..).zip(led) {
                let due = code.symbol(ahead << (64 - bits)).ok().filter(|(_, length)| *length <= bits);
                assert_eq!(led, due, "{ahead:b} of {bits} bits");
            }
        }
    }

    #[test]
    fn impossible_codes_are_refused() {
        assert!(Canonical::new(&counts(&[3]), &[1, 2, 3]).is_none(), "too many of a length");
        assert!(Canonical::new(&counts(&[2]), &[1, 2]).is_none(), "a code of ones only");
        assert!(Canonical::new(&counts(&[1, 1]), &[1]).is_none(), "a symbol is missing");
        assert!(Canonical::new(&counts(&[0, 1]), &[1]).is_some());
    }
}
