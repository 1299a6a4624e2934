//! Progressive scans (ITU-T T.81, annex G), of which the kept coefficients are stored.

use super::Store;
use super::block::{COEFFICIENTS, Fault, skip};
use super::header::{Band, Selector};
use super::refine::{Refinement, refine_block};
use super::store::StoredComponent;
use super::survey::SurveyedScan;
use crate::entropy::{Bits, Buffer, Reader};
use crate::error::Error;
use crate::huffman::{AcEntry, Symbol};
use crate::output::{ComponentPlan, Plan};
use crate::tables::{AcCode, Tables};
use crate::transform::{Lanes, OUTSIDE};

/// A scan being read.
pub(crate) struct ProgressiveScan<'a, 's> {
    reader: Reader<'a>,
    scan: &'s SurveyedScan,
    plan: &'s Plan,
    /// Blocks or MCUs, across and down.
    size: (usize, usize),
    /// The AC code, where one is needed.
    ac: Option<AcCode>,
    dc: Vec<std::rc::Rc<crate::huffman::DcTable>>,
    predicted: [i16; 4],
    /// How many blocks from here on have no code of their own.
    ended: u32,
}

impl<'a, 's> ProgressiveScan<'a, 's> {
    pub(crate) fn new(
        file: &'a [u8],
        scan: &'s SurveyedScan,
        plan: &'s Plan,
        tables: &mut Tables,
    ) -> Result<Self, Error> {
        let missing =
            || Error::corrupt(scan.header.position, "a scan needs a Huffman table that is not there");
        let selectors = scan.header.selectors.as_slice();
        let (mut ac, mut dc) = (None, Vec::new());
        match (scan.header.band, selectors) {
            (Band { first: 1.., .. }, [only, ..]) => ac = Some(tables.ac_of(only.ac).ok_or_else(missing)?),
            (Band { high: 0, .. }, all) => {
                for selector in all {
                    dc.push(tables.dc_of(selector.dc).ok_or_else(missing)?);
                }
            }
            _ => {}
        }
        let alone = if let [only] = selectors { plan.components.get(only.component) } else { None };
        Ok(Self {
            reader: Reader::new(file, scan.data, tables.restart_interval),
            scan,
            plan,
            size: alone.map_or(plan.mcus, |component| component.blocks),
            ac,
            dc,
            predicted: [0; 4],
            ended: 0,
        })
    }

    /// Rows of blocks or MCUs.
    pub(crate) const fn rows(&self) -> usize {
        self.size.1
    }

    /// Reads a row.
    pub(crate) fn read_row(&mut self, row: usize, store: &mut Store) -> Result<(), Error> {
        let scan = self.scan;
        match scan.header.selectors.as_slice() {
            [only] if scan.header.band.first > 0 => self.ac_row(row, *only, store),
            selectors => self.dc_row(row, selectors, store),
        }
    }

    /// Looks at what is left after the last MCU; see [`Reader::finish`].
    pub(crate) fn finish(self) -> Result<usize, Error> {
        if self.ended > 0 {
            return Err(self.reader.corrupt("a run of ended blocks goes beyond the last one"));
        }
        self.reader.finish()
    }

    fn begin_mcu(&mut self) -> Result<(), Error> {
        if self.reader.begin_mcu()? {
            if self.ended > 0 {
                return Err(self.reader.corrupt("a run of ended blocks goes beyond a restart marker"));
            }
            self.predicted = [0; 4];
        }
        Ok(())
    }

    fn explain(&self, fault: Fault) -> Error {
        match fault {
            Fault::Code => self.reader.explain(),
            Fault::Run => self.reader.corrupt("a scan has more coefficients than its band"),
        }
    }

    fn dc_row(&mut self, row: usize, selectors: &[Selector], store: &mut Store) -> Result<(), Error> {
        let alone = selectors.len() == 1;
        for mcu in 0..self.size.0 {
            self.begin_mcu()?;
            for (index, selector) in selectors.iter().enumerate() {
                let (Some(plan), Some(stored)) = (
                    self.plan.components.get(selector.component),
                    store.components.get_mut(selector.component),
                ) else {
                    continue;
                };
                let (h, v) = if alone { (1, 1) } else { (plan.h, plan.v) };
                for (x, y) in (0..v).flat_map(|y| (0..h).map(move |x| (x, y))) {
                    let (tile, lane, _) = stored.block(mcu * h + x, row * v + y);
                    let place = tile.first_mut().and_then(|plane| plane.get_mut(lane));
                    self.dc(index, place).map_err(|fault| self.explain(fault))?;
                }
            }
        }
        Ok(())
    }

    /// G.1.2.1, the DC coefficient of a block: its difference, or one more bit.
    fn dc(&mut self, index: usize, place: Option<&mut i16>) -> Result<(), Fault> {
        let low = self.scan.header.band.low;
        let (bits, buffer) = self.reader.parts();
        bits.refill(buffer);
        let (Some(table), Some(predicted)) = (self.dc.get(index), self.predicted.get_mut(index)) else {
            let bit = bits.number(1) as i16;
            if let Some(place) = place {
                *place |= bit << low;
            }
            return Ok(());
        };
        let (difference, length) = table.difference(bits.ahead())?;
        bits.take(length);
        *predicted = predicted.wrapping_add(difference as i16);
        if let Some(place) = place {
            *place = *predicted << low;
        }
        Ok(())
    }

    fn ac_row(&mut self, row: usize, selector: Selector, store: &mut Store) -> Result<(), Error> {
        let (Some(plan), Some(stored), Some(ac)) = (
            self.plan.components.get(selector.component),
            store.components.get_mut(selector.component),
            self.ac.clone(),
        ) else {
            return Ok(());
        };
        let band = self.scan.header.band;
        stored.last = stored.last.max(band.last.min(plan.last));
        for across in 0..self.size.0 {
            self.begin_mcu()?;
            let block = Block::new(stored, across, row, plan);
            let (bits, buffer) = self.reader.parts();
            let mut local = *bits;
            let read = if band.is_refinement() {
                let refinement = Refinement { table: &ac.table, band, ended: &mut self.ended };
                refine_block(&mut local, buffer, refinement, block)
            } else {
                first_of_block(&mut local, buffer, &ac, band, &mut self.ended, block)
            };
            *bits = local;
            read.map_err(|fault| self.explain(fault))?;
        }
        Ok(())
    }
}

/// Where the coefficients of a block go.
pub(super) struct Block<'s> {
    pub(super) tile: &'s mut [Lanes],
    pub(super) lane: usize,
    pub(super) mask: Option<&'s mut u64>,
    pub(super) slots: &'s [u8; 64],
    /// The last coefficient that is kept.
    pub(super) last: u32,
}

impl<'s> Block<'s> {
    #[inline(always)]
    fn new(stored: &'s mut StoredComponent, across: usize, down: usize, plan: &'s ComponentPlan) -> Self {
        let (tile, lane, mask) = stored.block(across, down);
        Self { tile, lane, mask, slots: &plan.slots, last: plan.last }
    }

    /// The place of the coefficient `k`, if it is kept.
    #[inline(always)]
    pub(super) fn place(&mut self, k: u32) -> Option<&mut i16> {
        let slot = *self.slots.get(k as usize)?;
        if slot == OUTSIDE {
            return None;
        }
        self.tile.get_mut(usize::from(slot))?.get_mut(self.lane)
    }
}

/// How many blocks end by a symbol `Ends`, this one included (G.1.2.2).
pub(super) fn ends(bits: &mut Bits, buffer: &Buffer, power: u32, length: u32) -> u32 {
    bits.take(length);
    bits.refill(buffer);
    (1 << power) + bits.number(power)
}

/// G.1.2.2, the AC coefficients of a block that no scan before brought.
#[inline(always)]
fn first_of_block(
    bits: &mut Bits,
    buffer: &Buffer,
    ac: &AcCode,
    band: Band,
    ended: &mut u32,
    mut block: Block<'_>,
) -> Result<(), Fault> {
    if *ended > 0 {
        *ended -= 1;
        return Ok(());
    }
    let (mut next, end) = (band.first, band.last + 1);
    while next < end {
        if next > block.last && block.mask.is_none() {
            return skip(bits, buffer, &ac.skip, next, end, |bits, next| {
                let after = next + symbol(bits, buffer, ac, ended)?.map_or(AcEntry::END, AcEntry::advance);
                within(after, end)
            });
        }
        bits.refill(buffer);
        let Some(entry) = symbol(bits, buffer, ac, ended)? else { return Ok(()) };
        let after = next + entry.advance();
        if after > end {
            return within(after, end).map(|_| ());
        }
        if let Some(mask) = &mut block.mask
            && entry.value() != 0
        {
            **mask |= 1 << (after - 1);
        }
        if let Some(place) = block.place(after - 1) {
            *place = (entry.value() << band.low) as i16;
        }
        next = after;
    }
    Ok(())
}

/// The next coefficient, or `end` if a symbol ended the block; behind it, there is none.
const fn within(after: u32, end: u32) -> Result<u32, Fault> {
    if after <= end {
        Ok(after)
    } else if after > COEFFICIENTS + 16 {
        Ok(end)
    } else {
        Err(Fault::Run)
    }
}

/// Takes the next symbol; `None` if it ends this block, and maybe others.
#[inline(always)]
fn symbol(bits: &mut Bits, buffer: &Buffer, ac: &AcCode, ended: &mut u32) -> Result<Option<AcEntry>, Fault> {
    let mut entry = ac.table.entry(bits.ahead());
    if entry.is_long() {
        match ac.table.symbol(bits.ahead())? {
            Symbol::Entry(long) => entry = long,
            Symbol::Ends { power, length } => {
                *ended = ends(bits, buffer, power, length) - 1;
                return Ok(None);
            }
        }
    }
    bits.take(entry.length());
    Ok(Some(entry))
}
