//! What is peculiar to JPEG.

use super::pictures::{self, busy, corners, jpeg_of, jpeg_with, progressive, with_segment};
use super::*;
use jpeg_encoder::{ColorType, SamplingFactor};

#[test]
fn every_process_sampling_and_restart_interval_decodes_alike() {
    let picture = corners(1600, 1210);
    for sampling in
        [SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_2, SamplingFactor::R_4_4_0, SamplingFactor::R_4_1_1]
    {
        for (progressive, interval) in [(false, 0), (true, 0), (false, 1), (false, 7), (true, 50)] {
            let file = jpeg_with(&picture, |encoder| {
                encoder.set_sampling_factor(sampling);
                encoder.set_progressive(progressive);
                if interval > 0 {
                    encoder.set_restart_interval(interval);
                }
            });
            let made =
                thumbnails(&file).unwrap_or_else(|e| panic!("{sampling:?} {progressive} {interval}: {e}"));
            assert_corners(&made.small);
            assert_corners(&made.medium);
        }
    }
}

#[test]
fn no_reduction_moves_a_pixel() {
    // Sides of which none is a multiple of what it is reduced by; a wave so short that a tenth of a pixel shows.
    for (width, height) in
        [(500, 333), (959, 719), (1_151, 863), (1_439, 1_077), (2_003, 1_501), (4_001, 3_003)]
    {
        let (wide, high) = resize::fit(width, height, 512);
        let wave = |at: f64, period: f64| (at * std::f64::consts::TAU / period).sin() * 50.0;
        let shade = |x: f64, y: f64| 128.0 + wave(x, 7.0) + wave(y, 5.0);
        let (across, down) = (f64::from(wide) / f64::from(width), f64::from(high) / f64::from(height));
        let samples: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (f64::from(x) + 0.5, f64::from(y) + 0.5)))
            .map(|(x, y)| shade(x * across, y * down) as u8)
            .collect();
        let file = jpeg_of(&samples, width, height, ColorType::Luma, |_| {});
        let upright = darkroom_domain::Orientation::UPRIGHT;
        let medium = render(&file, &header(&file), upright, &LIMITS, &|| false).unwrap().medium;
        assert_eq!((medium.width(), medium.height()), (wide, high));
        // The edges have no neighbours to be mixed of.
        let inner = (6..high - 6).flat_map(|y| (6..wide - 6).map(move |x| (x, y)));
        let off = inner.map(|(x, y)| {
            let is = medium.brightness().samples()[(y * wide + x) as usize];
            (f64::from(is) - shade(f64::from(x) + 0.5, f64::from(y) + 0.5)).abs()
        });
        let worst = off.fold(0.0, f64::max);
        assert!(worst < 6.0, "{width} × {height}: off by {worst}");
    }
}

#[test]
fn colours_lie_where_they_belong_in_every_orientation_and_of_odd_sides_too() {
    // Of both thumbnails one side is odd: 341 of 512, and 85 of 128.
    let (width, height) = (1_800, 1_199);
    let (wide, high) = resize::fit(width, height, 512);
    assert_eq!((wide, high), (512, 341));
    let wave = |at: f64, period: f64| (at * std::f64::consts::TAU / period).sin() * 30.0;
    let (across, down) = (f64::from(wide) / f64::from(width), f64::from(high) / f64::from(height));
    // A wave in each difference, in pixels of the medium thumbnail; the luminance is even.
    let upright = RgbImage::from_fn(width, height, |x, y| {
        let (cb, cr) = (wave((f64::from(x) + 0.5) * across, 48.0), wave((f64::from(y) + 0.5) * down, 40.0));
        let levels = [128.0 + 1.402 * cr, 128.0 - 0.344 * cb - 0.714 * cr, 128.0 + 1.772 * cb];
        image::Rgb(levels.map(|level| level.round() as u8))
    });
    for orientation in 1..=8 {
        let stored = pictures::stored(upright.clone(), orientation);
        for sampling in [SamplingFactor::R_4_2_0, SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_2] {
            let file = jpeg_with(&stored, |encoder| encoder.set_sampling_factor(sampling));
            let shown = Orientation::from_exif(orientation.into()).unwrap();
            let Rendered { small, medium, .. } =
                render(&file, &header(&file), shown, &LIMITS, &|| false).unwrap();
            for (picture, times) in [(medium, 1.0), (small, 341.0 / 85.0)] {
                let Picture::Planes(planes) = picture else { panic!("{picture:?}") };
                let [_, cb, cr] = planes.all();
                // The middle of four pixels.
                let place = |at: usize| (2.0 * at as f64 + 1.0) * times;
                let columns = cb.width() as usize;
                let off = |plane: &Pixels, due: &dyn Fn(usize, usize) -> f64| {
                    let samples = plane.samples().iter().enumerate();
                    let off =
                        samples.map(|(at, is)| f64::from(*is) - 128.0 - due(at % columns, at / columns));
                    off.map(f64::abs).fold(0.0, f64::max)
                };
                let worst = [off(cb, &|x, _| wave(place(x), 48.0)), off(cr, &|_, y| wave(place(y), 40.0))];
                // Half a pixel to the side would be two levels more in the medium thumbnail, and nine in the small one.
                let bound = if times > 1.0 { 6.5 } else { 2.5 };
                assert!(
                    worst.iter().all(|worst| *worst < bound),
                    "{orientation} {sampling:?} {times}: {worst:?}"
                );
            }
        }
    }
}

#[test]
fn grey_stays_grey() {
    let file = jpeg_of(&[90; 700 * 300], 700, 300, ColorType::Luma, |_| {});
    let made = thumbnails(&file).unwrap();
    assert_close(&rgb(&made.medium).get_pixel(300, 100).0, &[90; 3], 2);
    assert!(matches!(
        header(&made.medium.bytes).layout(),
        darkroom_probe::Layout::Jpeg { components: 1, .. }
    ));
}

#[test]
fn adobe_rgb_without_transform_is_not_taken_for_ycbcr() {
    // A JPEG of three components as they are: encode the planes as if they were YCbCr, and say that they are not.
    let file = jpeg_of(&[200, 40, 90].repeat(600 * 400), 600, 400, ColorType::Ycbcr, |_| {});
    let jfif = file.windows(4).position(|w| w == b"JFIF").unwrap();
    let bare = [&file[..jfif - 4], &file[jfif + 14..]].concat();
    let made = thumbnails(&with_segment(&bare, 0xee, b"Adobe\0\x64\0\0\0\0\0")).unwrap();
    assert_close(&rgb(&made.medium).get_pixel(250, 150).0, &[200, 40, 90], 6);
}

#[test]
fn what_no_decoder_has_is_called_unsupported() {
    let file = pictures::jpeg(&corners(64, 64));
    let frame = file.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    for code in [0xc3, 0xc5, 0xc9, 0xca] {
        let mut other = file.clone();
        other[frame + 1] = code;
        assert_eq!(failure(&other), FailureCode::UnsupportedFeature, "{code:x}");
    }
    let mut twelve_bits = file;
    twelve_bits[frame + 1] = 0xc1;
    twelve_bits[frame + 4] = 12;
    assert_eq!(failure(&twelve_bits), FailureCode::UnsupportedFeature);
}

#[test]
fn odd_segments_and_fill_bytes_do_no_harm() {
    let file = pictures::jpeg(&corners(600, 400));
    let odd = with_segment(&file, 0xe1, b"");
    let odd = with_segment(&odd, 0xe2, b"ICC_PROFILE\0");
    let odd = with_segment(&odd, 0xed, &[0xff; 300]);
    let odd = with_segment(&odd, 0xee, b"Ado");
    let end = odd.len() - 2;
    let odd = [&odd[..2], &[0xff; 5], &odd[2..end], &[0xff; 3], &odd[end..], &busy(90, 90)].concat();
    assert_corners(&thumbnails(&odd).unwrap().medium);
}

#[test]
fn scans_without_end_are_refused() {
    let file = progressive(&corners(64, 64));
    let scan = file.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
    let next =
        scan + 2 + file[scan + 2..].windows(2).position(|w| w == [0xff, 0xda] || w == [0xff, 0xc4]).unwrap();
    let many = [&file[..scan], &file[scan..next].repeat(120), &file[next..]].concat();
    assert_eq!(failure(&many), FailureCode::UnsupportedFeature);
}

/// A mid-grey picture with these sampling factors: each of its blocks is two zero bits, "no difference" and "end of
/// block".
fn flat(width: u16, height: u16, factors: &[u8]) -> Vec<u8> {
    let segment = |code: u8, payload: &[u8]| with_segment(&[0xff, 0xd8], code, payload)[2..].to_vec();
    let one_code = |class: u8| [&[class, 1], &[0; 15][..], &[0]].concat();
    let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
    let count = u8::try_from(factors.len()).unwrap();
    let (mut frame, mut scan) = (vec![8, h1, h0, w1, w0, count], vec![count]);
    for (id, factor) in (1..).zip(factors) {
        frame.extend([id, *factor, 0]);
        scan.extend([id, 0]);
    }
    scan.extend([0, 63, 0]);
    let mut file = vec![0xff, 0xd8];
    file.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    file.extend(segment(0xc0, &frame));
    file.extend(segment(0xc4, &[one_code(0x00), one_code(0x10)].concat()));
    file.extend(segment(0xda, &scan));
    let header = header(&[&file[..], &[0xff, 0xd9]].concat());
    let darkroom_probe::Layout::Jpeg { coefficients, .. } = header.layout() else { panic!() };
    // A component that is alone is not padded to whole MCUs (T.81, A.2.2).
    let alone = u64::from(width).div_ceil(8) * u64::from(height).div_ceil(8);
    let blocks = if factors.len() == 1 { alone } else { coefficients / 64 };
    file.resize(file.len() + usize::try_from(blocks.div_ceil(4)).unwrap(), 0);
    file.extend([0xff, 0xd9]);
    file
}

#[test]
fn unusual_sampling_is_decoded() {
    for factors in [
        &[0x22][..],
        &[0x11, 0x22, 0x22],
        &[0x21, 0x11, 0x12],
        &[0x31, 0x11, 0x11],
        &[0x41, 0x11, 0x11],
        &[0x31, 0x21, 0x11],
    ] {
        let made = thumbnails(&flat(800, 600, factors)).unwrap_or_else(|e| panic!("{factors:x?}: {e}"));
        assert_close(&rgb(&made.medium).get_pixel(100, 100).0, &[128; 3], 2);
    }
}

#[test]
fn the_largest_sides_are_decoded() {
    for (width, height) in [(65_500, 8), (8, 65_500), (17, 65_500)] {
        for factors in [&[0x11][..], &[0x22], &[0x22, 0x11, 0x11]] {
            thumbnails(&flat(width, height, factors)).unwrap_or_else(|e| panic!("{width} × {height}: {e}"));
        }
    }
    assert_eq!(failure(&flat(8, u16::MAX, &[0x11])), FailureCode::UnsupportedFeature);
    assert_eq!(failure(&flat(u16::MAX, 8, &[0x11])), FailureCode::UnsupportedFeature);
}

#[test]
fn a_careless_scan_header_does_no_harm_and_a_wrong_one_is_corrupt() {
    let with_scan = |scan: [u8; 10]| {
        let mut file = flat(800, 600, &[0x22, 0x11, 0x11]);
        let at = file.windows(10).position(|w| w == [3, 1, 0, 2, 0, 3, 0, 0, 63, 0]).unwrap();
        file[at..at + 10].copy_from_slice(&scan);
        file
    };
    for careless_band in [[0, 0, 0], [1, 2, 0x13]] {
        let [first, last, bits] = careless_band;
        let file = with_scan([3, 1, 0, 2, 0, 3, 0, first, last, bits]);
        assert_close(&rgb(&thumbnails(&file).unwrap().medium).get_pixel(100, 100).0, &[128; 3], 2);
        assert_eq!(failure(&file[..file.len() - 200]), FailureCode::Truncated);
    }
    let another_order = [3, 1, 0, 3, 0, 2, 0, 0, 63, 0];
    let unknown_component = [3, 1, 0, 2, 0, 4, 0, 0, 63, 0];
    let unknown_table = [3, 1, 0, 2, 0x77, 3, 0, 0, 63, 0];
    for scan in [another_order, unknown_component, unknown_table] {
        assert_eq!(failure(&with_scan(scan)), FailureCode::Corrupt, "{scan:?}");
    }
}

#[test]
fn an_mcu_of_too_many_blocks_is_corrupt() {
    for factors in [&[0x44, 0x11, 0x11][..], &[0x22, 0x22, 0x22]] {
        assert_eq!(failure(&flat(800, 600, factors)), FailureCode::Corrupt, "{factors:x?}");
    }
}

#[test]
fn a_sequential_picture_that_calls_itself_progressive_is_corrupt() {
    let mut file = pictures::jpeg(&corners(600, 400));
    let frame = file.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    file[frame + 1] = 0xc2;
    assert_eq!(failure(&file), FailureCode::Corrupt);
}

#[test]
fn a_progressive_picture_needs_the_first_scan_of_each_coefficient() {
    let file = progressive(&corners(600, 400));
    // The bit sent before: a first scan, taken for a refinement.
    let scan = file.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
    let band = scan + 2 + usize::from(file[scan + 3]) - 1;
    let mut refined = file.clone();
    assert_eq!(refined[band], 0, "the encoder sends all bits at once");
    refined[band] = 0x10;
    assert_eq!(failure(&refined), FailureCode::Corrupt);
}
