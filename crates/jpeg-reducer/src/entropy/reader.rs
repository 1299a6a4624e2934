//! Reads the bits of a scan, from one restart marker to the next, and notices when they do not end as they should.

use super::{Bits, Buffer, Window, window};
use crate::error::Error;
use crate::marker::data_end;

/// Bytes that may be left over at the end of a scan, whatever they are: some encoders write a few too many.
const LEFT_OVER: usize = 64;

/// Bytes that may be left over before a restart marker.
const LEFT_OVER_OF_INTERVAL: usize = 8;

/// Zeros at the end of a scan may be what takes the place of lost data, if so many of them were read as data.
const ZEROS_READ: usize = 16;

pub(crate) struct Reader<'a> {
    file: &'a [u8],
    window: Window<'a>,
    pub(crate) bits: Bits,
    /// MCUs of an interval, and how many of them are left; 0 for no intervals.
    interval: u32,
    left: u32,
    /// The restart marker that is due.
    due: u8,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: &'a [u8], position: usize, interval: u32) -> Self {
        let window = Window::new(file, position);
        Self { file, window, bits: Bits::new(), interval, left: interval, due: 0 }
    }

    /// The bits, and the buffer that they are refilled from.
    #[inline(always)]
    pub(crate) const fn parts(&mut self) -> (&mut Bits, &Buffer) {
        (&mut self.bits, &self.window.buffer)
    }

    /// Makes sure that the next MCU can be read without looking at the end of the buffer. Says whether an interval
    /// ended before it, with what is predicted from the past.
    #[inline(always)]
    pub(crate) fn begin_mcu(&mut self) -> Result<bool, Error> {
        let restarted = self.interval > 0 && self.count_mcu()?;
        if self.bits.at() + window::MCU > self.window.end() {
            self.come_closer()?;
        }
        Ok(restarted)
    }

    fn count_mcu(&mut self) -> Result<bool, Error> {
        let ended = self.left == 0;
        if ended {
            self.restart()?;
        }
        self.left -= 1;
        Ok(ended)
    }

    #[inline(never)]
    fn come_closer(&mut self) -> Result<(), Error> {
        if self.window.is_last() {
            return self.check_overrun();
        }
        self.advance();
        Ok(())
    }

    fn advance(&mut self) {
        // What is in the reservoir stays in the buffer, too, so that positions can be told.
        let kept = self.bits.at().min(8);
        self.window.advance(self.bits.at() - kept);
        self.bits.moved(kept);
    }

    fn check_overrun(&self) -> Result<(), Error> {
        if self.has_overrun() { Err(self.ended_early()) } else { Ok(()) }
    }

    /// What it means that the data ends before the MCUs do: there is no more, unless another interval follows.
    fn ended_early(&self) -> Error {
        let position = self.window.position(self.window.end());
        match self.file.get(position..) {
            Some([0xff, 0xd0..=0xd7, ..]) => {
                Error::corrupt(position, "a restart interval ends before all of it was read")
            }
            _ => Error::Truncated { position },
        }
    }

    const fn has_overrun(&self) -> bool {
        self.bits.taken() > self.window.end() * 8
    }

    /// The first byte of the buffer of which no bit was taken.
    const fn untouched(&self) -> usize {
        self.bits.taken().div_ceil(8)
    }

    fn position(&self) -> usize {
        self.window.position(self.bits.taken() / 8)
    }

    /// What a bad code means: nothing but ones was left, or damage.
    pub(crate) fn explain(&self) -> Error {
        let from_here = self.window.left(self.bits.taken() / 8);
        // The code may begin in the last bytes, and run out of them.
        if self.has_overrun() || (self.window.is_last() && from_here.len() <= 2) {
            return self.ended_early();
        }
        self.corrupt("no code begins with these bits")
    }

    pub(crate) fn corrupt(&self, what: &'static str) -> Error {
        Error::corrupt(self.position(), what)
    }

    fn restart(&mut self) -> Result<(), Error> {
        self.check_overrun()?;
        if !self.window.is_last() {
            self.advance();
        }
        if !self.window.is_last() || self.window.left(self.untouched()).len() > LEFT_OVER_OF_INTERVAL {
            return Err(self.corrupt("a restart marker is due"));
        }
        if !self.window.restart(self.due) {
            let position = self.window.position(self.window.end());
            return Err(match self.file.get(position..) {
                Some([0xff, 0xd0..=0xd7, ..]) => {
                    Error::corrupt(position, "the restart marker is another one than due")
                }
                _ => Error::Truncated { position },
            });
        }
        self.bits = Bits::new();
        self.due = (self.due + 1) & 7;
        self.left = self.interval;
        Ok(())
    }

    /// Looks at what is left after the last MCU of a scan. Returns where the data ends, at a marker or with the file.
    ///
    /// A few bytes of anything may be left, and any number of the same byte: fillings. But much else means that the
    /// picture did not take what was meant for it; and many zeros, of which the picture took some, that they stand in
    /// for data that is lost.
    pub(crate) fn finish(mut self) -> Result<usize, Error> {
        self.check_overrun()?;
        let stretch_begins = self.position();
        let mut last = None;
        let (mut left, mut uniform, mut zeros) = (0, true, 0);
        loop {
            let bytes = self.window.left(self.untouched());
            left += bytes.len();
            for byte in bytes {
                uniform &= last.is_none_or(|last| last == *byte);
                zeros = if *byte == 0 { zeros + 1 } else { 0 };
                last = Some(*byte);
            }
            if self.window.is_last() {
                break;
            }
            self.window.advance(self.window.end());
            self.bits = Bits::new();
        }
        let end = self.window.position(self.window.end());
        let stray = matches!(self.file.get(end..), Some([0xff, 0xd0..=0xd7, ..]));
        if stray && self.interval > 0 {
            // A last marker with nothing behind it.
            let behind = data_end(self.file, end + 2);
            if behind == end + 2 {
                return Ok(behind);
            }
        }
        if stray {
            return Err(Error::corrupt(end, "a restart marker stands behind the scan's last MCU"));
        }
        if left > LEFT_OVER && !uniform {
            return Err(Error::corrupt(stretch_begins, "data is left over at the end of a scan"));
        }
        let read = self.file.get(..stretch_begins).unwrap_or_default();
        let zeros_read = match self.file.get(stretch_begins) {
            Some(0) => read.iter().rev().take_while(|byte| **byte == 0).count(),
            _ => 0,
        };
        if left >= LEFT_OVER && zeros == left && zeros_read > ZEROS_READ {
            return Err(Error::corrupt(stretch_begins - zeros_read, "lost data is filled with zeros"));
        }
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bits, and looks at what is left.
    fn left_after(bits: u32, file: &[u8]) -> Result<usize, Error> {
        let mut reader = Reader::new(file, 0, 0);
        reader.begin_mcu()?;
        for _ in 0..bits {
            let (taken, buffer) = reader.parts();
            taken.refill(buffer);
            taken.take(1);
        }
        reader.finish()
    }

    #[test]
    fn a_scan_may_end_in_a_byte_and_in_fillings() {
        assert_eq!(left_after(13, &[1, 2, 0xff, 0xd9]), Ok(2));
        assert_eq!(left_after(13, &[1, 2, 9, 8, 7, 0xff, 0xff, 0xd9]), Ok(5));
        assert_eq!(left_after(13, &[&[1, 2][..], &[0; 500]].concat()), Ok(502));
    }

    #[test]
    fn a_scan_must_not_end_early_or_late() {
        assert_eq!(left_after(17, &[1, 2, 0xff, 0xd9]), Err(Error::Truncated { position: 2 }));
        let late = left_after(13, &[&[1, 2][..], &[3, 4].repeat(50)].concat());
        assert!(matches!(late, Err(Error::Corrupt { position: 1, .. })), "{late:?}");
    }

    #[test]
    fn zeros_that_were_read_and_more_of_them_stand_in_for_lost_data() {
        let file = [&[1, 2][..], &[0; 500]].concat();
        let lost = left_after(16 + 17 * 8 + 3, &file);
        assert!(matches!(lost, Err(Error::Corrupt { position: 2, .. })), "{lost:?}");
        assert_eq!(left_after(16 + 10 * 8, &file), Ok(502), "a few may be codes");
    }

    #[test]
    fn restart_markers_are_due_after_each_interval() {
        let file = [1, 0xff, 0xd0, 2, 0xff, 0xd2, 3, 0xff, 0xd9];
        let mut reader = Reader::new(&file, 0, 1);
        let mcu = |reader: &mut Reader<'_>| {
            let restarted = reader.begin_mcu()?;
            let (taken, buffer) = reader.parts();
            taken.refill(buffer);
            Ok((restarted, taken.number(8)))
        };
        assert_eq!(mcu(&mut reader), Ok((false, 1)));
        assert_eq!(mcu(&mut reader), Ok((true, 2)));
        assert!(matches!(mcu(&mut reader), Err(Error::Corrupt { position: 4, .. })));
    }
}
