//! A JPEG decoder for thumbnails.
//!
//! It decodes pictures reduced to one to six eighths of their sides, or in full, reads exactly what the reduced picture
//! needs, and skips the rest. It is safe Rust, works on one thread, and holds no more than a strip of a picture that comes in
//! one scan.
//!
//! ```
//! # fn thumbnail(file: &[u8]) -> Result<(), jpeg_reducer::Error> {
//! use jpeg_reducer::{Decoder, Options, Reduction};
//!
//! let decoder = Decoder::new(file)?;
//! let (width, height) = decoder.size(Reduction::Quarter);
//! println!("{width} × {height}, needs {} bytes at most", decoder.memory_bytes(Reduction::Quarter));
//! decoder.decode(&Options::new(Reduction::Quarter), &mut |rows| {
//!     // `rows.count` finished rows of the picture, from the row `rows.first` on, are in `rows.samples`.
//! })?;
//! # Ok(())
//! # }
//! # assert_eq!(thumbnail(b"no picture"), Err(jpeg_reducer::Error::NotJpeg));
//! ```
//!
//! Section numbers below are those of ITU-T T.81, which is the JPEG standard.
//!
//! # Which coefficients are needed
//!
//! A block of 8 × 8 samples is coded as 64 coefficients of cosines (A.3.3). The N × M of them with the lowest
//! frequencies, put through the inverse transform of N × M points, are a block of N × M samples: the picture, reduced
//! by 8/N and 8/M, with what is too fine for it left out. (R. Dugad and N. Ahuja, "A fast scheme for image size change
//! in the compressed domain", 2001, describe it for one half. libjpeg's scaled decoding is of the same family.) With
//! N = 2 and N = 1 there is nothing to multiply; the others fold the line in the middle, so that half of the products do
//! for both ends.
//!
//! A component with fewer samples than the others is reduced less: at 1/4, blocks of luminance become 2 × 2 samples,
//! and those of a colour difference that is subsampled by two in both directions 4 × 4, which are as many pixels. Each
//! direction goes by itself. So colour is neither lost nor enlarged again, unless the transform's 8 points do not
//! suffice: then samples are mixed by their distance.
//!
//! Eight blocks lie side by side in memory, coefficient by coefficient, and are transformed together: plain loops over
//! them are what a compiler makes vector instructions of, on any machine.
//!
//! Who goes on with components, as an encoder does, takes them by themselves ([`Decoder::decode_planes`]): then all are reduced
//! alike, and one that is subsampled stays so.
//!
//! # Skipping
//!
//! In the zigzag order of a scan, the last coefficient that is needed has the number 4 for 2 × 2 samples, 12 for
//! 3 × 3 and 24 for 4 × 4. Codes up to it are looked up together with their values: 10 bits of look-ahead give run, value, and the
//! length of both. Of what follows in the block, only lengths matter. A second table, over 12 bits, adds up as many
//! symbols as *begin* in the look-ahead and have their whole code there; the bits of the last value may lie beyond, for
//! their number is known. An entry is the sum of lengths, the sum of advances in zigzag order, and whether "end of
//! block" is among the symbols. It holds as long as the block does not end before the entry: after the last
//! coefficient there is no symbol for the end (F.1.2.2). Hence the sums of advances are compared with 64 after each
//! pair of look-ups, and where the end falls inside, one symbol is read at a time.
//!
//! # Bits
//!
//! A byte FF in the data is followed by a stuffed 00 (F.1.2.3). The data is copied, some kilobytes at a time, without
//! stuffing, so that the loops above need not look for it. Where the data ends, ones follow: no code consists of ones
//! only (C.2), so whoever reads too far finds no code, and is told where the data ended. Bits are taken from a register
//! that is refilled with one load of eight bytes and no branch (F. Giesen, "Reading bits in far too many ways", 2018).
//!
//! # Progressive pictures
//!
//! The headers of all scans are looked at first: whether they are in order and complete, how much work they are, and
//! which of them the reduced picture depends on. The others are passed over by looking for the next marker. Only the
//! coefficients that are kept are stored. A refinement has one bit for each coefficient that is not 0 already
//! (G.1.2.3); for those that are not kept, a mask of one bit a coefficient remembers it, and their correction bits are
//! counted and skipped. The picture is the same as if everything had been read.
//!
//! # Damage
//!
//! Data that ends too early, codes that do not exist, runs beyond the block, restart markers missing or out of turn,
//! scans missing or out of order, data left over behind the last MCU, and lost data that was filled with zeros are all
//! errors with a position, wherever the reduced picture depends on them. A missing end marker, fill bytes, and a few stray bytes are not. See [`Damage`] for callers
//! who want what can be had, and [`Scrutiny`] for those who want certainty about scans that are passed over.

mod colour_model;
mod decoder;
mod entropy;
mod error;
mod frame;
mod huffman;
mod marker;
mod options;
mod output;
mod run;
mod scan;
mod tables;
mod transform;

pub use colour_model::ColourModel;
pub use decoder::{Decoder, Info};
pub use error::{Error, Feature};
pub use frame::Process;
pub use options::{Damage, Limits, Options, Reduction, Scrutiny};
pub use output::{Picture, PlaneRow, PlaneSize, Rows};
