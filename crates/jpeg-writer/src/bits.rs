//! Codes, one behind the other.

use crate::huffman::Code;
use crate::symbols::{SYMBOLS, Symbol, TABLES};

/// Writes bits, the first ones highest, with a byte 00 behind each byte FF (F.1.2.3).
struct Bits<'f> {
    file: &'f mut Vec<u8>,
    /// The last `count` bits of it wait; those before them are written.
    waiting: u64,
    count: u32,
}

impl Bits<'_> {
    /// Up to 32 bits.
    #[inline(always)]
    fn put(&mut self, bits: u64, count: u32) {
        self.waiting = self.waiting << count | bits;
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            self.write((self.waiting >> self.count) as u32);
        }
    }

    #[inline(always)]
    fn write(&mut self, word: u32) {
        let bytes = word.to_be_bytes();
        // Whether a byte is FF: whether its opposite is 0.
        if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
            self.file.extend_from_slice(&bytes);
        } else {
            bytes.iter().for_each(|byte| stuffed(self.file, *byte));
        }
    }

    /// Ones fill up the last byte.
    fn finish(mut self) {
        let missing = self.count.next_multiple_of(8) - self.count;
        self.put((1 << missing) - 1, missing);
        for at in (0..self.count / 8).rev() {
            stuffed(self.file, (self.waiting >> (8 * at)) as u8);
        }
    }
}

fn stuffed(file: &mut Vec<u8>, byte: u8) {
    file.push(byte);
    if byte == 0xff {
        file.push(0);
    }
}

/// Writes the codes of symbols, each with the bits that follow it.
pub(crate) fn write(symbols: &[Symbol], codes: &[[Code; SYMBOLS]; TABLES], file: &mut Vec<u8>) {
    let codes = codes.as_flattened();
    let mut bits = Bits { file, waiting: 0, count: 0 };
    for symbol in symbols {
        let code = codes.get(usize::from(symbol.number)).copied().unwrap_or_default();
        let size = u32::from(symbol.number & 15);
        bits.put(u64::from(code.bits) << size | u64::from(symbol.bits), u32::from(code.length) + size);
    }
    bits.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bits: &[(u64, u32)]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = Bits { file: &mut file, waiting: 0, count: 0 };
        bits.iter().for_each(|(bits, count)| writer.put(*bits, *count));
        writer.finish();
        file
    }

    #[test]
    fn bits_are_filled_up_with_ones_and_bytes_stuffed() {
        assert_eq!(written(&[]), []);
        assert_eq!(written(&[(0, 1)]), [0x7f]);
        assert_eq!(written(&[(0b101, 3), (0b00110, 5)]), [0b1010_0110]);
        assert_eq!(written(&[(0xff, 8)]), [0xff, 0]);
        assert_eq!(written(&[(0x12ff_fe34, 32), (0xff, 8)]), [0x12, 0xff, 0, 0xfe, 0x34, 0xff, 0]);
        assert_eq!(written(&[(1, 30), (0x3ff_ffff, 26)]), [0, 0, 0, 7, 0xff, 0, 0xff, 0, 0xff, 0]);
    }
}
