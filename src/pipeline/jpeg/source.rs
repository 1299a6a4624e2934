//! What the JPEG decoder is given to read: the file, made so that nothing can be missing from it unnoticed.
//!
//! When the compressed data of a scan ends too early, decoders read on in zeros, which are valid codes, and paint the
//! rest of the picture grey. Here each scan, and each restart interval, is followed by ones instead. No code consists
//! of ones only (ITU-T T.81, C.2), so a decoder that has not had its fill by then finds no code, and fails; one that
//! has, skips them. Application segments and comments are left out: what is wrong with them is no fault of the
//! picture.

use super::frame::Frame;
use super::segments::{EOI, SOI, SOS, Segment};
use crate::domain::Failure;
use crate::pipeline::{Cancelled, timed_out};
use std::io::{self, BufRead, Read};

/// Compressed bytes handed out before `cancelled` is looked at again.
const STRETCH_BYTES: usize = 64 << 10;

/// Ones, with the stuffing that F.1.2.3 asks for.
const ONES: [u8; 64] = {
    let mut bytes = [0xff; 64];
    let mut pairs: &mut [u8] = &mut bytes;
    while let [_, stuffing, rest @ ..] = pairs {
        *stuffing = 0;
        pairs = rest;
    }
    bytes
};

/// How many of [`ONES`] precede a restart marker: 48 bits, which hold the rest of a code, the 15 bits that it may
/// announce, and one more code of 16. No more, since the decoder looks only 64 bits ahead for the marker.
const RESTART_ONES: usize = 12;

/// How the scan header of a sequential picture must end (ITU-T T.81, table B.3): all coefficients, all bits. Some
/// encoders are careless there, and no decoder needs it.
const WHOLE_BAND: [u8; 3] = [0, 63, 0];

/// Where in the file the next bytes come from.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Segments,
    Scan,
    End,
}

/// A [`Read`] over the guarded file.
pub(super) struct Source<'a> {
    file: &'a [u8],
    rest: &'a [u8],
    ready: &'a [u8],
    /// Handed out after `ready`, before anything else is taken from `rest`.
    queued: [&'a [u8]; 2],
    place: Place,
    frame: Frame,
    in_ones: bool,
    /// Where the scan that was last read ends in `file`.
    scan_end: usize,
    cut_off: bool,
    stopped: Option<Failure>,
    cancelled: Cancelled<'a>,
}

impl<'a> Source<'a> {
    /// Reads `file`, which begins with SOI.
    pub(super) fn new(file: &'a [u8], cancelled: Cancelled<'a>) -> Self {
        Self {
            file,
            rest: file.get(SOI.len()..).unwrap_or_default(),
            ready: &SOI,
            queued: [&[], &[]],
            place: Place::Segments,
            frame: Frame::default(),
            in_ones: false,
            scan_end: 0,
            cut_off: false,
            stopped: None,
            cancelled,
        }
    }

    /// Whether the data ended while more of it was due: the file, or the scan being read.
    pub(super) const fn ran_out(&self) -> bool {
        self.cut_off || self.in_ones
    }

    /// Whether the scans that were read hold every coefficient in full precision.
    pub(super) fn is_complete(&self) -> bool {
        self.frame.is_complete()
    }

    /// The file up to the end of its last scan, once that was read.
    pub(super) fn scans(&self) -> &'a [u8] {
        self.file.get(..self.scan_end).unwrap_or_default()
    }

    /// Why reading was stopped, if it was.
    pub(super) fn take_stop(&mut self) -> Option<Failure> {
        self.stopped.take()
    }

    fn refill(&mut self) -> io::Result<()> {
        let [first, second] = self.queued;
        if !first.is_empty() {
            (self.ready, self.queued) = (first, [second, &[]]);
            self.in_ones = self.place == Place::Segments;
            return Ok(());
        }
        if (self.cancelled)() {
            return Err(self.stop(timed_out()));
        }
        self.in_ones = false;
        match self.place {
            Place::Segments => self.next_segment(),
            Place::Scan => {
                self.next_stretch();
                Ok(())
            }
            Place::End => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn next_segment(&mut self) -> io::Result<()> {
        let Some(segment) = Segment::take(&mut self.rest) else {
            self.cut_off = true;
            self.end();
            return Ok(());
        };
        match segment.code {
            0xd9 => self.end(),
            // Markers that stand alone and mean nothing here, application segments, comments. AVI1, of motion JPEG,
            // stands for the usual Huffman tables.
            0x01 | 0xd0..=0xd8 | 0xe1..=0xef | 0xfe => {}
            0xe0 if !segment.payload().starts_with(b"AVI1") => {}
            code => {
                self.frame.note(segment).map_err(|failure| self.stop(failure))?;
                self.ready = segment.bytes;
                if code == SOS {
                    self.begin_scan();
                }
            }
        }
        Ok(())
    }

    fn begin_scan(&mut self) {
        self.place = Place::Scan;
        let selectors = self.ready.len().checked_sub(WHOLE_BAND.len());
        if let Some(selectors) = selectors.filter(|_| !self.frame.is_progressive()) {
            self.ready = self.ready.get(..selectors).unwrap_or_default();
            self.queued = [&WHOLE_BAND, &[]];
        }
    }

    fn end(&mut self) {
        self.ready = &EOI;
        self.place = Place::End;
    }

    fn next_stretch(&mut self) {
        let (stretch, rest) = self.rest.split_at_checked(compressed(self.rest)).unwrap_or_default();
        (self.ready, self.rest) = (stretch, rest);
        while let [0xff, 0xff, ..] = self.rest {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        match self.rest {
            [0xff, 0xd0..=0xd7, after @ ..] => {
                let ones = ONES.first_chunk::<RESTART_ONES>().map_or(&[][..], |ones| ones);
                self.queued = [ones, self.rest.get(..2).unwrap_or_default()];
                self.rest = after;
            }
            // A stretch that ended by its length, not at a marker.
            [0xff, 0, ..] | [0..0xff, ..] => {}
            [0xff, ..] | [] => {
                self.queued = [&ONES, &[]];
                self.place = Place::Segments;
                self.scan_end = self.file.len() - self.rest.len();
            }
        }
    }

    fn stop(&mut self, failure: Failure) -> io::Error {
        self.stopped = Some(failure);
        io::Error::other("stopped")
    }
}

/// How many bytes of compressed data stand at the start of `data`: up to the next marker, or a good stretch.
fn compressed(data: &[u8]) -> usize {
    let mut tail = data;
    while data.len() - tail.len() < STRETCH_BYTES {
        match tail.skip_until(0xff) {
            Ok(0) | Err(_) => break,
            Ok(_) if tail.is_empty() && data.last() != Some(&0xff) => break,
            Ok(_) => {}
        }
        let before = data.len() - tail.len() - 1;
        let fill_bytes = tail.iter().take_while(|byte| **byte == 0xff).count();
        match tail.get(fill_bytes..) {
            // Stuffing: the FF is data.
            Some([0, after @ ..]) => tail = after,
            _ => return before,
        }
    }
    data.len() - tail.len()
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && !out.is_empty() {
            if self.place == Place::End {
                return Ok(0);
            }
            self.refill()?;
        }
        self.ready.read(out)
    }

    // The decoder reads byte by byte; this is its hottest path.
    fn read_exact(&mut self, mut out: &mut [u8]) -> io::Result<()> {
        loop {
            if let Some((head, tail)) = self.ready.split_at_checked(out.len()) {
                out.copy_from_slice(head);
                self.ready = tail;
                return Ok(());
            }
            let (now, later) =
                std::mem::take(&mut out).split_at_mut_checked(self.ready.len()).unwrap_or_default();
            now.copy_from_slice(self.ready);
            out = later;
            self.ready = &[];
            self.refill()?;
        }
    }
}
