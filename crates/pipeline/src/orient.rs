//! Turning a picture upright.

use super::pixels::Pixels;
use darkroom_domain::Orientation;

/// The picture as it is to be shown (CIPA DC-008, 4.6.4, tag Orientation).
pub(super) fn upright(pixels: Pixels, orientation: Orientation) -> Pixels {
    if orientation == Orientation::UPRIGHT {
        return pixels;
    }
    let (width, height) = (pixels.width(), pixels.height());
    let (right, bottom) = (width - 1, height - 1);
    // Where the pixel shown at (x, y) is stored.
    let stored: fn(u32, u32, u32, u32) -> (u32, u32) = match orientation.exif() {
        2 => |x, y, right, _| (right - x, y),
        3 => |x, y, right, bottom| (right - x, bottom - y),
        4 => |x, y, _, bottom| (x, bottom - y),
        5 => |x, y, _, _| (y, x),
        6 => |x, y, _, bottom| (y, bottom - x),
        7 => |x, y, right, bottom| (right - y, bottom - x),
        8 => |x, y, right, _| (right - y, x),
        _ => |x, y, _, _| (x, y),
    };
    let (shown_width, shown_height) =
        if orientation.swaps_sides() { (height, width) } else { (width, height) };
    let size = pixels.channels().count();
    let mut samples = Vec::with_capacity(pixels.samples().len());
    for y in 0..shown_height {
        for x in 0..shown_width {
            let (x, y) = stored(x, y, right, bottom);
            let start = (y as usize * width as usize + x as usize) * size;
            samples.extend_from_slice(pixels.samples().get(start..start + size).unwrap_or_default());
        }
    }
    Pixels::new(shown_width, shown_height, pixels.channels(), samples).unwrap_or(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Channels;

    /// ```text
    /// 1 2 3
    /// 4 5 6
    /// ```
    /// shown in each orientation, row by row.
    #[test]
    fn each_orientation_is_undone() {
        let shown = |orientation| {
            let stored = Pixels::new(3, 2, Channels::Grey, vec![1, 2, 3, 4, 5, 6]).unwrap();
            let shown = upright(stored, Orientation::from_exif(orientation).unwrap());
            (shown.width(), shown.height(), shown.samples().to_vec())
        };
        assert_eq!(shown(1), (3, 2, vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(shown(2), (3, 2, vec![3, 2, 1, 6, 5, 4]));
        assert_eq!(shown(3), (3, 2, vec![6, 5, 4, 3, 2, 1]));
        assert_eq!(shown(4), (3, 2, vec![4, 5, 6, 1, 2, 3]));
        assert_eq!(shown(5), (2, 3, vec![1, 4, 2, 5, 3, 6]));
        assert_eq!(shown(6), (2, 3, vec![4, 1, 5, 2, 6, 3]));
        assert_eq!(shown(7), (2, 3, vec![6, 3, 5, 2, 4, 1]));
        assert_eq!(shown(8), (2, 3, vec![3, 6, 2, 5, 1, 4]));
    }
}
