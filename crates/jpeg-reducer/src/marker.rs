//! Markers and their segments (ITU-T T.81, B.1.1).

use memchr::memchr;

/// Start of image.
pub(crate) const SOI: u8 = 0xd8;
/// End of image.
pub(crate) const EOI: u8 = 0xd9;
/// Start of scan.
pub(crate) const SOS: u8 = 0xda;
/// Quantisation tables.
pub(crate) const DQT: u8 = 0xdb;
/// Number of lines.
pub(crate) const DNL: u8 = 0xdc;
/// Restart interval.
pub(crate) const DRI: u8 = 0xdd;
/// Huffman tables.
pub(crate) const DHT: u8 = 0xc4;
/// The first of the eight restart markers.
pub(crate) const RST0: u8 = 0xd0;

/// A marker with what belongs to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'a> {
    /// The marker's second byte.
    pub(crate) code: u8,
    /// What follows marker and length; empty where the marker stands alone.
    pub(crate) payload: &'a [u8],
    /// Where the payload begins.
    pub(crate) position: usize,
}

/// The segments of a file from some position on.
#[derive(Debug, Clone)]
pub(crate) struct Segments<'a> {
    file: &'a [u8],
    /// Where the next one is looked for.
    pub(crate) position: usize,
}

impl<'a> Segments<'a> {
    pub(crate) const fn new(file: &'a [u8], position: usize) -> Self {
        Self { file, position }
    }

    /// Goes to the marker behind the entropy-coded data that begins here; restart markers are part of the data.
    pub(crate) fn pass_data(&mut self) {
        self.position = loop {
            let end = data_end(self.file, self.position);
            match self.file.get(end + 1) {
                Some(RST0..SOI) => self.position = end + 2,
                _ => break end,
            }
        };
    }

    fn rest(&self) -> &'a [u8] {
        self.file.get(self.position..).unwrap_or_default()
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    /// The next segment, with stray bytes before it passed over; `None` if no whole one is left.
    fn next(&mut self) -> Option<Segment<'a>> {
        loop {
            self.position += memchr(0xff, self.rest())?;
            let [_, code, after @ ..] = self.rest() else { return None };
            match code {
                0 => self.position += 2,
                // A fill byte (B.1.1.2).
                0xff => self.position += 1,
                0x01 | RST0..=EOI => {
                    self.position += 2;
                    return Some(Segment { code: *code, payload: &[], position: self.position });
                }
                _ => {
                    let length = usize::from(u16::from_be_bytes(*after.first_chunk()?)).max(2);
                    let payload = after.get(2..length)?;
                    let position = self.position + 4;
                    self.position += 2 + length;
                    return Some(Segment { code: *code, payload, position });
                }
            }
        }
    }
}

/// Where the next marker of any kind stands at or after `position`, at the last of its fill bytes; else the length of
/// `file`. Stuffed bytes (F.1.2.3) are data.
pub(crate) fn data_end(file: &[u8], position: usize) -> usize {
    let mut at = position.min(file.len());
    at += without_marker(file.get(at..).unwrap_or_default());
    loop {
        let rest = file.get(at..).unwrap_or_default();
        let Some(ff) = memchr(0xff, rest) else { return file.len() };
        at += ff;
        match file.get(at + 1) {
            Some(0) => at += 2,
            Some(0xff) => at += 1,
            Some(_) => return at,
            None => return file.len(),
        }
    }
}

/// Bytes that are looked at together.
const SOME: usize = 64;

/// How many bytes from the start on can be passed over, since no marker begins in them. Stuffed bytes are frequent: to stop
/// at each takes longer than to compare everything.
fn without_marker(data: &[u8]) -> usize {
    let (ones, _) = data.as_chunks::<SOME>();
    let (nexts, _) = data.get(1..).unwrap_or_default().as_chunks::<SOME>();
    let has_none = |(these, nexts): &(&[u8; SOME], &[u8; SOME])| {
        let begins =
            these.iter().zip(*nexts).map(|(this, next)| u8::from(*this == 0xff) & u8::from(*next != 0));
        begins.fold(0, |any, begins| any | begins) == 0
    };
    ones.iter().zip(nexts).take_while(has_none).count() * SOME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_found_behind_fill_bytes_and_stray_ones() {
        let file = [1, 2, 0xff, 0xff, 0xff, 0xdd, 0, 4, 7, 8, 0xff, 0, 0xff, 0xd9, 0xff, 0xdb, 0, 9, 1];
        let mut segments = Segments::new(&file, 0);
        let first = segments.next().unwrap();
        assert_eq!((first.code, first.payload, first.position), (DRI, &[7, 8][..], 8));
        assert_eq!(segments.next().map(|s| (s.code, s.position)), Some((EOI, 14)));
        assert!(segments.next().is_none(), "the last one is cut short");
    }

    #[test]
    fn a_marker_is_found_wherever_it_stands() {
        let due = |file: &[u8]| {
            let mut pairs = file.windows(2);
            pairs.position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff)).unwrap_or(file.len())
        };
        for length in [1, 2, 63, 64, 65, 66, 127, 128, 129, 130, 200] {
            let mut file = [7, 0xff, 0, 9, 0xff, 0xff, 0, 0].repeat(25);
            file.truncate(length);
            assert_eq!(data_end(&file, 0), length);
            for at in 0..length - 1 {
                let mut file = file.clone();
                file[at..at + 2].copy_from_slice(&[0xff, EOI]);
                assert_eq!(data_end(&file, 0), due(&file), "{at} of {length}");
            }
        }
    }

    #[test]
    fn data_ends_at_a_marker_and_not_at_stuffing() {
        let file = [5, 0xff, 0, 6, 0xff, 0xd3, 7, 0xff, 0xff, 0xda, 8, 0xff];
        assert_eq!(data_end(&file, 0), 4);
        assert_eq!(data_end(&file, 10), file.len());
        let mut segments = Segments::new(&file, 0);
        segments.pass_data();
        assert_eq!(segments.position, 8);
    }
}
