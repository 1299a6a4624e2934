//! Sequential scans: MCU after MCU, eight at a time, so that their blocks can be transformed together.

use super::ScanHeader;
use super::block::{Codes, Fault, read};
use crate::entropy::Reader;
use crate::error::Error;
use crate::huffman::DcTable;
use crate::output::{ComponentPlan, Plan};
use crate::tables::{AcCode, Tables};
use crate::transform::{LANES, Tile};
use std::rc::Rc;

/// A component's part in the scan.
pub(crate) struct Part {
    /// Which of the frame's components.
    pub(crate) component: usize,
    /// Blocks of an MCU, across and down; also the tiles of a group of MCUs.
    pub(crate) h: usize,
    pub(crate) v: usize,
    /// Row by row.
    pub(crate) tiles: Vec<Tile>,
    dc: Rc<DcTable>,
    ac: AcCode,
    slots: [u8; 64],
    last: u32,
    kept: usize,
    predicted: i16,
}

/// A scan of which all bits of all coefficients of some components are read.
pub(crate) struct SequentialScan<'a> {
    reader: Reader<'a>,
    pub(crate) parts: Vec<Part>,
    /// MCUs of the scan, across and down.
    pub(crate) mcus: (usize, usize),
}

impl<'a> SequentialScan<'a> {
    /// The scan whose data begins at `position` of `file`.
    pub(crate) fn new(
        file: &'a [u8],
        position: usize,
        header: &ScanHeader,
        plan: &Plan,
        tables: &mut Tables,
    ) -> Result<Self, Error> {
        let mut parts = Vec::with_capacity(header.selectors.len());
        let mut mcus = plan.mcus;
        for selector in &header.selectors {
            let Some(component) = plan.components.get(selector.component) else { continue };
            let (Some(dc), Some(ac)) = (tables.dc_of(selector.dc), tables.ac_of(selector.ac)) else {
                return Err(Error::corrupt(
                    header.position,
                    "a scan needs a Huffman table that is not there",
                ));
            };
            let mut part = Part::new(selector.component, component, dc, ac);
            if header.selectors.len() == 1 {
                // A component that is alone has one block in an MCU, and no padding (A.2.2).
                mcus = component.blocks;
                (part.h, part.v) = (1, 1);
            }
            part.tiles = vec![Tile::new(); part.h * part.v];
            parts.push(part);
        }
        Ok(Self { reader: Reader::new(file, position, tables.restart_interval), parts, mcus })
    }

    /// Groups of MCUs in a row.
    pub(crate) const fn groups(&self) -> usize {
        self.mcus.0.div_ceil(LANES)
    }

    /// Sets all coefficients of the tiles to 0.
    pub(crate) fn clear(&mut self) {
        for part in &mut self.parts {
            part.tiles.iter_mut().for_each(|tile| tile.clear(part.kept));
        }
    }

    /// Reads the next group, the one of this number in its row, into the tiles. After an error, what was not read is 0.
    pub(crate) fn read_group(&mut self, group: usize) -> Result<(), Error> {
        self.clear();
        for mcu in 0..LANES.min(self.mcus.0 - group * LANES) {
            if self.reader.begin_mcu()? {
                self.parts.iter_mut().for_each(|part| part.predicted = 0);
            }
            for part in &mut self.parts {
                part.read_mcu(&mut self.reader, mcu).map_err(|fault| match fault {
                    Fault::Code => self.reader.explain(),
                    Fault::Run => self.reader.corrupt("a block has more than 64 coefficients"),
                })?;
            }
        }
        Ok(())
    }

    /// Looks at what is left after the last MCU; see [`Reader::finish`].
    pub(crate) fn finish(self) -> Result<usize, Error> {
        self.reader.finish()
    }
}

impl Part {
    fn new(component: usize, plan: &ComponentPlan, dc: Rc<DcTable>, ac: AcCode) -> Self {
        Self {
            component,
            h: plan.h,
            v: plan.v,
            tiles: Vec::new(),
            dc,
            ac,
            slots: plan.slots,
            last: plan.last,
            kept: plan.kept(),
            predicted: 0,
        }
    }

    fn read_mcu(&mut self, reader: &mut Reader<'_>, mcu: usize) -> Result<(), Fault> {
        let codes = Codes {
            dc: &self.dc,
            ac: &self.ac.table,
            skip: &self.ac.skip,
            slots: &self.slots,
            last: self.last,
        };
        let (bits, buffer) = reader.parts();
        for row in 0..self.v {
            for block in mcu * self.h..(mcu + 1) * self.h {
                if let Some(tile) = self.tiles.get_mut(row * self.h + block / LANES) {
                    read(bits, buffer, codes, tile, block % LANES, &mut self.predicted)?;
                }
            }
        }
        Ok(())
    }
}
