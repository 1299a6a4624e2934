//! One decoding: through the segments and scans of a picture.

use crate::decoder::Decoder;
use crate::error::Error;
use crate::frame::Process;
use crate::marker::{SOS, Segments};
use crate::options::{Damage, Options};
use crate::output::{Plan, Strips, Take};
use crate::scan::{ProgressiveScan, ScanHeader, SequentialScan, Store, Survey};
use crate::tables::Tables;

pub(crate) struct Run<'r, 't> {
    decoder: &'r Decoder<'r>,
    options: &'r Options<'r>,
    take: Take<'t>,
    plan: Plan,
    tables: Tables,
}

impl<'r, 't> Run<'r, 't> {
    pub(crate) fn new(decoder: &'r Decoder<'r>, options: &'r Options<'r>, take: Take<'t>) -> Self {
        let plan = match take {
            Take::Pixels(_) => Plan::new(&decoder.frame, options.reduction),
            Take::Planes(_) => Plan::planar(&decoder.frame, options.reduction),
        };
        Self { decoder, options, take, plan, tables: Tables::default() }
    }

    /// Decodes the picture. Returns the damage that was met.
    pub(crate) fn picture(mut self) -> Result<Option<Error>, Error> {
        if self.decoder.info().is_single_scan { self.strips_of_scan() } else { self.stored() }
    }

    fn check_interrupted(&self) -> Result<(), Error> {
        if (self.options.interrupted)() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Takes note of the tables from `position` on, up to the next scan; returns where its data begins. Its work is
    /// bounded by the length of the file.
    fn read_tables(&mut self, position: usize) -> Result<usize, Error> {
        let mut segments = Segments::new(self.decoder.file, position);
        while let Some(segment) = segments.next() {
            if segment.code == SOS {
                return Ok(segments.position);
            }
            self.tables.note(segment)?;
        }
        Err(Error::Truncated { position: self.decoder.file.len() })
    }

    /// Tells `strips` the quantisation of the components of a scan, as it is defined now.
    fn latch(&self, header: &ScanHeader, strips: &mut Latches) -> Result<(), Error> {
        for selector in &header.selectors {
            let index = selector.component;
            let Some(component) = self.decoder.frame.components.get(index) else { continue };
            if let Some(latch @ None) = strips.get_mut(index) {
                let missing = Error::corrupt(header.position, "a quantisation table is missing");
                *latch = Some(self.tables.quantisation_of(component.quantisation).ok_or(missing)?);
            }
        }
        Ok(())
    }

    /// A picture of one scan: made strip by strip.
    fn strips_of_scan(&mut self) -> Result<Option<Error>, Error> {
        let plan = self.plan.clone();
        let mut strips = Strips::new(&plan, self.decoder.info().colour);
        let mut scan = self.single_scan(&plan, &mut strips)?;
        let mut damage = None;
        for _ in 0..plan.mcus.1 {
            self.check_interrupted()?;
            for group in 0..scan.groups() {
                if damage.is_none() {
                    damage = scan.read_group(group).err();
                } else {
                    scan.clear();
                }
                for part in &scan.parts {
                    let rows = part.tiles.chunks_exact(part.h).enumerate();
                    for (down, row) in rows {
                        for (across, tile) in row.iter().enumerate() {
                            let planes = tile.planes(64);
                            strips.put(part.component, [group * part.h + across, down], planes, tile.last);
                        }
                    }
                }
            }
            if damage.is_some() && self.options.damage == Damage::Refuse {
                return Ok(damage);
            }
            strips.finish_row(&mut self.take);
        }
        Ok(damage.or_else(|| scan.finish().err()))
    }

    fn single_scan(&mut self, plan: &Plan, strips: &mut Strips<'_>) -> Result<SequentialScan<'r>, Error> {
        let data = self.read_tables(2)?;
        let mut segments = Segments::new(self.decoder.file, self.decoder.first_scan);
        let Some(segment) = segments.next() else { return Err(Error::Truncated { position: data }) };
        let header = ScanHeader::parse(segment, &self.decoder.frame)?;
        let mut latches: Latches = [None; 4];
        self.latch(&header, &mut latches)?;
        set_quantisation(strips, &latches);
        SequentialScan::new(self.decoder.file, data, &header, plan, &mut self.tables)
    }

    /// A picture of several scans: their coefficients are stored, and made a picture at the end.
    fn stored(&mut self) -> Result<Option<Error>, Error> {
        let limits = &self.options.limits;
        let (file, frame) = (self.decoder.file, &self.decoder.frame);
        let mut survey = Survey::new(file, self.decoder.first_scan, frame, limits)?;
        if survey.damage.is_some() && self.options.damage == Damage::Refuse {
            return Ok(survey.damage);
        }
        survey.choose(&self.plan, self.options.scrutiny);
        let plan = self.plan.clone();
        let mut store = Store::new(&plan, |component| survey.is_masked(component));
        let mut latches: Latches = [None; 4];
        let mut damage = self.scans(&survey, &plan, &mut store, &mut latches)?;
        if damage.is_some() && self.options.damage == Damage::Refuse {
            return Ok(damage);
        }
        damage = damage.or(survey.damage);
        self.strips_of_store(&plan, &mut store, &latches)?;
        Ok(damage)
    }

    /// Reads the scans that are needed; returns the damage that ended it.
    fn scans(
        &mut self,
        survey: &Survey,
        plan: &Plan,
        store: &mut Store,
        latches: &mut Latches,
    ) -> Result<Option<Error>, Error> {
        let mut position = 2;
        for scan in &survey.scans {
            self.check_interrupted()?;
            let ready = self.read_tables(position).and_then(|_| self.latch(&scan.header, latches));
            if let Err(damage) = ready {
                return Ok(Some(damage));
            }
            position = scan.data;
            if self.decoder.info().process != Process::Progressive {
                match SequentialScan::new(self.decoder.file, scan.data, &scan.header, plan, &mut self.tables)
                {
                    Err(damage) => return Ok(Some(damage)),
                    Ok(scan) => {
                        if let Some(damage) = self.sequential(scan, store)? {
                            return Ok(Some(damage));
                        }
                    }
                }
            } else if scan.is_needed {
                match ProgressiveScan::new(self.decoder.file, scan, plan, &mut self.tables) {
                    Err(damage) => return Ok(Some(damage)),
                    Ok(scan) => {
                        if let Some(damage) = self.progressive(scan, store)? {
                            return Ok(Some(damage));
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    fn sequential(&self, mut scan: SequentialScan<'_>, store: &mut Store) -> Result<Option<Error>, Error> {
        for row in 0..scan.mcus.1 {
            self.check_interrupted()?;
            for group in 0..scan.groups() {
                let read = scan.read_group(group);
                for part in &scan.parts {
                    let Some(stored) = store.components.get_mut(part.component) else { continue };
                    for (index, tile) in part.tiles.iter().enumerate() {
                        let (across, down) = (group * part.h + index % part.h, row * part.v + index / part.h);
                        let place = stored.tile(across, down);
                        place.iter_mut().zip(tile.planes(64)).for_each(|(to, from)| *to = *from);
                        stored.last = stored.last.max(tile.last);
                    }
                }
                if let Err(damage) = read {
                    return Ok(Some(damage));
                }
            }
        }
        Ok(scan.finish().err())
    }

    fn progressive(
        &self,
        mut scan: ProgressiveScan<'_, '_>,
        store: &mut Store,
    ) -> Result<Option<Error>, Error> {
        for row in 0..scan.rows() {
            self.check_interrupted()?;
            if let Err(damage) = scan.read_row(row, store) {
                return Ok(Some(damage));
            }
        }
        Ok(scan.finish().err())
    }

    fn strips_of_store(&mut self, plan: &Plan, store: &mut Store, latches: &Latches) -> Result<(), Error> {
        let mut strips = Strips::new(plan, self.decoder.info().colour);
        set_quantisation(&mut strips, latches);
        for row in 0..plan.mcus.1 {
            self.check_interrupted()?;
            for (index, (stored, component)) in store.components.iter_mut().zip(&plan.components).enumerate()
            {
                let last = stored.last;
                for down in 0..component.v {
                    for across in 0..plan.groups() * component.h {
                        let planes = stored.tile(across, row * component.v + down);
                        strips.put(index, [across, down], planes, last);
                    }
                }
            }
            strips.finish_row(&mut self.take);
        }
        Ok(())
    }
}

/// The quantisation of each component, as it was when its first scan began (ITU-T T.81, B.2.4.1).
type Latches = [Option<[u16; 64]>; 4];

fn set_quantisation(strips: &mut Strips<'_>, latches: &Latches) {
    for (index, latch) in latches.iter().enumerate() {
        if let Some(quantisation) = latch {
            strips.set_quantisation(index, quantisation);
        }
    }
}
