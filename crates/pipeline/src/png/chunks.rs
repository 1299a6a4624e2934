//! The chunks of a PNG (third edition, 5.3), and those that its pixels depend on.
//!
//! The decoder is shown no others: what is wrong with a light source's colour or a second picture is no fault of the
//! first.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

/// The eight bytes before the first chunk.
pub(super) const SIGNATURE_BYTES: usize = 8;

/// A whole chunk.
pub(super) struct Chunk<'a> {
    pub(super) name: [u8; 4],
    pub(super) data: &'a [u8],
    /// All bytes: length, name, data and checksum.
    bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Those of `file`, up to the first that is not whole.
    pub(super) fn all(file: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = file.get(SIGNATURE_BYTES..).unwrap_or_default();
        std::iter::from_fn(move || Self::take(&mut rest))
    }

    /// In bytes, all of them.
    pub(super) const fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the next chunk off `rest`; `None` if no whole one is left.
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let (length, after) = rest.split_first_chunk()?;
        let (name, after) = after.split_first_chunk()?;
        let (data, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let (_checksum, after) = after.split_first_chunk::<4>()?;
        let (bytes, _) = rest.split_at_checked(rest.len() - after.len())?;
        *rest = after;
        Some(Self { name: *name, data, bytes })
    }
}

/// A [`BufRead`] over the parts of a file that its pixels depend on.
pub(super) struct Source<'a> {
    ready: &'a [u8],
    rest: &'a [u8],
    with_profile: bool,
}

impl<'a> Source<'a> {
    /// Reads `file`, with the embedded profile or without.
    pub(super) fn new(file: &'a [u8], with_profile: bool) -> Self {
        let (ready, rest) = file.split_at_checked(SIGNATURE_BYTES).unwrap_or((file, &[]));
        Self { ready, rest, with_profile }
    }

    fn is_shown(&self, name: [u8; 4]) -> bool {
        match &name {
            b"tRNS" => true,
            b"iCCP" | b"sRGB" => self.with_profile,
            // The names of critical chunks begin with a capital (5.4).
            [first, ..] => !first.is_ascii_lowercase(),
        }
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.ready.is_empty() && !self.rest.is_empty() {
            match Chunk::take(&mut self.rest) {
                Some(chunk) if self.is_shown(chunk.name) => self.ready = chunk.bytes,
                Some(_) => {}
                // Cut off: the decoder takes what it can, and says what is missing.
                None => self.ready = std::mem::take(&mut self.rest),
            }
        }
        Ok(self.ready)
    }

    fn consume(&mut self, bytes: usize) {
        self.ready = self.ready.get(bytes..).unwrap_or_default();
    }
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

/// The decoder asks for it, and never uses it.
impl Seek for Source<'_> {
    fn seek(&mut self, _to: SeekFrom) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
