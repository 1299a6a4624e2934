//! What all scans of a picture bring, told by their headers alone, before any of them is read.

use super::ScanHeader;
use super::header::Band;
use crate::error::Error;
use crate::frame::{Frame, Process};
use crate::marker::{EOI, SOS, Segments};
use crate::options::{Limits, Scrutiny};
use crate::output::Plan;

/// How often the scans may pass over all coefficients, whatever the picture's size.
const PASSES: u64 = 12;

#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) scans: Vec<SurveyedScan>,
    /// Whether the end of the picture has a marker; it may be missing.
    ended: bool,
    /// The lowest bit that was sent of each coefficient of each component; 0 is full precision.
    sent: Vec<[Option<u32>; 64]>,
    /// What is wrong with the picture, if it can be told by now.
    pub(crate) damage: Option<Error>,
}

#[derive(Debug)]
pub(crate) struct SurveyedScan {
    pub(crate) header: ScanHeader,
    /// Where its data begins.
    pub(crate) data: usize,
    /// Whether the reduced picture depends on it.
    pub(crate) is_needed: bool,
    /// Whether later scans ask which of its coefficients are not 0.
    pub(crate) is_history: bool,
}

impl Survey {
    /// Looks at all segments from `position` on.
    ///
    /// # Errors
    /// If the scans are more than `limits` allow. What is damaged is told in [`Survey::damage`].
    pub(crate) fn new(file: &[u8], position: usize, frame: &Frame, limits: &Limits) -> Result<Self, Error> {
        let mut survey = Self { sent: vec![[None; 64]; frame.components.len()], ..Self::default() };
        let mut segments = Segments::new(file, position);
        let mut work = Work::new(frame, limits);
        while let Some(segment) = segments.next() {
            match segment.code {
                EOI => {
                    survey.ended = true;
                    break;
                }
                SOS => {
                    let noted =
                        ScanHeader::parse(segment, frame).and_then(|header| survey.note(header, frame));
                    match noted {
                        Ok(header) => {
                            work.add(&header, frame)?;
                            survey.scans.push(SurveyedScan::new(header, segments.position));
                        }
                        Err(damage) => {
                            survey.damage = Some(damage);
                            return Ok(survey);
                        }
                    }
                    segments.pass_data();
                }
                _ => {}
            }
        }
        if survey.sent.iter().flatten().any(|sent| *sent != Some(0)) {
            let position = segments.position;
            survey.damage = Some(if survey.ended || survey.scans.is_empty() {
                Error::Incomplete { position }
            } else {
                Error::Truncated { position: file.len() }
            });
        }
        Ok(survey)
    }

    /// G.1.1.1.2: a first scan brings a coefficient down to some bit, and each later one the bit below.
    fn note(&mut self, header: ScanHeader, frame: &Frame) -> Result<ScanHeader, Error> {
        let Band { first, last, high, low } = header.band;
        for selector in &header.selectors {
            let Some(sent) = self.sent.get_mut(selector.component) else { continue };
            if first > 0 && sent.first().is_some_and(Option::is_none) {
                return Err(Error::corrupt(header.position, "a scan of AC coefficients precedes the DC"));
            }
            for sent in sent.iter_mut().take(last as usize + 1).skip(first as usize) {
                if frame.process == Process::Progressive && sent.unwrap_or(0) != high {
                    return Err(Error::corrupt(header.position, "a scan is missing, or out of order"));
                }
                *sent = Some(low);
            }
        }
        Ok(header)
    }

    /// Finds out which scans the picture needs, from the last to the first: those that bring coefficients it needs,
    /// and those that later scans of that kind need to be read. A refinement has a bit for each coefficient that is
    /// not 0 already, so it cannot be read without knowing which these are.
    pub(crate) fn choose(&mut self, plan: &Plan, scrutiny: Scrutiny) {
        let wanted = |index: usize| {
            if scrutiny == Scrutiny::Everything {
                return u64::MAX;
            }
            let component = plan.components.get(index);
            (0..64).filter(|k| component.is_some_and(|c| c.slot(*k).is_some())).fold(0, |all, k| all | 1 << k)
        };
        let mut wanted: Vec<u64> = (0..plan.components.len()).map(wanted).collect();
        let mut history = vec![0_u64; wanted.len()];
        let without_end = !self.ended;
        for (from_end, scan) in self.scans.iter_mut().rev().enumerate() {
            let mask = scan.header.band.mask();
            for selector in &scan.header.selectors {
                let (Some(wanted), Some(history)) =
                    (wanted.get_mut(selector.component), history.get_mut(selector.component))
                else {
                    continue;
                };
                // Whether the last scan is whole can be told by the marker behind it, or else by reading it.
                let must = from_end == 0 && without_end;
                if must || mask & *wanted != 0 {
                    scan.is_needed = true;
                    scan.is_history |= mask & *history != 0;
                    if scan.header.band.is_refinement() && scan.header.band.first > 0 {
                        scan.is_history = true;
                        *wanted |= mask;
                        *history |= mask;
                    }
                }
            }
        }
    }

    /// Whether any scan asks which coefficients of a component are not 0.
    pub(crate) fn is_masked(&self, component: usize) -> bool {
        let mut of_component =
            self.scans.iter().filter(|scan| scan.header.selectors.iter().any(|s| s.component == component));
        of_component.any(|scan| scan.is_history)
    }
}

impl SurveyedScan {
    const fn new(header: ScanHeader, data: usize) -> Self {
        Self { header, data, is_needed: false, is_history: false }
    }
}

/// What the scans cost.
struct Work {
    scans: u32,
    max_scans: u32,
    coefficients: u64,
    max_coefficients: u64,
}

impl Work {
    fn new(frame: &Frame, limits: &Limits) -> Self {
        let all = frame.components.iter().map(|component| frame.coefficients(component)).sum::<u64>();
        let max_coefficients = limits.max_scan_work.max(all.saturating_mul(PASSES));
        Self { scans: 0, max_scans: limits.max_scans, coefficients: 0, max_coefficients }
    }

    fn add(&mut self, header: &ScanHeader, frame: &Frame) -> Result<(), Error> {
        self.scans += 1;
        for selector in &header.selectors {
            if let Some(component) = frame.components.get(selector.component) {
                self.coefficients = self.coefficients.saturating_add(frame.coefficients(component));
            }
        }
        if self.scans > self.max_scans {
            Err(Error::Limit { what: "scans", limit: self.max_scans.into() })
        } else if self.coefficients > self.max_coefficients {
            Err(Error::Limit { what: "coefficients in its scans", limit: self.max_coefficients })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marker::Segment;
    use crate::options::Reduction;

    type Scan = (&'static [u8], [u8; 4]);

    fn frame(code: u8, factors: &[u8]) -> Frame {
        let mut payload = vec![8, 0, 64, 0, 64, factors.len() as u8];
        (1..).zip(factors).for_each(|(id, factor)| payload.extend([id, *factor, 0]));
        Frame::parse(Segment { code, payload: &payload, position: 0 }).unwrap()
    }

    /// The survey of scans with components, first and last coefficient, highest and lowest bit.
    fn survey(frame: &Frame, scans: &[Scan], end: &[u8]) -> Survey {
        let mut file = Vec::new();
        for (components, [first, last, high, low]) in scans {
            file.extend([0xff, SOS, 0, 6 + 2 * components.len() as u8, components.len() as u8]);
            components.iter().for_each(|id| file.extend([*id, 0]));
            file.extend([*first, *last, high << 4 | low, 1, 2, 3]);
        }
        file.extend(end);
        Survey::new(&file, 0, frame, &Limits::default()).unwrap()
    }

    const END: [u8; 2] = [0xff, EOI];

    /// As libjpeg does it.
    const SCANS: [Scan; 10] = [
        (&[1, 2, 3], [0, 0, 0, 1]),
        (&[1], [1, 5, 0, 2]),
        (&[3], [1, 63, 0, 1]),
        (&[2], [1, 63, 0, 1]),
        (&[1], [6, 63, 0, 2]),
        (&[1], [1, 63, 2, 1]),
        (&[1, 2, 3], [0, 0, 1, 0]),
        (&[3], [1, 63, 1, 0]),
        (&[2], [1, 63, 1, 0]),
        (&[1], [1, 63, 1, 0]),
    ];

    #[test]
    fn a_picture_is_complete_with_the_last_bit_of_the_last_coefficient() {
        let frame = frame(0xc2, &[0x22, 0x11, 0x11]);
        assert_eq!(survey(&frame, &SCANS, &END).damage, None);
        assert_eq!(survey(&frame, &SCANS, &[]).damage, None, "only the marker is missing");
        for count in 0..SCANS.len() {
            let damage = survey(&frame, &SCANS[..count], &END).damage;
            assert!(matches!(damage, Some(Error::Incomplete { .. })), "{count}: {damage:?}");
        }
        let damage = survey(&frame, &SCANS[..4], &[]).damage;
        assert!(matches!(damage, Some(Error::Truncated { .. })), "{damage:?}");
    }

    #[test]
    fn scans_that_are_missing_or_out_of_order_are_corrupt() {
        let frame = frame(0xc2, &[0x11]);
        for scans in [
            &[(&[1][..], [0, 0, 1, 0])][..],
            &[(&[1], [0, 0, 0, 2]), (&[1], [0, 0, 1, 0])],
            &[(&[1], [0, 0, 0, 1]), (&[1], [0, 0, 0, 0])],
            &[(&[1], [1, 5, 0, 0])],
            &[(&[1], [0, 0, 0, 0]), (&[1], [1, 5, 0, 1]), (&[1], [1, 63, 1, 0])],
        ] {
            let damage = survey(&frame, scans, &END).damage;
            assert!(matches!(damage, Some(Error::Corrupt { .. })), "{scans:?}: {damage:?}");
        }
    }

    /// Which scans are needed, and which of them have to tell what is 0.
    fn chosen(factors: &[u8], scans: &[Scan], reduction: Reduction, end: &[u8]) -> (Vec<bool>, Vec<bool>) {
        let frame = frame(0xc2, factors);
        let mut survey = survey(&frame, scans, end);
        survey.choose(&Plan::new(&frame, reduction), Scrutiny::Needed);
        survey.scans.iter().map(|scan| (scan.is_needed, scan.is_history)).unzip()
    }

    #[test]
    fn one_pixel_of_a_block_needs_dc_scans_alone() {
        let (needed, history) = chosen(&[0x11, 0x11, 0x11], &SCANS, Reduction::Eighth, &END);
        let dc = [true, false, false, false, false, false, true, false, false, false];
        assert_eq!((needed, history), (dc.to_vec(), vec![false; 10]));
    }

    #[test]
    fn refinements_need_all_that_went_before() {
        let (needed, history) = chosen(&[0x11, 0x11, 0x11], &SCANS, Reduction::Quarter, &END);
        assert_eq!(needed, [true; 10]);
        assert_eq!(history, [false, true, true, true, true, true, false, true, true, true]);
    }

    #[test]
    fn bands_out_of_reach_are_passed_over_but_for_the_last_without_a_marker() {
        let scans =
            [(&[1][..], [0, 0, 0, 0]), (&[1], [1, 5, 0, 0]), (&[1], [6, 30, 0, 0]), (&[1], [31, 63, 0, 0])];
        let needed = |end| chosen(&[0x11], &scans, Reduction::Quarter, end).0;
        assert_eq!(needed(&END), [true, true, false, false]);
        assert_eq!(needed(&[]), [true, true, false, true]);
    }

    #[test]
    fn the_work_of_many_scans_is_bounded() {
        let frame = frame(0xc2, &[0x22, 0x11, 0x11]);
        let header = survey(&frame, &SCANS, &END).scans.remove(0).header;
        let most = |limits| {
            let mut work = Work::new(&frame, &limits);
            (0..).find(|_| work.add(&header, &frame).is_err())
        };
        assert_eq!(most(Limits::default()), Some(100));
        assert_eq!(most(Limits { max_scan_work: 0, ..Limits::default() }), Some(12));
        assert_eq!(most(Limits { max_scan_work: 64 * 64 * 3 / 2 * 30, ..Limits::default() }), Some(30));
    }
}
