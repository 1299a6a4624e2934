//! Inks and profiles: what the numbers of a picture mean.

use super::pictures::{self, jpeg_of, with_segment};
use super::*;
use image::RgbImage;
use jpeg_encoder::ColorType;
use moxcms::ColorProfile;

/// An ICC profile in parts of `size` bytes, in the wrong order, as APP2 segments behind SOI.
fn with_profile(file: &[u8], profile: &[u8], size: usize) -> Vec<u8> {
    let parts: Vec<_> = profile.chunks(size).collect();
    let count = u8::try_from(parts.len()).unwrap();
    parts.iter().zip(1_u8..).fold(file.to_vec(), |file, (part, number)| {
        with_segment(&file, 0xe2, &[b"ICC_PROFILE\0", &[number, count][..], part].concat())
    })
}

/// A profile of a press whose cyan prints red (ICC.1:2010, 7.2, 7.3 and 10.9): a table of two steps for each ink.
fn press_with_red_cyan() -> Vec<u8> {
    // L* and the two others of CIELAB in 8 bits.
    let (paper, red, black) = ([255, 128, 128], [136, 208, 195], [0, 128, 128]);
    // The last ink varies fastest.
    let table = (0_u8..16).flat_map(|inks| match inks {
        0 => paper,
        0b1000 => red,
        _ => black,
    });
    let identity = [0x0001_0000_u32, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x0001_0000];
    let mut lut = [&b"mft1\0\0\0\0"[..], &[4, 3, 2, 0]].concat();
    lut.extend(identity.iter().flat_map(|number| number.to_be_bytes()));
    lut.extend((0..4).flat_map(|_| 0..=255_u8));
    lut.extend(table);
    lut.extend((0..3).flat_map(|_| 0..=255_u8));
    let tag = |size: usize| u32::try_from(size).unwrap().to_be_bytes();
    let mut profile = vec![0; 128];
    profile[..4].copy_from_slice(&tag(144 + lut.len()));
    profile[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
    profile[12..24].copy_from_slice(b"prtrCMYKLab ");
    profile[36..40].copy_from_slice(b"acsp");
    profile.extend([&tag(1)[..], b"A2B0", &tag(144), &tag(lut.len())].concat());
    [profile, lut].concat()
}

/// Cyan and some black: red is absorbed.
const INK: [u8; 4] = [255, 0, 0, 51];
const SEEN: [u8; 3] = [0, 204, 204];

#[test]
fn inks_become_light_with_and_without_adobes_marker() {
    let inks = INK.repeat(600 * 400);
    let of = |samples: &[u8], colour| jpeg_of(samples, 600, 400, colour, |_| {});
    let cmyk = of(&inks, ColorType::Cmyk);
    let ycck = of(&inks, ColorType::CmykAsYcck);
    // Without the marker, nothing is inverted; the encoder inverts, so it is given the inverse.
    let inverse: Vec<_> = inks.iter().map(|ink| 255 - ink).collect();
    let mut unmarked = of(&inverse, ColorType::Cmyk);
    let adobe = unmarked.windows(5).position(|w| w == b"Adobe").unwrap();
    unmarked.drain(adobe - 4..adobe + 12);
    for (name, file) in [("cmyk", cmyk), ("ycck", ycck), ("unmarked", unmarked)] {
        let made = thumbnails(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_close(&rgb(&made.medium).get_pixel(250, 150).0, &SEEN, 6);
    }
}

#[test]
fn inks_are_seen_as_their_profile_says() {
    let file = jpeg_of(&[255, 0, 0, 0].repeat(600 * 400), 600, 400, ColorType::Cmyk, |_| {});
    let made = thumbnails(&with_profile(&file, &press_with_red_cyan(), 60_000)).unwrap();
    let [red, green, blue] = rgb(&made.medium).get_pixel(250, 150).0;
    assert!(red > 240 && green < 60 && blue < 60, "{red} {green} {blue}");
}

#[test]
fn an_embedded_profile_is_converted_and_a_broken_one_ignored() {
    let green = RgbImage::from_pixel(600, 400, image::Rgb([60, 200, 60]));
    let file = pictures::jpeg(&green);
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let seen = |file: &[u8]| rgb(&thumbnails(file).unwrap().medium).get_pixel(200, 200).0;
    assert_close(&seen(&file), &[60, 200, 60], 3);
    // Display P3 is wider: the same numbers mean a stronger green, and red runs into its stop.
    let converted = seen(&with_profile(&file, &profile, 100));
    assert_close(&converted, &[0, 203, 11], 4);
    assert_eq!(seen(&with_profile(&file, &profile, 10_000)), converted);
    for broken in [&profile[..profile.len() / 2], &[0xff; 3_000]] {
        let warnings = thumbnails(&with_profile(&file, broken, 1_000)).unwrap().warnings;
        assert!(warnings[0].starts_with("the colour profile was ignored: "), "{warnings:?}");
        assert_close(&seen(&with_profile(&file, broken, 1_000)), &[60, 200, 60], 3);
    }
    let grey_profile = ColorProfile::new_gray_with_gamma(2.2).encode().unwrap();
    assert_close(&seen(&with_profile(&file, &grey_profile, 1_000)), &[60, 200, 60], 3);
    let missing_part = with_segment(&file, 0xe2, &[b"ICC_PROFILE\0", &[1, 2][..], &profile].concat());
    assert_close(&seen(&missing_part), &[60, 200, 60], 3);
}

#[test]
fn other_profiles_are_converted_too() {
    let seen = |file: &[u8], profile: &ColorProfile| {
        let made = thumbnails(&with_profile(file, &profile.encode().unwrap(), 60_000)).unwrap();
        rgb(&made.medium).get_pixel(200, 200).0
    };
    // A green that Adobe RGB (1998) can have and sRGB can too.
    let green = pictures::jpeg(&RgbImage::from_pixel(600, 400, image::Rgb([150, 200, 130])));
    assert_close(&seen(&green, &ColorProfile::new_adobe_rgb()), &[124, 201, 127], 4);
    // Grey without gamma: a quarter of the light is more than half of the scale.
    let grey = jpeg_of(&[64; 600 * 400], 600, 400, ColorType::Luma, |_| {});
    assert_close(&seen(&grey, &ColorProfile::new_gray_with_gamma(1.0)), &[137; 3], 4);
}
