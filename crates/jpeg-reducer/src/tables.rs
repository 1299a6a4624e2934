//! The tables that segments define for the scans behind them (ITU-T T.81, B.2.4).

use crate::error::Error;
use crate::huffman::{AcTable, Canonical, DcTable, SkipTable, standard};
use crate::marker::{DHT, DQT, DRI, Segment};
use std::rc::Rc;

/// Multipliers of the coefficients, in zigzag order.
pub(crate) type Quantisation = [u16; 64];

/// An AC code as a scan reads it.
#[derive(Debug, Clone)]
pub(crate) struct AcCode {
    pub(crate) table: Rc<AcTable>,
    pub(crate) skip: Rc<SkipTable>,
}

/// What is defined at some place of the file.
#[derive(Debug)]
pub(crate) struct Tables {
    quantisation: [Option<Quantisation>; 4],
    dc: [Option<Slot<Rc<DcTable>>>; 4],
    ac: [Option<Slot<AcCode>>; 4],
    /// MCUs between restart markers; 0 for none.
    pub(crate) restart_interval: u32,
}

/// A code, and the tables for reading it: made when a scan first asks for them, since a file may define far more codes
/// than it uses, and making tables takes longer than reading their definition.
#[derive(Debug)]
struct Slot<T> {
    code: Canonical,
    made: Option<T>,
}

impl<T: Clone> Slot<T> {
    const fn new(code: Canonical) -> Self {
        Self { code, made: None }
    }

    fn get(&mut self, make: impl FnOnce(&Canonical) -> T) -> T {
        self.made.get_or_insert_with(|| make(&self.code)).clone()
    }
}

impl Default for Tables {
    /// What holds before anything is defined: the usual codes, on which the pictures of cameras that film rely.
    fn default() -> Self {
        let (mut dc, mut ac) = (standard::all_dc().map(Slot::new), standard::all_ac().map(Slot::new));
        Self {
            quantisation: [None; 4],
            dc: [dc.next(), dc.next(), None, None],
            ac: [ac.next(), ac.next(), None, None],
            restart_interval: 0,
        }
    }
}

impl Tables {
    /// Takes note of a segment, if it defines tables.
    pub(crate) fn note(&mut self, segment: Segment<'_>) -> Result<(), Error> {
        let (what, noted) = match segment.code {
            DQT => ("a quantisation table is wrong", self.quantisation(segment.payload)),
            DHT => ("a Huffman table is wrong", self.huffman(segment.payload)),
            DRI => ("the restart interval is cut short", self.restarts(segment.payload)),
            _ => return Ok(()),
        };
        noted.ok_or(Error::corrupt(segment.position, what))
    }

    fn quantisation(&mut self, mut rest: &[u8]) -> Option<()> {
        while let Some((what, after)) = rest.split_first() {
            let slot = self.quantisation.get_mut(usize::from(what & 15))?;
            let size = match what >> 4 {
                0 => 1,
                1 => 2,
                _ => return None,
            };
            let (values, after) = after.split_at_checked(64 * size)?;
            let mut table = [0; 64];
            for (entry, bytes) in table.iter_mut().zip(values.chunks_exact(size)) {
                *entry = bytes.iter().fold(0, |value, byte| value << 8 | u16::from(*byte));
            }
            *slot = Some(table);
            rest = after;
        }
        Some(())
    }

    fn huffman(&mut self, mut rest: &[u8]) -> Option<()> {
        while let Some((what, after)) = rest.split_first() {
            let (counts, after) = after.split_first_chunk::<16>()?;
            let (symbols, after) =
                after.split_at_checked(counts.iter().map(|count| usize::from(*count)).sum())?;
            let code = Canonical::new(counts, symbols)?;
            let which = usize::from(what & 15);
            match what >> 4 {
                0 => *self.dc.get_mut(which)? = Some(Slot::new(code)),
                1 => *self.ac.get_mut(which)? = Some(Slot::new(code)),
                _ => return None,
            }
            rest = after;
        }
        Some(())
    }

    fn restarts(&mut self, payload: &[u8]) -> Option<()> {
        self.restart_interval = u32::from(u16::from_be_bytes(*payload.first_chunk()?));
        Some(())
    }

    pub(crate) fn quantisation_of(&self, which: u8) -> Option<Quantisation> {
        *self.quantisation.get(usize::from(which))?
    }

    pub(crate) fn dc_of(&mut self, which: u8) -> Option<Rc<DcTable>> {
        let slot = self.dc.get_mut(usize::from(which))?.as_mut()?;
        Some(slot.get(|code| Rc::new(DcTable::new(code))))
    }

    pub(crate) fn ac_of(&mut self, which: u8) -> Option<AcCode> {
        let slot = self.ac.get_mut(usize::from(which))?.as_mut()?;
        Some(
            slot.get(|code| AcCode {
                table: Rc::new(AcTable::new(code)),
                skip: Rc::new(SkipTable::new(code)),
            }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(tables: &mut Tables, code: u8, payload: &[u8]) -> Result<(), Error> {
        tables.note(Segment { code, payload, position: 9 })
    }

    #[test]
    fn quantisation_tables_have_one_or_two_bytes_a_value() {
        let mut tables = Tables::default();
        let both = [&[0x01][..], &[3; 64], &[0x12], &[1, 2].repeat(64)].concat();
        note(&mut tables, DQT, &both).unwrap();
        assert_eq!(tables.quantisation_of(1), Some([3; 64]));
        assert_eq!(tables.quantisation_of(2), Some([258; 64]));
        assert_eq!(tables.quantisation_of(0), None);
        for wrong in [&[0x04][..], &[0x20], &both[..64]] {
            assert!(note(&mut tables, DQT, wrong).unwrap_err().is_damage());
        }
    }

    #[test]
    fn huffman_tables_are_filed_by_class_and_number() {
        let mut tables = Tables::default();
        let one = [&[0x13, 1][..], &[0; 15], &[0]].concat();
        note(&mut tables, DHT, &one).unwrap();
        assert!(tables.ac.iter().flatten().all(|slot| slot.made.is_none()), "nobody asked for it yet");
        assert!(tables.ac_of(3).is_some() && tables.ac_of(2).is_none() && tables.dc_of(3).is_none());
        for wrong in [&one[..17], &[&[0x23][..], &one[1..]].concat(), &[&[0x04][..], &one[1..]].concat()] {
            assert!(note(&mut tables, DHT, wrong).unwrap_err().is_damage());
        }
    }

    #[test]
    fn the_usual_codes_need_no_definition() {
        let mut tables = Tables::default();
        assert!(tables.dc_of(1).is_some() && tables.ac_of(1).is_some() && tables.ac_of(2).is_none());
    }

    #[test]
    fn the_restart_interval_has_two_bytes() {
        let mut tables = Tables::default();
        note(&mut tables, DRI, &[1, 4]).unwrap();
        assert_eq!(tables.restart_interval, 260);
        assert!(note(&mut tables, DRI, &[1]).is_err());
    }
}
