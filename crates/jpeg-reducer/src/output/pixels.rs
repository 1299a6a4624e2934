//! What is handed out.

/// Finished rows of a picture, the next from above.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The number of the first one, from 0.
    pub first: u32,
    /// How many there are; at least one.
    pub count: u32,
    /// Pixels of a row.
    pub width: u32,
    /// Bytes of a pixel: 1 for grey, 3 for red, green and blue, 4 for cyan, magenta, yellow and black, each an amount
    /// of ink: 0 for none, 255 for all.
    pub channels: usize,
    /// Row by row, without padding: `count × width × channels` bytes.
    pub samples: &'a [u8],
}

/// A whole picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes of a pixel, as in [`Rows::channels`].
    pub channels: usize,
    /// Row by row, without padding: `height × width × channels` bytes.
    pub samples: Vec<u8>,
}
