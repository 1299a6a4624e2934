//! By what coefficients are divided.

use crate::tile::LANES;
use crate::transform::FACTORS;

/// How close the encoded picture stays to the original, on the scale that libjpeg made common: 50 divides by the sample
/// tables of the standard (K.1), 100 by 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quality(u8);

impl Quality {
    /// From 1 to 100; what is outside becomes the nearer of these.
    #[must_use]
    pub const fn new(quality: u8) -> Self {
        match quality {
            0 => Self(1),
            1..=100 => Self(quality),
            _ => Self(100),
        }
    }
}

/// For each index of the zigzag order (figure A.6), where in a block the coefficient stands, row by row.
pub(crate) const ZIGZAG: [u8; 64] = {
    let mut order = [0; 64];
    let mut rest: &mut [u8] = &mut order;
    let (mut column, mut row) = (0_u8, 0_u8);
    while let [place, after @ ..] = rest {
        *place = row * 8 + column;
        rest = after;
        // Up and right where the sum is even, else down and left; along the edge where there is no way on.
        if (column + row).is_multiple_of(2) {
            match (column, row) {
                (7, _) => row += 1,
                (_, 0) => column += 1,
                _ => (column, row) = (column + 1, row - 1),
            }
        } else {
            match (column, row) {
                (_, 7) => column += 1,
                (0, _) => row += 1,
                _ => (column, row) = (column - 1, row + 1),
            }
        }
    }
    order
};

/// Table K.1, row by row.
const LUMINANCE: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, //
    12, 12, 14, 19, 26, 58, 60, 55, //
    14, 13, 16, 24, 40, 57, 69, 56, //
    14, 17, 22, 29, 51, 87, 80, 62, //
    18, 22, 37, 56, 68, 109, 103, 77, //
    24, 35, 55, 64, 81, 104, 113, 92, //
    49, 64, 78, 87, 103, 121, 120, 101, //
    72, 92, 95, 98, 112, 100, 103, 99,
];

/// The beginning of table K.2, by whose row and column: all others are 99.
const DIFFERENCES: [[u8; 4]; 4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]];

/// The divisors of a component, in zigzag order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Divisors(pub(crate) [u8; 64]);

impl Divisors {
    pub(crate) fn luminance(quality: Quality) -> Self {
        Self::scaled(quality, |at| LUMINANCE.get(at).copied().unwrap_or(99))
    }

    pub(crate) fn differences(quality: Quality) -> Self {
        Self::scaled(quality, |at| {
            DIFFERENCES.get(at / 8).and_then(|row| row.get(at % 8)).copied().unwrap_or(99)
        })
    }

    fn scaled(Quality(quality): Quality, sample: impl Fn(usize) -> u8) -> Self {
        let quality = u32::from(quality);
        let percent = if quality < 50 { 5_000 / quality } else { 200 - 2 * quality };
        Self(ZIGZAG.map(|at| {
            let scaled = (u32::from(sample(usize::from(at))) * percent + 50) / 100;
            scaled.clamp(1, 255) as u8
        }))
    }
}

/// How a coefficient is divided: half of the divisor is added, and the sum multiplied by the reciprocal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Division {
    half: u16,
    /// A fraction of 2^16, and how many bits to the left of where it should be.
    reciprocal: u16,
    bits: u32,
}

impl Division {
    /// For coefficients that [`crate::transform`] brought, both ways, `scale` times as large as they are; in zigzag order.
    pub(crate) fn all(Divisors(divisors): &Divisors, scale: f64) -> [Self; 64] {
        let mut divisions = [Self::default(); 64];
        for ((division, divisor), at) in divisions.iter_mut().zip(divisors).zip(ZIGZAG) {
            let factor = |at: u8| FACTORS.get(usize::from(at)).copied().unwrap_or(1.0);
            *division = Self::by(f64::from(*divisor) * scale * factor(at / 8) * factor(at % 8));
        }
        divisions
    }

    /// For a divisor of at least 1, which the scale of 16 makes of all, and less than 2^14.
    fn by(divisor: f64) -> Self {
        let bits = divisor.log2() as u32;
        let reciprocal = f64::from(65_536_u32 << bits) / divisor;
        Self {
            half: (divisor / 2.0).round() as u16,
            reciprocal: reciprocal.round().min(65_535.0) as u16,
            bits,
        }
    }

    /// The quotients, rounded.
    #[inline(always)]
    pub(crate) fn divide(self, coefficients: &[i16; LANES], quotients: &mut [i16; LANES]) {
        for (quotient, coefficient) in quotients.iter_mut().zip(coefficients) {
            let sign = coefficient >> 15;
            let size = ((coefficient ^ sign) - sign) as u16 + self.half;
            let rounded = ((u32::from(size) * u32::from(self.reciprocal)) >> 16) as u16 >> self.bits;
            *quotient = (rounded as i16 ^ sign) - sign;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zigzag_is_that_of_the_standard() {
        assert_eq!(ZIGZAG[..16], [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5]);
        assert_eq!(ZIGZAG[60..], [47, 55, 62, 63]);
    }

    #[test]
    fn quality_scales_the_tables() {
        let first = |quality| Divisors::luminance(Quality::new(quality)).0[..4].to_vec();
        assert_eq!(first(50), [16, 11, 12, 14]);
        assert_eq!(first(80), [6, 4, 5, 6]);
        assert_eq!(first(100), [1, 1, 1, 1]);
        assert_eq!(first(1), [255, 255, 255, 255]);
        assert_eq!(Divisors::differences(Quality::new(50)).0[..10], [17, 18, 18, 24, 21, 24, 47, 26, 26, 47]);
        assert_eq!((Quality::new(0), Quality::new(255)), (Quality::new(1), Quality::new(100)));
    }

    #[test]
    fn quotients_are_rounded() {
        for quality in [1, 30, 80, 100] {
            let divisors = Divisors::luminance(Quality::new(quality));
            let divisions = Division::all(&divisors, 16.0);
            for ((division, divisor), at) in divisions.iter().zip(divisors.0).zip(ZIGZAG) {
                let factor = FACTORS[usize::from(at / 8)] * FACTORS[usize::from(at % 8)];
                for coefficient in (-25_000..25_000_i16).step_by(77) {
                    let divisor = f64::from(divisor) * 16.0 * factor;
                    let due = f64::from(coefficient) / divisor;
                    let mut quotients = [0; LANES];
                    division.divide(&[coefficient; LANES], &mut quotients);
                    let [is, ..] = quotients;
                    // Half of the divisor is a whole number, and the reciprocal has sixteen bits.
                    let bound = 0.51 + 0.5 / divisor + due.abs() / 3e4;
                    assert!((f64::from(is) - due).abs() < bound, "{quality} {at}: {is}, not {due}");
                }
            }
        }
    }
}
