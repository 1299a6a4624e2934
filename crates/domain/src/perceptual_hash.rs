//! What a picture looks like, in 64 bits.

use std::fmt;

/// A perceptual hash: pictures that look alike have hashes that differ in few bits. Written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PerceptualHash(u64);

impl PerceptualHash {
    /// Bits of a hash.
    pub const BITS: u32 = u64::BITS;

    /// The hash of these bits.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// In how many bits two hashes differ (Hamming distance). Of unlike pictures it is about 32.
    #[must_use]
    pub const fn distance(self, other: Self) -> u32 {
        (self.0 ^ other.0).count_ones()
    }
}

impl fmt::Display for PerceptualHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::PerceptualHash;

    #[test]
    fn a_hash_has_sixteen_digits_and_a_distance() {
        let (zero, one) = (PerceptualHash::new(0), PerceptualHash::new(0x8000_0000_0000_0001));
        assert_eq!(zero.to_string(), "0000000000000000");
        assert_eq!(one.to_string(), "8000000000000001");
        assert_eq!((zero.distance(one), one.distance(one)), (2, 0));
    }
}
