//! A JPEG encoder for thumbnails.
//!
//! It writes baseline JPEG, grey or with colour differences at half the width and height (4:2:0), in one scan, with
//! Huffman tables made for the picture. It is safe Rust, works on one thread, and takes samples either as red, green and blue or
//! already as luminance and colour differences, so that who has these need not convert them twice.
//!
//! ```
//! use jpeg_writer::{Picture, Quality};
//!
//! let rgb = [200, 30, 30].repeat(32 * 20);
//! let file = Picture::from_rgb(32, 20, &rgb)?.encode(Quality::new(80));
//! assert!(file.starts_with(&[0xff, 0xd8]));
//! # Ok::<(), jpeg_writer::Error>(())
//! ```
//!
//! Section numbers below are those of ITU-T T.81, which is the JPEG standard.
//!
//! # Eight blocks at a time
//!
//! Eight blocks of 8 × 8 samples that lie side by side are a tile. Its columns are transformed first: a row of the tile is 64
//! samples that lie side by side in memory, and each of them is one lane. Between the passes each row is turned, so that
//! the same sample of all eight blocks lies side by side, and the rows are transformed with a block in each lane. All of
//! it is 16-bit arithmetic in plain loops, which a compiler makes vector instructions of, on any machine.
//!
//! The transform is that of Y. Arai, T. Agui and M. Nakajima ("A fast DCT-SQ scheme for images", 1988): five products for
//! eight samples, since each coefficient comes out with a factor of its own. The factors are part of what the
//! coefficients are divided by when they are quantised, which is done by multiplying with reciprocals.
//!
//! # Two passes
//!
//! A first pass turns coefficients into symbols (F.1.2) and counts them; a second one writes the codes that are best for these counts
//! (K.2). Which coefficients of a block are not 0 is known as a mask of 64 bits, made for eight blocks at once, so
//! that runs of zeros cost nothing: the next coefficient is the next bit.

mod bits;
mod colour;
mod component;
mod file;
mod huffman;
mod picture;
mod quantisation;
mod symbols;
mod tile;
mod transform;

pub use picture::{Error, Picture};
pub use quantisation::Quality;
