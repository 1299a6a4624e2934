//! What is peculiar to PNG.

use super::pictures::{self, corners, interlaced_png, png_of, stored_zlib, with_chunk};
use super::*;
use ::png::{BitDepth, ColorType};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

/// A picture of 600 × 400 equal pixels; `row` is one packed row.
fn plain(row: &[u8], colour: ColorType, depth: BitDepth) -> Vec<u8> {
    png_of(&row.repeat(400), 600, 400, colour, depth, |encoder| {
        if colour == ColorType::Indexed {
            encoder.set_palette([RED, GREEN, BLUE, YELLOW].concat());
        }
    })
}

/// The colour in the middle, and how it was encoded.
fn seen(file: &[u8]) -> ([u8; 4], ThumbnailFormat) {
    let medium = thumbnails(file).unwrap().medium;
    (decoded(&medium).get_pixel(250, 150).0, medium.format)
}

#[test]
fn every_colour_type_and_depth_is_read() {
    use BitDepth::{Eight, Four, One, Sixteen, Two};
    use ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
    let with_alpha = |colour: [u8; 3], alpha: u8| [colour[0], colour[1], colour[2], alpha];
    for (colour, depth, row, due) in [
        (Grayscale, One, vec![0xff; 75], [255; 4]),
        (Grayscale, Two, vec![0b1010_1010; 150], [170, 170, 170, 255]),
        (Grayscale, Four, vec![0x33; 300], [51, 51, 51, 255]),
        (Grayscale, Eight, vec![99; 600], [99, 99, 99, 255]),
        (Grayscale, Sixteen, [99, 200].repeat(600), [99, 99, 99, 255]),
        (GrayscaleAlpha, Eight, [99, 255].repeat(600), [99, 99, 99, 255]),
        (GrayscaleAlpha, Eight, [99, 128].repeat(600), [99, 99, 99, 128]),
        (GrayscaleAlpha, Sixteen, [99, 0, 128, 0].repeat(600), [99, 99, 99, 128]),
        (Indexed, One, vec![0xff; 75], with_alpha(GREEN, 255)),
        (Indexed, Two, vec![0xff; 150], with_alpha(YELLOW, 255)),
        (Indexed, Four, vec![0x22; 300], with_alpha(BLUE, 255)),
        (Indexed, Eight, vec![0; 600], with_alpha(RED, 255)),
        (Rgb, Eight, RED.repeat(600), with_alpha(RED, 255)),
        (Rgb, Sixteen, [230, 9, 20, 9, 20, 9].repeat(600), with_alpha(RED, 255)),
        (Rgba, Eight, with_alpha(BLUE, 255).repeat(600), with_alpha(BLUE, 255)),
        (Rgba, Eight, with_alpha(BLUE, 128).repeat(600), with_alpha(BLUE, 128)),
        (Rgba, Sixteen, [20, 0, 20, 0, 220, 0, 128, 0].repeat(600), with_alpha(BLUE, 128)),
    ] {
        let (pixel, format) = seen(&plain(&row, colour, depth));
        assert_close(&pixel, &due, 6);
        let opaque = due[3] == 255;
        assert_eq!(
            format,
            if opaque { ThumbnailFormat::Jpeg } else { ThumbnailFormat::Png },
            "{colour:?} {depth:?}"
        );
    }
}

#[test]
fn transparency_may_come_in_its_own_chunk() {
    let palette = png_of(&[0; 600 * 400], 600, 400, ColorType::Indexed, BitDepth::Eight, |encoder| {
        encoder.set_palette(RED.to_vec());
        encoder.set_trns(vec![100]);
    });
    let (pixel, format) = seen(&palette);
    assert_eq!(format, ThumbnailFormat::Png);
    assert_close(&pixel, &[RED[0], RED[1], RED[2], 100], 6);
    let key = png_of(&[40; 600 * 400], 600, 400, ColorType::Grayscale, BitDepth::Eight, |encoder| {
        encoder.set_trns(vec![0, 40]);
    });
    assert_eq!(seen(&key).0[3], 0);
}

#[test]
fn what_keeps_its_alpha_is_about_as_small_as_can_be() {
    // Like a page: the same few letters again and again, and a shade behind them.
    let letter = |x: u32, y: u32| (x / 9 * 31 + y / 13 * 17) % 5 * 41 + x % 9 * y % 13 * 7;
    let pixel =
        |x, y| [letter(x, y) as u8 | 0x1f, (x / 4) as u8, (y / 3) as u8, 128 + (letter(x, y) % 3) as u8];
    let samples: Vec<u8> = (0..320).flat_map(|y| (0..512).flat_map(move |x| pixel(x, y))).collect();
    let file = png_of(&samples, 512, 320, ColorType::Rgba, BitDepth::Eight, |_| {});
    let medium = thumbnails(&file).unwrap().medium;
    assert_eq!(medium.format, ThumbnailFormat::Png);
    let mut best = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut best, CompressionType::Best, FilterType::Adaptive);
    encoder.write_image(decoded(&medium).as_raw(), 512, 320, ExtendedColorType::Rgba8).unwrap();
    assert!(medium.bytes.len() * 10 <= best.len() * 11, "{} and {} bytes", medium.bytes.len(), best.len());
}

/// Found by fuzzing.
#[test]
fn a_palette_of_the_wrong_length_is_corrupt() {
    let file = plain(&[0; 600], ColorType::Indexed, BitDepth::Eight);
    let palette = file.windows(4).position(|w| w == b"PLTE").unwrap();
    for bytes in [1, 2, 11, 13, 766, 771, 9_000_000] {
        let without = [&file[..palette - 4], &file[palette + 4 + 12 + 4..]].concat();
        assert_eq!(failure(&with_chunk(&without, b"PLTE", &vec![9; bytes])), FailureCode::Corrupt, "{bytes}");
    }
    // A palette that is merely suggested does not matter.
    let file = plain(&RED.repeat(600), ColorType::Rgb, BitDepth::Eight);
    assert_close(&seen(&with_chunk(&file, b"PLTE", &[9; 31])).0, &RED, 6);
}

#[test]
fn what_cannot_be_seen_does_not_bleed() {
    // Left: opaque red. Right: transparent, and bright green underneath.
    let row = [[200, 0, 0, 255].repeat(1000), [0, 255, 0, 0].repeat(1000)].concat();
    let file = png_of(&row.repeat(100), 2000, 100, ColorType::Rgba, BitDepth::Eight, |_| {});
    let made = thumbnails(&file).unwrap();
    for thumbnail in [made.small, made.medium] {
        for pixel in decoded(&thumbnail).pixels().filter(|pixel| pixel.0[3] > 16) {
            assert_close(&pixel.0[..3], &[200, 0, 0], 12);
        }
    }
}

#[test]
fn interlaced_pictures_are_put_together() {
    let file = interlaced_png(&corners(640, 480));
    assert!(matches!(header(&file).layout(), darkroom_probe::Layout::Png { interlaced: true, .. }));
    let made = thumbnails(&file).unwrap();
    assert_corners(&made.small);
    assert_corners(&made.medium);
}

#[test]
fn of_an_animation_the_first_picture_is_taken() {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, 600, 400);
    encoder.set_color(ColorType::Rgb);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&RED.repeat(600 * 400)).unwrap();
    writer.write_image_data(&BLUE.repeat(600 * 400)).unwrap();
    writer.finish().unwrap();
    assert_close(&seen(&file).0, &RED, 6);
}

#[test]
fn profiles_are_converted_and_bombs_are_not_inflated() {
    let file = plain(&[60, 200, 60].repeat(600), ColorType::Rgb, BitDepth::Eight);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let chunk = |profile: &[u8]| [b"p\0\0", stored_zlib(profile).as_slice()].concat();
    assert_close(&seen(&with_chunk(&file, b"iCCP", &chunk(&profile))).0, &[0, 203, 11], 6);
    for odd in [&b""[..], b"p\0\0garbage", &chunk(&profile[..200]), &chunk(&vec![0; 20 << 20])] {
        assert_close(&seen(&with_chunk(&file, b"iCCP", odd)).0, &[60, 200, 60], 3);
    }
    let mut info = ::png::Info::with_size(600, 400);
    info.color_type = ColorType::Rgb;
    info.icc_profile = Some(vec![0; 100 << 20].into());
    let mut bomb = Vec::new();
    let mut writer = ::png::Encoder::with_info(&mut bomb, info).unwrap().write_header().unwrap();
    writer.write_image_data(&[60, 200, 60].repeat(600 * 400)).unwrap();
    writer.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    assert_close(&seen(&bomb).0, &[60, 200, 60], 3);
    for text in [&b"zTXt"[..], b"iTXt", b"tEXt", b"gAMA", b"pHYs", b"tIME", b"abCd"] {
        let odd = with_chunk(&file, text.try_into().unwrap(), &[b"k\0\0", &[0; 90][..]].concat());
        assert_close(&seen(&odd).0, &[60, 200, 60], 3);
    }
}

#[test]
fn odd_ancillary_chunks_do_no_harm() {
    let file = plain(&RED.repeat(600), ColorType::Rgb, BitDepth::Eight);
    let odd = [&[9; 90][..], &[0xff; 26], b""];
    for name in
        [b"cICP", b"acTL", b"fcTL", b"fdAT", b"eXIf", b"mDCV", b"cLLI", b"cHRM", b"sBIT", b"bKGD", b"sRGB"]
    {
        for data in odd {
            assert_close(&seen(&with_chunk(&file, name, data)).0, &RED, 6);
        }
    }
    let mut animated = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut animated, 600, 400);
    encoder.set_color(ColorType::Rgb);
    encoder.set_animated(1, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&RED.repeat(600 * 400)).unwrap();
    writer.finish().unwrap();
    let control = animated.windows(4).position(|w| w == b"fcTL").unwrap();
    animated[control + 4..control + 30].fill(9);
    assert_close(&seen(&animated).0, &RED, 6);
}

#[test]
fn exif_data_of_any_size_is_no_reason_to_refuse_the_picture() {
    let file = with_chunk(&plain(&RED.repeat(600), ColorType::Rgb, BitDepth::Eight), b"eXIf", &[0; 9 << 20]);
    assert_close(&seen(&file).0, &RED, 6);
    assert_eq!(read_metadata(&file, &header(&file)).warnings.len(), 1);
}

#[test]
fn the_longest_sides_are_refused_before_decoding() {
    for (width, height) in [(1, 65_501), (65_501, 1), (1, 50_000_000)] {
        let mut file = pictures::png(&corners(8, 8));
        file[16..20].copy_from_slice(&u32::to_be_bytes(width));
        file[20..24].copy_from_slice(&u32::to_be_bytes(height));
        assert_eq!(failure(&file), FailureCode::UnsupportedFeature);
    }
}
