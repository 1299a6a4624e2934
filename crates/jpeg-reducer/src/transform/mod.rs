//! From coefficients to samples: inverse transforms of 1 to 6 points, and of 8, in either direction.
//!
//! All work is done on eight blocks at once, one in each lane of a vector; the compiler finds the instructions.

mod points;
mod tile;

pub(crate) use tile::{Tile, transform};

/// Blocks that are transformed together.
pub(crate) const LANES: usize = 8;

/// One coefficient of eight blocks.
pub(crate) type Lanes = [i16; LANES];

/// The slot of a coefficient that is not needed.
pub(crate) const OUTSIDE: u8 = 64;

/// For each index of the zigzag order (ITU-T T.81, figure A.6): column and row.
const ZIGZAG: [(u8, u8); 64] = {
    let mut order = [(0, 0); 64];
    let mut rest: &mut [(u8, u8)] = &mut order;
    let (mut column, mut row) = (0_u8, 0_u8);
    while let [place, after @ ..] = rest {
        *place = (column, row);
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

/// Where the coefficients of a block go of which `wide` columns and `high` rows are kept, row by row; and the last one
/// in zigzag order that is kept.
pub(crate) fn slots(wide: usize, high: usize) -> ([u8; 64], u32) {
    let (mut slots, mut last) = ([OUTSIDE; 64], 0);
    for ((slot, (column, row)), k) in slots.iter_mut().zip(ZIGZAG).zip(0..) {
        if usize::from(column) < wide && usize::from(row) < high {
            *slot = row * wide as u8 + column;
            last = k;
        }
    }
    (slots, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zigzag_is_that_of_the_standard() {
        let natural: Vec<_> = ZIGZAG.iter().map(|(column, row)| row * 8 + column).collect();
        assert_eq!(natural[..16], [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5]);
        assert_eq!(natural[32..40], [35, 42, 49, 56, 57, 50, 43, 36]);
        assert_eq!(natural[60..], [47, 55, 62, 63]);
    }

    #[test]
    fn a_small_corner_needs_few_coefficients() {
        let (slots_of_four, last) = slots(2, 2);
        assert_eq!(last, 4);
        assert_eq!(slots_of_four[..5], [0, 1, 2, OUTSIDE, 3]);
        assert_eq!(slots(1, 1).1, 0);
        assert_eq!(slots(3, 3).1, 12);
        assert_eq!(slots(4, 4).1, 24);
        assert_eq!(slots(4, 2).1, 13);
        assert_eq!(slots(8, 8).1, 63);
    }
}
