//! From components to pixels.

use crate::colour_model::ColourModel;

/// Fractional bits of the factors below. They stay below 2^15, so that a product needs 16 × 16 bits.
const BITS: u32 = 14;

/// What brings the fractional bits of a product to 16, its lower half.
const SCALE: i16 = 1 << (16 - BITS);

const fn fixed(value: f64) -> i16 {
    (value * (1 << BITS) as f64 + 0.5) as i16
}

// ITU-T T.871, clause 7.
const CR_TO_R: i16 = fixed(1.402);
const CB_TO_G: i16 = fixed(0.344_136_286);
const CR_TO_G: i16 = fixed(0.714_136_286);
const CB_TO_B: i16 = fixed(1.772);

/// Pixels that are converted together.
const SOME: usize = 64;

/// Makes one row of pixels of a row of each component. All have the same number of samples.
pub(super) fn convert(model: ColourModel, rows: &[&[u8]], pixels: &mut [u8]) {
    match (model, rows) {
        (ColourModel::YCbCr, [y, cb, cr]) => ycbcr([y, cb, cr], pixels),
        (ColourModel::Cmyk { inverted: true }, [c, m, y, k]) => {
            interleave_4([c, m, y, k], pixels, |ink| !ink)
        }
        (ColourModel::Cmyk { inverted: false }, [c, m, y, k]) => {
            interleave_4([c, m, y, k], pixels, |ink| ink)
        }
        (ColourModel::Ycck, [y, cb, cr, k]) => ycck([y, cb, cr, k], pixels),
        (_, [a, b, c]) => {
            let (pixels, _) = pixels.as_chunks_mut::<3>();
            for (((pixel, a), b), c) in pixels.iter_mut().zip(*a).zip(*b).zip(*c) {
                *pixel = [*a, *b, *c];
            }
        }
        (_, [grey, ..]) => {
            pixels.iter_mut().zip(*grey).for_each(|(pixel, grey)| *pixel = *grey);
        }
        (_, []) => {}
    }
}

fn interleave_4([c, m, y, k]: [&[u8]; 4], pixels: &mut [u8], ink: impl Fn(u8) -> u8) {
    let (pixels, _) = pixels.as_chunks_mut::<4>();
    for ((((pixel, c), m), y), k) in pixels.iter_mut().zip(c).zip(m).zip(y).zip(k) {
        *pixel = [ink(*c), ink(*m), ink(*y), ink(*k)];
    }
}

/// The file has 255 for no ink, and of the first three what shines through: what is light in it is the amount of ink.
fn ycck([y, cb, cr, k]: [&[u8]; 4], pixels: &mut [u8]) {
    let (pixels, _) = pixels.as_chunks_mut::<4>();
    for ((((pixel, y), cb), cr), k) in pixels.iter_mut().zip(y).zip(cb).zip(cr).zip(k) {
        let [r, g, b] = rgb(*y, *cb, *cr);
        *pixel = [r, g, b, !*k];
    }
}

fn ycbcr([y, cb, cr]: [&[u8]; 3], pixels: &mut [u8]) {
    let rows = y.chunks(SOME).zip(cb.chunks(SOME)).zip(cr.chunks(SOME));
    for (pixels, ((y, cb), cr)) in pixels.chunks_mut(3 * SOME).zip(rows) {
        // Red and green together, so that all numbers of this loop have 16 bits.
        let [mut both, mut blues] = [[0_u16; SOME]; 2];
        for ((both, blue), ((y, cb), cr)) in both.iter_mut().zip(&mut blues).zip(y.iter().zip(cb).zip(cr)) {
            let [r, g, b] = rgb(*y, *cb, *cr);
            *both = u16::from(r) | u16::from(g) << 8;
            *blue = u16::from(b);
        }
        let mut wide = [0; SOME];
        for ((wide, both), blue) in wide.iter_mut().zip(both).zip(blues) {
            *wide = u32::from(both) | u32::from(blue) << 16;
        }
        pack(&wide, pixels);
    }
}

/// Red, green and blue of a pixel, rounded. In 16 bits, of which a vector holds more than of 32: a product comes in two
/// halves, and the lower one only says whether to round up.
#[inline(always)]
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i16::from(y), (i16::from(cb) - 128) * SCALE, (i16::from(cr) - 128) * SCALE);
    let (red, red_low) = product(cr, CR_TO_R);
    let (blue, blue_low) = product(cb, CB_TO_B);
    let ((of_cb, cb_low), (of_cr, cr_low)) = (product(-cb, CB_TO_G), product(-cr, CR_TO_G));
    // The lower halves are multiples of `SCALE`, so that nothing is lost.
    let carry = (cb_low / 4 + cr_low / 4 + (1 << 13)) >> 14;
    let shade = |difference: i16| (y + difference).clamp(0, 255) as u8;
    [
        shade(red + (red_low >> 15) as i16),
        shade(of_cb + of_cr + carry as i16),
        shade(blue + (blue_low >> 15) as i16),
    ]
}

/// The two halves of a product.
#[inline(always)]
const fn product(a: i16, b: i16) -> (i16, u16) {
    (((a as i32 * b as i32) >> 16) as i16, a.wrapping_mul(b) as u16)
}

/// Puts pixels of three bytes side by side: four at once, by way of registers.
#[inline(always)]
fn pack(wide: &[u32; SOME], pixels: &mut [u8]) {
    let (fours, _) = wide.as_chunks::<4>();
    let (places, rest) = pixels.as_chunks_mut::<12>();
    for (place, [p, q, s, t]) in places.iter_mut().zip(fours) {
        let head = u64::from(*p) | u64::from(*q) << 24 | u64::from(*s) << 48;
        let tail = s >> 16 | t << 8;
        let (first, last) = place.split_at_mut(8);
        first.copy_from_slice(&head.to_le_bytes());
        last.copy_from_slice(&tail.to_le_bytes());
    }
    let (rest, _) = rest.as_chunks_mut::<3>();
    for (place, pixel) in rest.iter_mut().zip(wide.iter().skip(4 * places.len())) {
        let [r, g, b, _] = pixel.to_le_bytes();
        *place = [r, g, b];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ycbcr_becomes_rgb_by_the_formula() {
        let all = |step: usize| (0..4099).map(|i| (i * step % 256) as u8).collect::<Vec<_>>();
        let (y, cb, cr) = (all(7), all(11), all(29));
        let mut pixels = vec![0; 3 * y.len()];
        convert(ColourModel::YCbCr, &[&y, &cb, &cr], &mut pixels);
        for (((pixel, y), cb), cr) in pixels.chunks(3).zip(y).zip(cb).zip(cr) {
            let (y, cb, cr) = (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0);
            let due = [y + 1.402 * cr, y - 0.344_136_286 * cb - 0.714_136_286 * cr, y + 1.772 * cb];
            for (is, due) in pixel.iter().zip(due) {
                assert!((f64::from(*is) - due.clamp(0.0, 255.0)).abs() < 0.52, "{is}, not {due}");
            }
        }
    }

    #[test]
    fn halves_of_products_round_as_whole_ones_do() {
        let rounded = |sum: i32| (sum + (1 << (BITS - 1))) >> BITS;
        let factors = [CR_TO_R, CB_TO_G, CR_TO_G, CB_TO_B].map(i32::from);
        for (cb, cr) in (0..=255).flat_map(|cb| (0..=255).map(move |cr| (cb, cr))) {
            let (b, r) = (i32::from(cb) - 128, i32::from(cr) - 128);
            let [r_r, b_g, r_g, b_b] = factors;
            let differences = [rounded(r * r_r), rounded(-b * b_g - r * r_g), rounded(b * b_b)];
            // Light and dark ones, so that no difference is cut off in both.
            for y in [0, 90, 165, 255] {
                let due = differences.map(|difference| (i32::from(y) + difference).clamp(0, 255) as u8);
                assert_eq!(rgb(y, cb, cr), due, "{y}, {cb}, {cr}");
            }
        }
    }

    #[test]
    fn inks_are_amounts_of_ink() {
        let rows: [&[u8]; 4] = [&[255], &[0], &[10], &[200]];
        let of = |model| {
            let mut pixel = [0; 4];
            convert(model, &rows, &mut pixel);
            pixel
        };
        assert_eq!(of(ColourModel::Cmyk { inverted: false }), [255, 0, 10, 200]);
        assert_eq!(of(ColourModel::Cmyk { inverted: true }), [0, 255, 245, 55]);
        let mut pixel = [0; 4];
        convert(ColourModel::Ycck, &[&[90], &[128], &[128], &[200]], &mut pixel);
        assert_eq!(pixel, [90, 90, 90, 55]);
    }

    #[test]
    fn rgb_and_grey_are_as_they_are() {
        let mut pixels = [0; 6];
        convert(ColourModel::Rgb, &[&[1, 4], &[2, 5], &[3, 6]], &mut pixels);
        assert_eq!(pixels, [1, 2, 3, 4, 5, 6]);
        convert(ColourModel::Grey, &[&[1, 4]], &mut pixels[..2]);
        assert_eq!(pixels[..2], [1, 4]);
    }
}
