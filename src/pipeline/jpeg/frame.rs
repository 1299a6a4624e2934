//! What the scans of a JPEG bring, told by their headers alone. Section numbers are those of ITU-T T.81.

use super::segments::{SOS, Segment};
use crate::domain::{Failure, FailureCode};

/// Scans above this number only serve to keep a decoder busy. Encoders write ten or a dozen.
const MAX_SCANS: u32 = 100;

/// How often the scans may pass over all coefficients, whatever the picture's size. Those that libjpeg writes do so
/// five times: for most of them take one component only.
const PASSES: u64 = 12;

/// The coefficients that the scans of smaller pictures may pass over, in all: some seconds' work.
const MAX_WORK: u64 = 3_000_000_000;

/// The most blocks of an MCU in a scan of several components (B.2.3).
const MAX_BLOCKS_OF_MCU: u32 = 10;

/// How far each coefficient has come.
#[derive(Debug, Default)]
pub(super) struct Frame {
    progressive: bool,
    components: Vec<Component>,
    scans: u32,
    /// Coefficients that the scans so far pass over.
    work: u64,
}

#[derive(Debug)]
struct Component {
    id: u8,
    blocks_of_mcu: u8,
    /// Padded to whole MCUs (A.2.4).
    coefficients: u64,
    /// The lowest bit that was sent of each coefficient; 0 is full precision.
    sent: [Option<u8>; 64],
}

/// The last three bytes of a scan header: which coefficients it brings, and which of their bits.
#[derive(Debug, Clone, Copy)]
struct Band {
    first: u8,
    last: u8,
    /// The lowest bit sent before, or 0 in a first scan.
    high: u8,
    /// The lowest bit that this scan sends.
    low: u8,
}

impl Frame {
    /// Takes note of a frame or scan header; other segments mean nothing here.
    ///
    /// # Errors
    /// `Corrupt` if a scan is not allowed where it stands, `UnsupportedFeature` if the scans are too much work.
    pub(super) fn note(&mut self, segment: Segment<'_>) -> Result<(), Failure> {
        match (segment.code, segment.payload()) {
            (0xc0..=0xc2, [_, h1, h0, w1, w0, _, components @ ..]) if self.components.is_empty() => {
                self.progressive = segment.code == 0xc2;
                let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
                self.components = Component::all(width, height, components);
                Ok(())
            }
            (SOS, [_, selectors @ .., first, last, approximation]) => {
                let (high, low) = (approximation >> 4, approximation & 15);
                self.scan(selectors, Band { first: *first, last: *last, high, low })
            }
            (SOS, _) => Err(corrupt("a scan header is too short")),
            _ => Ok(()),
        }
    }

    /// Whether the coefficients come in several scans, each with a band of them.
    pub(super) const fn is_progressive(&self) -> bool {
        self.progressive
    }

    /// Whether the scans so far bring every coefficient in full precision.
    pub(super) fn is_complete(&self) -> bool {
        !self.components.is_empty()
            && self.components.iter().all(|component| component.sent.iter().all(|sent| *sent == Some(0)))
    }

    fn scan(&mut self, selectors: &[u8], band: Band) -> Result<(), Failure> {
        if self.progressive {
            band.check(selectors.len() / 2)?;
        }
        let mut blocks_of_mcu = 0;
        for selector in selectors.chunks_exact(2) {
            let Some(component) = self.components.iter_mut().find(|c| selector.first() == Some(&c.id)) else {
                return Err(corrupt("a scan names a component that the frame does not have"));
            };
            blocks_of_mcu += u32::from(component.blocks_of_mcu);
            self.work = self.work.saturating_add(component.coefficients);
            if self.progressive {
                component.refine(band)?;
            } else {
                component.sent = [Some(0); 64];
            }
        }
        if selectors.len() > 2 && blocks_of_mcu > MAX_BLOCKS_OF_MCU {
            return Err(corrupt("a scan has more than ten blocks in an MCU"));
        }
        self.scans += 1;
        self.bound_work()
    }

    fn bound_work(&self) -> Result<(), Failure> {
        let coefficients = self.components.iter().map(|component| component.coefficients).sum::<u64>();
        let text = if self.scans > MAX_SCANS {
            format!("the picture has more than {MAX_SCANS} scans")
        } else if self.work > MAX_WORK.max(coefficients.saturating_mul(PASSES)) {
            format!("the picture has too many scans for its size: more than {}", self.scans - 1)
        } else {
            return Ok(());
        };
        Err(Failure::permanent(FailureCode::UnsupportedFeature, text))
    }
}

impl Component {
    /// Those that a frame header lists from `listed` on.
    fn all(width: u16, height: u16, listed: &[u8]) -> Vec<Self> {
        let listed = || {
            listed.chunks_exact(3).filter_map(|component| match component {
                [id, factors, _table] => Some((*id, factors >> 4, factors & 15)),
                _ => None,
            })
        };
        let across =
            u64::from(width).div_ceil(8 * u64::from(listed().map(|c| c.1).max().unwrap_or(1).max(1)));
        let down = u64::from(height).div_ceil(8 * u64::from(listed().map(|c| c.2).max().unwrap_or(1).max(1)));
        listed()
            .map(|(id, horizontal, vertical)| {
                let blocks_of_mcu = horizontal * vertical;
                let coefficients = across * down * u64::from(blocks_of_mcu) * 64;
                Self { id, blocks_of_mcu, coefficients, sent: [None; 64] }
            })
            .collect()
    }

    /// G.1.1.1.2: a first scan brings a coefficient down to some bit, and each later one the bit below.
    fn refine(&mut self, band: Band) -> Result<(), Failure> {
        let coefficients =
            self.sent.iter_mut().take(usize::from(band.last) + 1).skip(usize::from(band.first));
        for sent in coefficients {
            if sent.unwrap_or(0) != band.high {
                return Err(corrupt("a scan is missing, or out of order"));
            }
            *sent = Some(band.low);
        }
        Ok(())
    }
}

impl Band {
    /// G.1.1.1.1 and G.1.1.1.2.
    fn check(self, components: usize) -> Result<(), Failure> {
        let Self { first, last, high, low } = self;
        if first > last || last > 63 {
            Err(corrupt("a scan names coefficients that do not exist"))
        } else if first == 0 && last > 0 {
            Err(corrupt("a progressive scan mixes DC and AC coefficients"))
        } else if first > 0 && components > 1 {
            Err(corrupt("a scan has the AC coefficients of several components"))
        } else if high > 0 && high != low + 1 {
            Err(corrupt("a scan refines more than one bit"))
        } else {
            Ok(())
        }
    }
}

fn corrupt(what: &str) -> Failure {
    Failure::permanent(FailureCode::Corrupt, format!("the picture is damaged: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame header of `side` × `side` pixels, with the given sampling factors.
    fn frame(code: u8, side: u16, factors: &[u8]) -> Frame {
        let [s1, s0] = side.to_be_bytes();
        let count = u8::try_from(factors.len()).unwrap();
        let mut payload = vec![8, s1, s0, s1, s0, count];
        (1..).zip(factors).for_each(|(id, factor)| payload.extend([id, *factor, 0]));
        let mut frame = Frame::default();
        note(&mut frame, code, &payload).unwrap();
        frame
    }

    fn note(frame: &mut Frame, code: u8, payload: &[u8]) -> Result<(), Failure> {
        let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
        let bytes = [&[0xff, code], &length[..], payload].concat();
        frame.note(Segment::take(&mut bytes.as_slice()).unwrap())
    }

    /// The scan of `components`: first and last coefficient, highest and lowest bit.
    fn scan(frame: &mut Frame, components: &[u8], [first, last, high, low]: [u8; 4]) -> Result<(), Failure> {
        let mut payload = vec![u8::try_from(components.len()).unwrap()];
        components.iter().for_each(|id| payload.extend([*id, 0]));
        payload.extend([first, last, high << 4 | low]);
        note(frame, SOS, &payload)
    }

    fn code(result: Result<(), Failure>) -> FailureCode {
        result.unwrap_err().code()
    }

    #[test]
    fn a_picture_is_complete_with_the_last_bit_of_the_last_coefficient() {
        let mut frame = frame(0xc2, 64, &[0x22, 0x11, 0x11]);
        let mut steps: Vec<(&[u8], [u8; 4])> = vec![(&[1, 2, 3], [0, 0, 0, 1]), (&[1], [1, 5, 0, 2])];
        steps.extend([(&[2][..], [1, 63, 0, 1]), (&[3], [1, 63, 0, 1]), (&[1], [6, 63, 0, 2])]);
        steps.extend([(&[1][..], [1, 63, 2, 1]), (&[1, 2, 3], [0, 0, 1, 0]), (&[3], [1, 63, 1, 0])]);
        steps.extend([(&[2][..], [1, 63, 1, 0]), (&[1], [1, 63, 1, 0])]);
        for (components, band) in steps {
            assert!(!frame.is_complete());
            scan(&mut frame, components, band).unwrap();
        }
        assert!(frame.is_complete());
    }

    #[test]
    fn scans_that_are_missing_out_of_order_or_mixed_are_corrupt() {
        let refused = |before: &[[u8; 4]], band| {
            let mut frame = frame(0xc2, 64, &[0x11, 0x11]);
            before.iter().for_each(|band| scan(&mut frame, &[1], *band).unwrap());
            code(scan(&mut frame, &[1], band))
        };
        for (before, band) in [
            (&[][..], [0, 0, 1, 0]),
            (&[[0, 0, 0, 2]], [0, 0, 1, 0]),
            (&[[0, 0, 0, 1]], [0, 0, 0, 0]),
            (&[[0, 0, 0, 2]], [0, 0, 2, 0]),
            (&[[0, 0, 0, 0], [1, 5, 0, 1]], [1, 63, 1, 0]),
            (&[], [0, 63, 0, 0]),
            (&[], [5, 4, 0, 0]),
            (&[], [1, 64, 0, 0]),
        ] {
            assert_eq!(refused(before, band), FailureCode::Corrupt, "{before:?} {band:?}");
        }
        assert_eq!(
            code(scan(&mut frame(0xc2, 64, &[0x11, 0x11]), &[1, 2], [1, 63, 0, 0])),
            FailureCode::Corrupt
        );
        assert_eq!(code(scan(&mut frame(0xc0, 64, &[0x11]), &[2], [0, 63, 0, 0])), FailureCode::Corrupt);
    }

    #[test]
    fn an_mcu_has_at_most_ten_blocks() {
        let whole = [0, 63, 0, 0];
        scan(&mut frame(0xc0, 64, &[0x22, 0x11, 0x11, 0x22]), &[1, 2, 3, 4], whole).unwrap();
        scan(&mut frame(0xc0, 64, &[0x44, 0x11, 0x11]), &[1], whole).unwrap();
        assert_eq!(
            code(scan(&mut frame(0xc0, 64, &[0x22, 0x21, 0x21, 0x21, 0x11]), &[1, 2, 3, 4, 5], whole)),
            FailureCode::Corrupt
        );
    }

    #[test]
    fn the_work_of_many_scans_is_bounded() {
        let most = |side| {
            let mut frame = frame(0xc2, side, &[0x22, 0x11, 0x11]);
            let refused = (0..).find_map(|n| Some((n, scan(&mut frame, &[1, 2, 3], [0, 0, 0, 0]).err()?)));
            let (scans, failure) = refused.unwrap();
            assert_eq!(failure.code(), FailureCode::UnsupportedFeature);
            scans
        };
        assert_eq!(most(64), u64::from(MAX_SCANS));
        assert_eq!(most(10_000), MAX_WORK / 150_000_000);
        assert_eq!(most(65_500), PASSES);
    }
}
