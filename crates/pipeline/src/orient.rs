//! Turning a picture upright.

use super::pixels::Pixels;
use darkroom_domain::Orientation;

/// The picture as it is to be shown (CIPA DC-008, 4.6.4, tag Orientation).
pub(super) fn upright(pixels: Pixels, orientation: Orientation) -> Pixels {
    if orientation == Orientation::UPRIGHT {
        return pixels;
    }
    let (width, height) = (pixels.width(), pixels.height());
    let (shown_width, shown_height) =
        if orientation.swaps_sides() { (height, width) } else { (width, height) };
    let steps = Steps::new(orientation, (width as usize, height as usize));
    let samples = match pixels.channels().count() {
        1 => steps.turn::<1>(pixels.samples(), shown_width as usize),
        2 => steps.turn::<2>(pixels.samples(), shown_width as usize),
        3 => steps.turn::<3>(pixels.samples(), shown_width as usize),
        _ => steps.turn::<4>(pixels.samples(), shown_width as usize),
    };
    Pixels::new(shown_width, shown_height, pixels.channels(), samples).unwrap_or(pixels)
}

/// Whether the last column is shown first, and whether the last row is: in which direction does not matter.
pub(super) fn mirrors(orientation: Orientation) -> (bool, bool) {
    let orientation = orientation.exif();
    (matches!(orientation, 2 | 3 | 7 | 8), matches!(orientation, 3 | 4 | 6 | 7))
}

/// Where the pixels that are shown are stored: from the first one on, so many pixels farther for each one to the right, and
/// for each one down.
struct Steps {
    first: usize,
    right: isize,
    down: isize,
}

impl Steps {
    fn new(orientation: Orientation, (width, height): (usize, usize)) -> Self {
        let row = width.cast_signed();
        let (top_right, bottom_left) = (width - 1, (height - 1) * width);
        let (first, right, down) = match orientation.exif() {
            2 => (top_right, -1, row),
            3 => (bottom_left + top_right, -1, -row),
            4 => (bottom_left, 1, -row),
            5 => (0, row, 1),
            6 => (bottom_left, -row, 1),
            7 => (bottom_left + top_right, -row, -1),
            8 => (top_right, row, -1),
            _ => (0, 1, row),
        };
        Self { first, right, down }
    }

    /// The pixels of `N` samples as they are shown, in rows of `shown_width`.
    fn turn<const N: usize>(&self, samples: &[u8], shown_width: usize) -> Vec<u8> {
        let (stored, _) = samples.as_chunks::<N>();
        let mut shown = vec![[0; N]; stored.len()];
        let mut first = self.first;
        for row in shown.chunks_mut(shown_width) {
            let mut at = first;
            for pixel in row {
                *pixel = stored.get(at).copied().unwrap_or([0; N]);
                at = at.wrapping_add_signed(self.right);
            }
            first = first.wrapping_add_signed(self.down);
        }
        shown.into_flattened()
    }
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

    #[test]
    fn a_mirrored_side_is_shown_from_its_end() {
        for orientation in (1..=8).filter_map(Orientation::from_exif) {
            let stored = Pixels::new(3, 2, Channels::Grey, vec![1, 2, 3, 4, 5, 6]).unwrap();
            let shown = upright(stored, orientation);
            let place = |sample| shown.samples().iter().position(|shown| *shown == sample);
            assert_eq!(mirrors(orientation), (place(3) < place(1), place(4) < place(1)), "{orientation:?}");
        }
    }

    #[test]
    fn samples_of_a_pixel_stay_together() {
        for channels in [Channels::GreyAlpha, Channels::Rgb, Channels::Rgba] {
            let pixel = |which: u8| (0..channels.count()).map(move |at| which * 10 + at as u8);
            let picture = |order: [u8; 3]| order.into_iter().flat_map(pixel).collect::<Vec<_>>();
            let stored = Pixels::new(1, 3, channels, picture([1, 2, 3])).unwrap();
            let shown = upright(stored, Orientation::from_exif(6).unwrap());
            assert_eq!((shown.width(), shown.height()), (3, 1));
            assert_eq!(shown.samples(), picture([3, 2, 1]), "{channels:?}");
        }
    }
}
