//! The entropy-coded data of a scan, as bits.

mod bits;
mod reader;
mod window;

pub(crate) use bits::Bits;
pub(crate) use reader::Reader;
pub(crate) use window::{Buffer, Window};
