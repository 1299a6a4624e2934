//! The frame header (ITU-T T.81, B.2.2): what the picture consists of.

use crate::error::{Error, Feature};
use crate::marker::Segment;

/// How the coefficients are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Process {
    /// Baseline sequential.
    Baseline,
    /// Extended sequential, with Huffman codes and 8 bits.
    Extended,
    /// Progressive, with Huffman codes and 8 bits.
    Progressive,
}

/// One component of the frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Component {
    pub(crate) id: u8,
    /// Horizontal and vertical sampling factor.
    pub(crate) h: u32,
    pub(crate) v: u32,
    /// Which of the four quantisation tables.
    pub(crate) quantisation: u8,
}

#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) process: Process,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) components: Vec<Component>,
    /// The largest sampling factors.
    pub(crate) h_max: u32,
    pub(crate) v_max: u32,
}

impl Frame {
    /// Whether `code` is one of the frame headers.
    pub(crate) const fn is_header(code: u8) -> bool {
        matches!(code, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf)
    }

    /// Reads a frame header. The height may be 0: then a DNL segment behind the first scan has it.
    pub(crate) fn parse(segment: Segment<'_>) -> Result<Self, Error> {
        let process = process(segment.code)?;
        let corrupt = |what| Error::corrupt(segment.position, what);
        let [precision, h1, h0, w1, w0, count, listed @ ..] = segment.payload else {
            return Err(corrupt("the frame header is too short"));
        };
        if *precision != 8 {
            return Err(Error::Unsupported(Feature::Precision(*precision)));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Error::Unsupported(Feature::Components(*count)));
        }
        let (listed, _) = listed.as_chunks::<3>();
        let components: Vec<_> = listed.iter().take(usize::from(*count)).map(Component::parse).collect();
        if components.len() != usize::from(*count) {
            return Err(corrupt("the frame header is too short"));
        }
        if components.iter().any(|c| !(1..=4).contains(&c.h) || !(1..=4).contains(&c.v) || c.quantisation > 3)
        {
            return Err(corrupt("the frame header has an impossible sampling factor or table"));
        }
        let mut frame = Self {
            process,
            width: u32::from(u16::from_be_bytes([*w1, *w0])),
            height: u32::from(u16::from_be_bytes([*h1, *h0])),
            h_max: components.iter().map(|c| c.h).max().unwrap_or(1),
            v_max: components.iter().map(|c| c.v).max().unwrap_or(1),
            components,
        };
        if frame.width == 0 {
            return Err(corrupt("the picture is not wide at all"));
        }
        frame.simplify();
        Ok(frame)
    }

    /// The factors of a single component mean nothing (A.2.2).
    fn simplify(&mut self) {
        if let [only] = self.components.as_mut_slice() {
            (only.h, only.v, self.h_max, self.v_max) = (1, 1, 1, 1);
        }
    }

    /// How many MCUs of all components the picture is wide.
    pub(crate) const fn mcus_across(&self) -> u32 {
        self.width.div_ceil(8 * self.h_max)
    }

    /// How many MCUs of all components the picture is high.
    pub(crate) const fn mcus_down(&self) -> u32 {
        self.height.div_ceil(8 * self.v_max)
    }

    /// How many blocks `component` is wide and high, without those that only pad an MCU (A.1.1, A.2.2).
    pub(crate) const fn blocks(&self, component: &Component) -> (u32, u32) {
        (
            (self.width * component.h).div_ceil(8 * self.h_max),
            (self.height * component.v).div_ceil(8 * self.v_max),
        )
    }

    /// How many coefficients `component` has, those that pad the last MCUs included (A.2.4).
    pub(crate) fn coefficients(&self, component: &Component) -> u64 {
        let mcus = u64::from(self.mcus_across()) * u64::from(self.mcus_down());
        mcus * u64::from(component.h * component.v) * 64
    }
}

impl Component {
    fn parse([id, factors, quantisation]: &[u8; 3]) -> Self {
        Self { id: *id, h: u32::from(factors >> 4), v: u32::from(factors & 15), quantisation: *quantisation }
    }
}

fn process(code: u8) -> Result<Process, Error> {
    match code {
        0xc0 => Ok(Process::Baseline),
        0xc1 => Ok(Process::Extended),
        0xc2 => Ok(Process::Progressive),
        0xc3 => Err(Error::Unsupported(Feature::Lossless)),
        0xc5..=0xc7 | 0xcd..=0xcf => Err(Error::Unsupported(Feature::Hierarchical)),
        _ => Err(Error::Unsupported(if code == 0xcb { Feature::Lossless } else { Feature::Arithmetic })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(code: u8, payload: &[u8]) -> Result<Frame, Error> {
        Frame::parse(Segment { code, payload, position: 20 })
    }

    #[test]
    fn a_frame_tells_its_blocks_with_and_without_padding() {
        let frame = parse(0xc2, &[8, 0, 17, 0, 33, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]).unwrap();
        assert_eq!((frame.process, frame.width, frame.height), (Process::Progressive, 33, 17));
        assert_eq!((frame.mcus_across(), frame.mcus_down()), (3, 2));
        assert_eq!(frame.blocks(&frame.components[0]), (5, 3));
        assert_eq!(frame.blocks(&frame.components[1]), (3, 2));
        assert_eq!(frame.coefficients(&frame.components[0]), 3 * 2 * 4 * 64);
    }

    #[test]
    fn a_single_component_has_no_factors() {
        let frame = parse(0xc0, &[8, 0, 9, 0, 9, 1, 1, 0x42, 0]).unwrap();
        assert_eq!((frame.h_max, frame.v_max, frame.mcus_across()), (1, 1, 2));
    }

    #[test]
    fn what_is_not_decoded_is_called_unsupported() {
        let grey = [8, 0, 9, 0, 9, 1, 1, 0x11, 0];
        for (code, feature) in [
            (0xc3, Feature::Lossless),
            (0xc5, Feature::Hierarchical),
            (0xc9, Feature::Arithmetic),
            (0xca, Feature::Arithmetic),
            (0xcb, Feature::Lossless),
        ] {
            assert_eq!(parse(code, &grey).unwrap_err(), Error::Unsupported(feature));
        }
        let twelve = [12, 0, 9, 0, 9, 1, 1, 0x11, 0];
        assert_eq!(parse(0xc1, &twelve).unwrap_err(), Error::Unsupported(Feature::Precision(12)));
        let two = [8, 0, 9, 0, 9, 2, 1, 0x11, 0, 2, 0x11, 0];
        assert_eq!(parse(0xc0, &two).unwrap_err(), Error::Unsupported(Feature::Components(2)));
    }

    #[test]
    fn impossible_headers_are_corrupt() {
        for payload in [
            &[8, 0, 9, 0, 9][..],
            &[8, 0, 9, 0, 9, 3, 1, 0x11, 0],
            &[8, 0, 9, 0, 9, 1, 1, 0x51, 0],
            &[8, 0, 9, 0, 9, 1, 1, 0x10, 0],
            &[8, 0, 9, 0, 9, 1, 1, 0x11, 4],
            &[8, 0, 9, 0, 0, 1, 1, 0x11, 0],
        ] {
            assert!(parse(0xc0, payload).unwrap_err().is_damage(), "{payload:?}");
        }
    }
}
