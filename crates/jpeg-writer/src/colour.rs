//! From red, green and blue to luminance and colour differences (ITU-T T.871, clause 7).

/// A factor as a fraction of 2^16.
const fn fixed(value: f64) -> u16 {
    (value * 65_536.0 + 0.5) as u16
}

const R_TO_Y: u16 = fixed(0.299);
const G_TO_Y: u16 = fixed(0.587);
const B_TO_Y: u16 = fixed(0.114);
const R_TO_CB: u16 = fixed(0.168_735_892);
const G_TO_CB: u16 = fixed(0.331_264_108);
const HALF: u16 = fixed(0.5);
const G_TO_CR: u16 = fixed(0.418_687_589);
const B_TO_CR: u16 = fixed(0.081_312_411);

/// Fractional bits of the numbers below. With 8 bits before them and a sign, that is what fits into 16.
const BITS: u32 = 7;

/// Two rows of a picture, or one twice: red, green and blue apart, in pairs.
struct Rows {
    width: usize,
    upper: [Vec<u8>; 3],
    lower: [Vec<u8>; 3],
}

/// Luminance, and the two differences at half the width and height, of a picture that has pixels.
pub(crate) fn planes(rgb: &[u8], width: usize, height: usize) -> [Vec<u8>; 3] {
    let half = width.div_ceil(2);
    let [mut y, mut cb, mut cr] = [width * height, half * height.div_ceil(2), half * height.div_ceil(2)]
        .map(|samples| vec![0; samples]);
    let row = || std::array::from_fn(|_| vec![0; 2 * half]);
    let mut rows = Rows { width, upper: row(), lower: row() };
    let to = y.chunks_mut(2 * width).zip(cb.chunks_mut(half)).zip(cr.chunks_mut(half));
    for (rgb, ((y, cb), cr)) in rgb.chunks(2 * 3 * width).zip(to) {
        rows.take_apart(rgb);
        for (row, y) in [&rows.upper, &rows.lower].into_iter().zip(y.chunks_mut(width)) {
            luminance(row, y);
        }
        rows.differences(cb, cr);
    }
    [y, cb, cr]
}

impl Rows {
    fn take_apart(&mut self, rgb: &[u8]) {
        let (upper, lower) = rgb.split_at(3 * self.width);
        take_apart(upper, &mut self.upper);
        take_apart(if lower.is_empty() { upper } else { lower }, &mut self.lower);
    }

    fn differences(&self, cb: &mut [u8], cr: &mut [u8]) {
        let ([r, g, b], [r2, g2, b2]) = (
            self.upper.each_ref().map(|row| row.as_chunks::<2>().0),
            self.lower.each_ref().map(|row| row.as_chunks::<2>().0),
        );
        let (upper, lower) = (r.iter().zip(g).zip(b), r2.iter().zip(g2).zip(b2));
        for (((cb, cr), ((r, g), b)), ((r2, g2), b2)) in cb.iter_mut().zip(cr).zip(upper).zip(lower) {
            let (r, g, b) = (four(*r, *r2), four(*g, *g2), four(*b, *b2));
            *cb = difference(b, [(r, R_TO_CB), (g, G_TO_CB)]);
            *cr = difference(r, [(g, G_TO_CR), (b, B_TO_CR)]);
        }
    }
}

/// A last pixel without a neighbour gets one like itself.
fn take_apart(rgb: &[u8], [red, green, blue]: &mut [Vec<u8>; 3]) {
    let (pixels, _) = rgb.as_chunks::<3>();
    let to = red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut());
    for (((red, green), blue), pixel) in to.zip(pixels) {
        [*red, *green, *blue] = *pixel;
    }
    if pixels.len() % 2 == 1 {
        for (row, last) in [red, green, blue].into_iter().zip(pixels.last().into_iter().flatten()) {
            row.last_mut().into_iter().for_each(|place| *place = *last);
        }
    }
}

fn luminance([red, green, blue]: &[Vec<u8>; 3], y: &mut [u8]) {
    for (((y, r), g), b) in y.iter_mut().zip(red).zip(green).zip(blue) {
        let sum = part(one(*r), R_TO_Y) + part(one(*g), G_TO_Y) + part(one(*b), B_TO_Y);
        // A part is cut off, and loses half of its last digit by that; of three it is one and a half.
        *y = ((sum + (1 << (BITS - 1)) + 1) >> BITS) as u8;
    }
}

/// A sample, with [`BITS`] after the point.
#[inline(always)]
const fn one(sample: u8) -> u16 {
    (sample as u16) << BITS
}

/// The mean of four samples, likewise.
#[inline(always)]
const fn four([a, b]: [u8; 2], [c, d]: [u8; 2]) -> u16 {
    (a as u16 + b as u16 + c as u16 + d as u16) << (BITS - 2)
}

/// So much of a number.
#[inline(always)]
const fn part(number: u16, factor: u16) -> u16 {
    ((number as u32 * factor as u32) >> 16) as u16
}

/// Half of a colour less parts of the two others, around 128.
#[inline(always)]
const fn difference(of: u16, [(a, of_a), (b, of_b)]: [(u16, u16); 2]) -> u8 {
    // What is cut off of the parts makes the difference larger by one on average.
    let rounding = (128 << BITS) + (1 << (BITS - 1)) - 1;
    let level = (part(of, HALF) + rounding - part(a, of_a) - part(b, of_b)) >> BITS;
    if level > 255 { 255 } else { level as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_standard() {
        for colour in 0..4096_u32 {
            let [r, g, b] = [colour & 15, colour >> 4 & 15, colour >> 8].map(|level| (level * 17) as u8);
            let [y, cb, cr] = planes(&[r, g, b], 1, 1);
            let (red, green, blue) = (f64::from(r), f64::from(g), f64::from(b));
            let due = [
                0.299 * red + 0.587 * green + 0.114 * blue,
                128.0 - 0.168_735_892 * red - 0.331_264_108 * green + 0.5 * blue,
                128.0 + 0.5 * red - 0.418_687_589 * green - 0.081_312_411 * blue,
            ];
            for (is, due) in [y, cb, cr].iter().zip(due) {
                assert!((f64::from(is[0]) - due.min(255.0)).abs() < 0.53, "{r} {g} {b}: {is:?}, not {due}");
            }
        }
    }

    #[test]
    fn grey_has_no_differences() {
        for level in 0..=255 {
            assert_eq!(planes(&[level; 12], 2, 2), [vec![level; 4], vec![128], vec![128]]);
        }
    }

    #[test]
    fn four_pixels_share_a_difference_and_the_last_ones_stand_for_their_neighbours() {
        let blue = |level| [0, 0, level];
        let picture =
            [blue(0), blue(80), blue(8), blue(160), blue(240), blue(8), blue(40), blue(40), blue(80)];
        let [y, cb, cr] = planes(picture.as_flattened(), 3, 3);
        assert_eq!((y.len(), cb.len(), cr.len()), (9, 4, 4));
        // Half of 120, 8, 40, 80 above 128.
        assert_eq!(cb, [188, 132, 148, 168]);
    }
}
