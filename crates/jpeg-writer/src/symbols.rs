//! From coefficients to symbols (F.1.2).

use crate::component::Component;
use crate::tile::{LANES, Tile};

/// Symbols of one kind and table: 256.
pub(crate) const SYMBOLS: usize = 256;

/// Kinds and tables of symbols: two tables, each for the first coefficient and for the others.
pub(crate) const TABLES: usize = 4;

/// The end of a block, and sixteen zeros.
const END: u16 = 0x00;
const SIXTEEN_ZEROS: u16 = 0xf0;

/// A symbol and the bits that follow its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// Its table times 256, and the symbol itself, whose last four bits tell how many bits follow.
    pub(crate) number: u16,
    /// These, and zeros before them.
    pub(crate) bits: u16,
}

/// The symbols of a picture, and how often there is each.
#[derive(Debug, Clone)]
pub(crate) struct Symbols {
    pub(crate) list: Vec<Symbol>,
    pub(crate) counts: [[u64; SYMBOLS]; TABLES],
}

impl Symbols {
    /// The symbols of a picture of so many MCUs, across and down.
    pub(crate) fn of(components: &[Component<'_>], (across, down): (usize, usize)) -> Self {
        let mut symbols = Self { list: Vec::new(), counts: [[0; SYMBOLS]; TABLES] };
        let mut before = [0; 3];
        let mut tiles: [[Vec<Tile>; 2]; 3] = Default::default();
        for row in 0..down {
            for (component, tiles) in components.iter().zip(&mut tiles) {
                for (part, tiles) in tiles.iter_mut().enumerate().take(component.sampling) {
                    tiles.clear();
                    tiles.extend(component.tiles(row * component.sampling + part, across));
                }
            }
            for mcu in 0..across {
                for ((component, tiles), before) in components.iter().zip(&tiles).zip(&mut before) {
                    for tiles in tiles.iter().take(component.sampling) {
                        for block in mcu * component.sampling..(mcu + 1) * component.sampling {
                            if let Some(tile) = tiles.get(block / LANES) {
                                symbols.add(tile, block % LANES, component.table, before);
                            }
                        }
                    }
                }
            }
        }
        symbols
    }

    /// Adds those of a block; `before` is the first coefficient of the one before.
    fn add(&mut self, tile: &Tile, block: usize, table: u8, before: &mut i16) {
        let (first, others) = (u16::from(table) << 9, u16::from(table) << 9 | 1 << 8);
        let level = tile.coefficient(0, block);
        self.add_one(Symbol::new(first, 0, level - *before));
        *before = level;
        let (mut mask, mut next) = (tile.mask(block) & !1, 1);
        while mask != 0 {
            let k = mask.trailing_zeros();
            mask &= mask - 1;
            let mut zeros = k - next;
            next = k + 1;
            while zeros >= 16 {
                self.add_one(Symbol { number: others | SIXTEEN_ZEROS, bits: 0 });
                zeros -= 16;
            }
            self.add_one(Symbol::new(others, zeros as u16, tile.coefficient(k, block)));
        }
        if next < 64 {
            self.add_one(Symbol { number: others | END, bits: 0 });
        }
    }

    #[inline(always)]
    fn add_one(&mut self, symbol: Symbol) {
        if let Some(count) = self.counts.as_flattened_mut().get_mut(usize::from(symbol.number)) {
            *count += 1;
        }
        self.list.push(symbol);
    }
}

impl Symbol {
    /// That of a number behind so many zeros: its length in bits, and the bits; of what is negative, one less (F.1.2.1).
    #[inline(always)]
    const fn new(table: u16, zeros: u16, number: i16) -> Self {
        let size = (16 - number.unsigned_abs().leading_zeros()) as u16;
        let bits = (number + (number >> 15)) as u16 & ((1 << size) - 1);
        Self { number: table | zeros << 4 | size, bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_coded_by_their_size() {
        let of = |number| {
            let Symbol { number, bits } = Symbol::new(0, 0, number);
            (number, bits)
        };
        assert_eq!([of(0), of(1), of(-1)], [(0, 0), (1, 1), (1, 0)]);
        assert_eq!([of(2), of(3), of(-2), of(-3)], [(2, 2), (2, 3), (2, 1), (2, 0)]);
        assert_eq!([of(2_047), of(-2_047)], [(11, 2_047), (11, 0)]);
        assert_eq!(Symbol::new(1 << 8, 15, -5), Symbol { number: 0x1f3, bits: 2 });
    }
}
