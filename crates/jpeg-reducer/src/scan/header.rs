//! The scan header (ITU-T T.81, B.2.3).

use crate::error::Error;
use crate::frame::{Frame, Process};
use crate::marker::Segment;

/// The most blocks of an MCU in a scan of several components.
const MAX_BLOCKS_OF_MCU: u32 = 10;

/// A component's part in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selector {
    /// Which of the frame's components.
    pub(crate) component: usize,
    /// Which Huffman tables.
    pub(crate) dc: u8,
    pub(crate) ac: u8,
}

/// Which coefficients a scan brings, and which of their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Band {
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// The lowest bit sent before, or 0 in a first scan.
    pub(crate) high: u32,
    /// The lowest bit that this scan sends.
    pub(crate) low: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct ScanHeader {
    pub(crate) selectors: Vec<Selector>,
    pub(crate) band: Band,
    /// Where the header stands.
    pub(crate) position: usize,
}

impl Band {
    /// What a sequential scan brings. Some encoders are careless with these bytes, and no decoder needs them.
    const WHOLE: Self = Self { first: 0, last: 63, high: 0, low: 0 };

    pub(crate) const fn is_refinement(self) -> bool {
        self.high > 0
    }

    /// One bit for each coefficient.
    pub(crate) const fn mask(self) -> u64 {
        (u64::MAX >> (63 - (self.last & 63))) & (u64::MAX << self.first)
    }

    /// G.1.1.1.1 and G.1.1.1.2.
    fn check(self, components: usize) -> Result<(), &'static str> {
        let Self { first, last, high, low } = self;
        if first > last || last > 63 || low > 13 {
            Err("a scan names coefficients or bits that do not exist")
        } else if first == 0 && last > 0 {
            Err("a progressive scan mixes DC and AC coefficients")
        } else if first > 0 && components > 1 {
            Err("a scan has the AC coefficients of several components")
        } else if high > 0 && high != low + 1 {
            Err("a scan refines more than one bit")
        } else {
            Ok(())
        }
    }
}

impl ScanHeader {
    pub(crate) fn parse(segment: Segment<'_>, frame: &Frame) -> Result<Self, Error> {
        let position = segment.position;
        Self::read(segment, frame).map_err(|what| Error::corrupt(position, what))
    }

    fn read(segment: Segment<'_>, frame: &Frame) -> Result<Self, &'static str> {
        const SHORT: &str = "the scan header is too short";
        let (count, rest) = segment.payload.split_first().ok_or(SHORT)?;
        let (listed, rest) = rest.split_at_checked(2 * usize::from(*count)).ok_or(SHORT)?;
        let [first, last, bits, ..] = rest else { return Err(SHORT) };
        let band = if frame.process == Process::Progressive {
            let band = Band {
                first: u32::from(*first),
                last: u32::from(*last),
                high: u32::from(bits >> 4),
                low: u32::from(bits & 15),
            };
            band.check(usize::from(*count))?;
            band
        } else {
            Band::WHOLE
        };
        let selectors = selectors(listed, frame)?;
        let blocks: u32 = selectors
            .iter()
            .filter_map(|selector| frame.components.get(selector.component))
            .map(|component| component.h * component.v)
            .sum();
        if selectors.len() > 1 && blocks > MAX_BLOCKS_OF_MCU {
            return Err("a scan has more than ten blocks in an MCU");
        }
        Ok(Self { selectors, band, position: segment.position })
    }
}

fn selectors(listed: &[u8], frame: &Frame) -> Result<Vec<Selector>, &'static str> {
    let (listed, _) = listed.as_chunks::<2>();
    let mut next = 0;
    let mut selectors = Vec::with_capacity(4);
    for [id, tables] in listed {
        let found = frame.components.iter().skip(next).position(|component| component.id == *id);
        let Some(ahead) = found else {
            return Err("a scan names a component that is not there, or not in order");
        };
        let (dc, ac) = (tables >> 4, tables & 15);
        if dc > 3 || ac > 3 {
            return Err("a scan names an impossible table");
        }
        selectors.push(Selector { component: next + ahead, dc, ac });
        next += ahead + 1;
    }
    if selectors.is_empty() { Err("a scan has no components") } else { Ok(selectors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(code: u8, factors: &[u8], payload: &[u8]) -> Result<ScanHeader, Error> {
        let mut frame = vec![8, 0, 64, 0, 64, factors.len() as u8];
        (1..).zip(factors).for_each(|(id, factor)| frame.extend([id, *factor, 0]));
        let frame = Frame::parse(Segment { code, payload: &frame, position: 0 }).unwrap();
        ScanHeader::parse(Segment { code: 0xda, payload, position: 7 }, &frame)
    }

    #[test]
    fn a_sequential_scan_brings_everything_whatever_it_says() {
        let header = parse(0xc0, &[0x11, 0x11, 0x11], &[2, 1, 0x01, 3, 0x23, 5, 2, 0x77]).unwrap();
        assert_eq!(header.band, Band::WHOLE);
        assert_eq!(header.band.mask(), u64::MAX);
        assert_eq!(
            header.selectors,
            [Selector { component: 0, dc: 0, ac: 1 }, Selector { component: 2, dc: 2, ac: 3 }]
        );
    }

    #[test]
    fn a_progressive_scan_brings_a_band() {
        let band = parse(0xc2, &[0x11, 0x11, 0x11], &[1, 2, 0, 3, 5, 0x21]).unwrap().band;
        assert_eq!(band, Band { first: 3, last: 5, high: 2, low: 1 });
        assert!(band.is_refinement());
        assert_eq!(band.mask(), 0b11_1000);
    }

    #[test]
    fn impossible_bands_are_corrupt() {
        for [first, last, bits] in [[5, 4, 0], [1, 64, 0], [0, 63, 0], [0, 0, 0x20], [1, 5, 0x0e]] {
            assert!(parse(0xc2, &[0x11], &[1, 1, 0, first, last, bits]).is_err(), "{first} {last} {bits}");
        }
        assert!(
            parse(0xc2, &[0x11, 0x11, 0x11], &[2, 1, 0, 2, 0, 1, 63, 0]).is_err(),
            "AC of two components"
        );
    }

    #[test]
    fn an_mcu_has_at_most_ten_blocks() {
        let all = [4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0];
        assert!(parse(0xc0, &[0x22, 0x11, 0x11, 0x22], &all).is_ok());
        assert!(parse(0xc0, &[0x22, 0x21, 0x11, 0x22], &all).is_err());
        assert!(parse(0xc0, &[0x44, 0x11, 0x11], &[1, 1, 0, 0, 63, 0]).is_ok());
    }

    #[test]
    fn components_come_in_order_and_tables_are_four() {
        let of = |selectors: [u8; 4]| {
            parse(0xc0, &[0x11, 0x11, 0x11], &[&[2][..], &selectors, &[0, 63, 0]].concat())
        };
        assert!(of([1, 0, 3, 0]).is_ok());
        for wrong in [[3, 0, 1, 0], [1, 0, 1, 0], [1, 0, 4, 0], [1, 0x40, 2, 0], [1, 0x04, 2, 0]] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse(0xc0, &[0x11], &[0, 0, 63, 0]).is_err(), "no component");
        assert!(parse(0xc0, &[0x11], &[1, 1, 0, 0]).is_err(), "too short");
    }
}
