//! Inverse transforms of one dimension.
//!
//! The first N of 8 coefficients of a line, scaled as ITU-T T.81 (A.3.3) scales them, give N samples by the inverse
//! transform of N points: x(n) = Σ a(k) X(k) cos((2n + 1) k π / 2N), with a(0) = 1 and a(k) = √2. That is the line's
//! samples times √8, whatever N; the caller divides. (Keeping the corner of the coefficients is how R. Dugad and
//! N. Ahuja halve pictures: "A fast scheme for image size change in the compressed domain", 2001; libjpeg has done so
//! for 1/2, 1/4 and 1/8 since its beginnings.)
//!
//! Each transform folds the line in the middle: even coefficients give the same to both ends, odd ones the opposite.
//!
//! One line is plain arithmetic on numbers; the loop over many lines around it is what the compiler makes vectors of.

/// The inverse transform of `N` points.
pub(super) trait Points<const N: usize> {
    /// The sums are so many bits larger than the samples times √8.
    const BITS: u32;

    /// The samples, of 16-bit coefficients; only the first `KNOWN` of these need be looked at: the others are 0. In
    /// 32 bits, no sum overflows, whatever the coefficients.
    fn inverse<const KNOWN: usize>(line: [i32; N]) -> [i32; N];
}

/// Marks the implementation.
pub(super) struct Inverse;

/// Fractional bits of the constants. They stay below 2^15, so that a product needs 16 × 16 bits.
const BITS: u32 = 13;

const fn fixed(value: f64) -> i32 {
    (value * (1 << BITS) as f64 + 0.5) as i32
}

/// √2.
const ROOT_2: i32 = fixed(std::f64::consts::SQRT_2);

/// Of 3 and 6 points: √2 cos(k π / 12).
const T1: i32 = fixed(1.366_025_403_784_438_6);
const T2: i32 = fixed(1.224_744_871_391_589);
const T4: i32 = fixed(0.707_106_781_186_547_5);
const T5: i32 = fixed(0.366_025_403_784_438_65);

/// Of 5 points: √2 cos(k π / 10).
const F1: i32 = fixed(1.344_997_023_927_914_8);
const F2: i32 = fixed(1.144_122_805_635_369);
const F3: i32 = fixed(0.831_253_875_554_906_8);
const F4: i32 = fixed(0.437_016_024_448_821_05);

/// Of 4 and 8 points: √2 cos(k π / 16).
const C1: i32 = fixed(1.387_039_845_322_147_5);
const C2: i32 = fixed(1.306_562_964_876_376_4);
const C3: i32 = fixed(1.175_875_602_419_358_9);
const C5: i32 = fixed(0.785_694_958_387_102_2);
const C6: i32 = fixed(0.541_196_100_146_197);
const C7: i32 = fixed(0.275_899_379_282_943);

impl Points<1> for Inverse {
    const BITS: u32 = 0;

    #[inline(always)]
    fn inverse<const KNOWN: usize>(line: [i32; 1]) -> [i32; 1] {
        line
    }
}

impl Points<2> for Inverse {
    const BITS: u32 = 0;

    #[inline(always)]
    fn inverse<const KNOWN: usize>([x0, x1]: [i32; 2]) -> [i32; 2] {
        [x0 + x1, x0 - x1]
    }
}

impl Points<3> for Inverse {
    const BITS: u32 = BITS;

    #[inline(always)]
    fn inverse<const KNOWN: usize>([x0, x1, x2]: [i32; 3]) -> [i32; 3] {
        let x0 = x0 << BITS;
        let [e0, e1] = if KNOWN <= 2 { [x0; 2] } else { [x0 + x2 * T4, x0 - x2 * ROOT_2] };
        let o0 = x1 * T2;
        [e0 + o0, e1, e0 - o0]
    }
}

impl Points<4> for Inverse {
    const BITS: u32 = BITS;

    #[inline(always)]
    fn inverse<const KNOWN: usize>([x0, x1, x2, x3]: [i32; 4]) -> [i32; 4] {
        let [e0, e1] = if KNOWN <= 2 { [x0 << BITS; 2] } else { [(x0 + x2) << BITS, (x0 - x2) << BITS] };
        let [o0, o1] = if KNOWN <= 2 { [x1 * C2, x1 * C6] } else { [x1 * C2 + x3 * C6, x1 * C6 - x3 * C2] };
        [e0 + o0, e1 + o1, e1 - o1, e0 - o0]
    }
}

impl Points<5> for Inverse {
    const BITS: u32 = BITS;

    #[inline(always)]
    fn inverse<const KNOWN: usize>([x0, x1, x2, x3, x4]: [i32; 5]) -> [i32; 5] {
        let x0 = x0 << BITS;
        let ([mut e0, mut e1, mut e2], [mut o0, mut o1]) = ([x0; 3], [x1 * F1, x1 * F3]);
        if KNOWN > 2 {
            (e0, e1, e2) = (e0 + x2 * F2, e1 - x2 * F4, e2 - x2 * ROOT_2);
            (o0, o1) = (o0 + x3 * F3, o1 - x3 * F1);
        }
        if KNOWN > 4 {
            (e0, e1, e2) = (e0 + x4 * F4, e1 - x4 * F2, e2 + x4 * ROOT_2);
        }
        [e0 + o0, e1 + o1, e2, e1 - o1, e0 - o0]
    }
}

impl Points<6> for Inverse {
    const BITS: u32 = BITS;

    #[inline(always)]
    fn inverse<const KNOWN: usize>([x0, x1, x2, x3, x4, x5]: [i32; 6]) -> [i32; 6] {
        let x0 = x0 << BITS;
        let ([mut e0, mut e1, mut e2], [mut o0, mut o1, mut o2]) = ([x0; 3], [x1 * T1, x1 << BITS, x1 * T5]);
        if KNOWN > 2 {
            let x3 = x3 << BITS;
            (e0, e2) = (e0 + x2 * T2, e2 - x2 * T2);
            (o0, o1, o2) = (o0 + x3, o1 - x3, o2 - x3);
        }
        if KNOWN > 4 {
            (e0, e1, e2) = (e0 + x4 * T4, e1 - x4 * ROOT_2, e2 + x4 * T4);
            (o0, o1, o2) = (o0 + x5 * T5, o1 - (x5 << BITS), o2 + x5 * T1);
        }
        [e0 + o0, e1 + o1, e2 + o2, e2 - o2, e1 - o1, e0 - o0]
    }
}

impl Points<8> for Inverse {
    const BITS: u32 = BITS;

    #[inline(always)]
    fn inverse<const KNOWN: usize>([x0, x1, x2, x3, x4, x5, x6, x7]: [i32; 8]) -> [i32; 8] {
        let (mut even, mut odd) = ([x0 << BITS; 4], [x1 * C1, x1 * C3, x1 * C5, x1 * C7]);
        if KNOWN > 2 {
            add(&mut even, [x2 * C2, x2 * C6, -x2 * C6, -x2 * C2]);
            add(&mut odd, [x3 * C3, -x3 * C7, -x3 * C1, -x3 * C5]);
        }
        if KNOWN > 4 {
            let x4 = x4 << BITS;
            add(&mut even, [x4 + x6 * C6, -x4 - x6 * C2, -x4 + x6 * C2, x4 - x6 * C6]);
            add(&mut odd, [x5 * C5, -x5 * C1, x5 * C7, x5 * C3]);
            add(&mut odd, [x7 * C7, -x7 * C5, x7 * C3, -x7 * C1]);
        }
        let ([e0, e1, e2, e3], [o0, o1, o2, o3]) = (even, odd);
        [e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0]
    }
}

#[inline(always)]
fn add(sums: &mut [i32; 4], terms: [i32; 4]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<const N: usize, const KNOWN: usize>()
    where
        Inverse: Points<N>,
    {
        for i in 0..8 {
            let line: [i32; N] =
                std::array::from_fn(|k| if k < KNOWN { (k as i32 * 37 + i * 101) % 400 - 200 } else { 0 });
            let sums = <Inverse as Points<N>>::inverse::<KNOWN>(line);
            for (n, sum) in sums.iter().enumerate() {
                let exact: f64 = (0..N)
                    .map(|k| {
                        let angle = (2 * n + 1) as f64 * k as f64 * std::f64::consts::PI / (2 * N) as f64;
                        let scale = if k == 0 { 1.0 } else { 2_f64.sqrt() };
                        scale * f64::from(line[k]) * angle.cos()
                    })
                    .sum();
                let sum = f64::from(*sum) / f64::from(1 << <Inverse as Points<N>>::BITS);
                assert!((sum - exact).abs() < 0.1, "{N} points, sample {n}: {sum}, not {exact}");
            }
        }
    }

    #[test]
    fn all_transforms_are_those_of_the_formula() {
        check::<1, 2>();
        check::<2, 2>();
        check::<3, 2>();
        check::<3, 3>();
        check::<4, 2>();
        check::<4, 4>();
        check::<5, 2>();
        check::<5, 4>();
        check::<5, 5>();
        check::<6, 2>();
        check::<6, 4>();
        check::<6, 6>();
        check::<8, 2>();
        check::<8, 4>();
        check::<8, 8>();
    }

    #[test]
    fn the_wildest_coefficients_do_not_overflow() {
        for signs in 0..256_u32 {
            let extreme = |k: usize| i32::from(if signs >> k & 1 == 0 { i16::MIN } else { i16::MAX });
            let _no_panic = <Inverse as Points<8>>::inverse::<8>(std::array::from_fn(extreme));
            let _no_panic = <Inverse as Points<6>>::inverse::<8>(std::array::from_fn(extreme));
            let _no_panic = <Inverse as Points<5>>::inverse::<8>(std::array::from_fn(extreme));
            let _no_panic = <Inverse as Points<3>>::inverse::<8>(std::array::from_fn(extreme));
        }
    }
}
