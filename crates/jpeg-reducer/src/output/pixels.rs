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

/// A finished row of one component; of each component, the next from above.
#[derive(Debug, Clone, Copy)]
pub struct PlaneRow<'a> {
    /// Which component, in the order of the frame header: of `YCbCr`, luminance first.
    pub component: usize,
    /// The number of the row, from 0.
    pub row: u32,
    /// One byte a sample, as the component has them.
    pub samples: &'a [u8],
}

/// How large a component is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaneSize {
    /// Samples of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// How many samples the picture is wide: the last one may lie across its edge.
    pub across: f64,
    /// How many samples the picture is high, likewise.
    pub down: f64,
}

/// Who takes what is finished.
pub(crate) enum Take<'t> {
    Pixels(&'t mut dyn FnMut(Rows<'_>)),
    Planes(&'t mut dyn FnMut(PlaneRow<'_>)),
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
