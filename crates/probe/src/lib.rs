//! What the header of an uploaded file says: format, size, and how the pixels are stored. No pixel is read.
//!
//! Used at upload, to refuse what cannot be processed, and by the pipeline, which goes by it.

mod jpeg;
mod png;

pub use jpeg::JpegProcess;
pub use png::PngColour;

use darkroom_domain::ImageFormat;
use std::io::{self, BufRead, ErrorKind, Read, Seek};

/// How many of a file's first bytes [`sniff`] needs at the most.
pub const SNIFF_BYTES: usize = 8;

/// The eight bytes that every PNG starts with (PNG third edition, 5.2).
const PNG_SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The marker SOI and the first byte of the marker that must follow it (ITU-T T.81, B.2.1).
const JPEG_SIGNATURE: [u8; 3] = [0xff, 0xd8, 0xff];

/// The format that the first bytes of a file announce, or `None` if it is neither of the two.
#[must_use]
pub fn sniff(first_bytes: &[u8]) -> Option<ImageFormat> {
    if first_bytes.starts_with(&JPEG_SIGNATURE) {
        Some(ImageFormat::Jpeg)
    } else if first_bytes.starts_with(&PNG_SIGNATURE) {
        Some(ImageFormat::Png)
    } else {
        None
    }
}

/// Reads the header at the start of `source`, skipping over what lies between (thumbnails, profiles, metadata).
///
/// The work is bounded: only a limited number of segments is walked.
///
/// # Errors
/// See [`ProbeError`].
pub fn probe<R: BufRead + Seek>(mut source: R) -> Result<Header, ProbeError> {
    let mut first = Vec::with_capacity(SNIFF_BYTES);
    source.by_ref().take(SNIFF_BYTES as u64).read_to_end(&mut first).map_err(ProbeError::Io)?;
    let format = sniff(&first).ok_or(ProbeError::NotAnImage)?;
    let header = match format {
        ImageFormat::Jpeg => {
            // Back to the first marker after SOI.
            let read_too_far = i64::try_from(first.len()).unwrap_or(0) - 2;
            source.seek_relative(-read_too_far).map_err(ProbeError::Io)?;
            jpeg::read(&mut source)
        }
        ImageFormat::Png => png::read(&mut source),
    };
    header.map_err(|defect| match defect {
        Defect::Io(e) if e.kind() == ErrorKind::UnexpectedEof => {
            ProbeError::Malformed { format, what: "the file ends within its header" }
        }
        Defect::Io(e) => ProbeError::Io(e),
        Defect::Lie(what) => ProbeError::Malformed { format, what },
    })
}

/// What a readable header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    width: u32,
    height: u32,
    layout: Layout,
}

impl Header {
    /// The format.
    #[must_use]
    pub const fn format(&self) -> ImageFormat {
        match self.layout {
            Layout::Jpeg { .. } => ImageFormat::Jpeg,
            Layout::Png { .. } => ImageFormat::Png,
        }
    }

    /// Width in pixels as stored, before any orientation; at least 1.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels as stored, before any orientation; at least 1.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// How the pixels are stored.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Width × height.
    #[must_use]
    pub const fn pixels(&self) -> u64 {
        self.width as u64 * self.height as u64
    }
}

/// How the pixels are stored: what decides the cost of decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// From the frame header of a JPEG (ITU-T T.81, B.2.2).
    Jpeg {
        /// The coding process.
        process: JpegProcess,
        /// Bits of a sample.
        precision: u8,
        /// Colour components: 1 grey, 3 colour, 4 CMYK.
        components: u8,
        /// DCT coefficients of all components, padded to whole MCUs (T.81, A.2.4).
        coefficients: u64,
    },
    /// From the chunk IHDR of a PNG (third edition, 11.2.1).
    Png {
        /// The colour type.
        colour: PngColour,
        /// Bits of a sample or of an index into the palette: 1, 2, 4, 8 or 16.
        bit_depth: u8,
        /// Whether the rows come in the seven passes of Adam7.
        interlaced: bool,
    },
}

/// Why no header could be read.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Neither signature is there.
    #[error("the file is neither JPEG nor PNG")]
    NotAnImage,
    /// The signature is there, but what follows it is wrong.
    #[error("the {format} header is malformed: {what}")]
    Malformed {
        /// The format that the signature announces.
        format: ImageFormat,
        /// What is wrong, as a clause.
        what: &'static str,
    },
    /// The file could not be read.
    #[error("cannot read the file's header")]
    Io(#[source] io::Error),
}

/// What the readers of the two formats find; [`probe`] adds which format it was.
#[derive(Debug)]
enum Defect {
    Io(io::Error),
    Lie(&'static str),
}

impl From<io::Error> for Defect {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The next `N` bytes.
fn take<const N: usize>(source: &mut impl Read) -> Result<[u8; N], Defect> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
