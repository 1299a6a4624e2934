//! The forward transform of one dimension.

/// The fractional part of a factor, for [`times`].
const fn fixed(value: f64) -> i16 {
    (value * 65_536.0) as i16
}

// With C(k) = cos (k π / 16); the last two less one.
const C6: i16 = fixed(0.382_683_432_365_089_8);
const C2_LESS_C6: i16 = fixed(0.541_196_100_146_197 - 1.0);
const C4: i16 = fixed(std::f64::consts::FRAC_1_SQRT_2 - 1.0);
const C2_AND_C6: i16 = fixed(1.306_562_964_876_376_4 - 1.0);

/// By what a coefficient comes out too large, beside the √8 that all do: √2 cos (k π / 16), and 1 for the first.
pub(crate) const FACTORS: [f64; 8] = [
    1.0,
    1.387_039_845_322_147_5,
    1.306_562_964_876_376_4,
    1.175_875_602_419_358_9,
    1.0,
    0.785_694_958_387_102_2,
    0.541_196_100_146_197,
    0.275_899_379_282_943,
];

/// `value` times a fraction of 2^16.
#[inline(always)]
const fn times(value: i16, fraction: i16) -> i16 {
    ((value as i32 * fraction as i32) >> 16) as i16
}

/// Eight coefficients of eight samples (A.3.3), each too large by √8 and its factor. Nothing overflows as long as no
/// sample is larger than 2,580.
#[inline(always)]
pub(crate) const fn forward([x0, x1, x2, x3, x4, x5, x6, x7]: [i16; 8]) -> [i16; 8] {
    let (s07, s16, s25, s34) = (x0 + x7, x1 + x6, x2 + x5, x3 + x4);
    let (d07, d16, d25, d34) = (x0 - x7, x1 - x6, x2 - x5, x3 - x4);

    let (outer, inner) = (s07 + s34, s16 + s25);
    let (outer_d, inner_d) = (s07 - s34, s16 - s25);
    let turned = inner_d + outer_d;
    let turned = turned + times(turned, C4);

    let (a, b, c) = (d34 + d25, d25 + d16, d16 + d07);
    let both = times(a - c, C6);
    let low = a + times(a, C2_LESS_C6) + both;
    let high = c + times(c, C2_AND_C6) + both;
    let middle = b + times(b, C4);
    let (plus, minus) = (d07 + middle, d07 - middle);

    [
        outer + inner,
        plus + high,
        outer_d + turned,
        minus - low,
        outer - inner,
        minus + low,
        outer_d - turned,
        plus - high,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_cosine_transform() {
        for seed in 0..500_i32 {
            let line: [i16; 8] = std::array::from_fn(|n| match seed {
                // The largest there may be, in every pattern of signs.
                0..256 => {
                    if seed >> n & 1 == 0 {
                        2_575
                    } else {
                        -2_575
                    }
                }
                _ => ((seed * 7_919 + n as i32 * 104_729) % 5_151 - 2_575) as i16,
            });
            for (k, (is, factor)) in forward(line).iter().zip(FACTORS).enumerate() {
                let cosine = |n: usize| ((2 * n + 1) as f64 * k as f64 * std::f64::consts::PI / 16.0).cos();
                let sum: f64 = line.iter().enumerate().map(|(n, x)| f64::from(*x) * cosine(n)).sum();
                let due = sum * if k == 0 { 1.0 } else { std::f64::consts::SQRT_2 } * factor;
                assert!((f64::from(*is) - due).abs() < 3.5, "{line:?} {k}: {is}, not {due}");
            }
        }
    }
}
