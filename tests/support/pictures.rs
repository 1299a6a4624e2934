//! Pictures that the tests make for themselves.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use std::io::Cursor;

/// A photograph-like JPEG whose upper left quarter is red.
pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    encode(DynamicImage::ImageRgb8(scene(width, height)), ImageFormat::Jpeg)
}

/// The same as PNG, opaque.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    encode(DynamicImage::ImageRgb8(scene(width, height)), ImageFormat::Png)
}

/// A PNG that is half transparent.
pub fn transparent_png(width: u32, height: u32) -> Vec<u8> {
    let picture =
        RgbaImage::from_fn(width, height, |x, _| Rgba([200, 30, 30, if x < width / 2 { 0 } else { 255 }]));
    encode(DynamicImage::ImageRgba8(picture), ImageFormat::Png)
}

/// A JPEG with Exif: the given orientation, a maker with a NUL in it, and a capture time.
pub fn camera_jpeg(width: u32, height: u32, orientation: u16) -> Vec<u8> {
    with_exif(&jpeg(width, height), &exif(orientation))
}

/// A JPEG with this Exif segment.
pub fn with_exif(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat()
}

/// An Exif segment of texts by hand (TIFF 6.0, section 2), each longer than four bytes.
pub fn exif_texts(fields: &[(u16, &[u8])]) -> Vec<u8> {
    let count = u16::try_from(fields.len()).unwrap();
    let mut tiff = [&b"MM\0\x2a\0\0\0\x08"[..], &count.to_be_bytes()].concat();
    let mut values = Vec::new();
    let values_at = 8 + 2 + 12 * fields.len() + 4;
    for (tag, text) in fields {
        let (length, at) = (text.len() + 1, values_at + values.len());
        tiff.extend([tag.to_be_bytes(), 2_u16.to_be_bytes()].concat());
        tiff.extend([length, at].map(|number| u32::try_from(number).unwrap().to_be_bytes()).concat());
        values.extend([text, &b"\0"[..]].concat());
    }
    [&b"Exif\0\0"[..], &tiff, &[0; 4], &values].concat()
}

/// Other bytes, same picture: data after the end of the image.
pub fn unlike(mut file: Vec<u8>, number: u64) -> Vec<u8> {
    file.extend(number.to_be_bytes());
    file
}

/// A small picture in a file of this length.
pub fn padded(length: usize) -> Vec<u8> {
    let mut file = jpeg(8, 8);
    file.resize(length, 0);
    file
}

/// A black picture that has to be held whole to be decoded, since it is interlaced: `4 × width × height` bytes, from a small
/// file.
pub fn interlaced_png(width: u32, height: u32) -> Vec<u8> {
    // Encoded row by row, with some rows to spare: interlacing (PNG, third edition, section 8.2) has more filter bytes. All
    // bytes are zero, so that they mean the same in either order.
    let mut file = Vec::new();
    let rows = height + 16;
    let mut encoder = png::Encoder::new(&mut file, width, rows);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0; width as usize * 4];
    for _ in 0..rows {
        std::io::Write::write_all(&mut stream, &row).unwrap();
    }
    stream.finish().unwrap();
    writer.finish().unwrap();
    // Height, interlace method and checksum of IHDR.
    file[20..24].copy_from_slice(&height.to_be_bytes());
    file[28] = 1;
    let crc = crc32(&file[12..29]).to_be_bytes();
    file[29..33].copy_from_slice(&crc);
    file
}

/// The header of a PNG that promises more than it holds.
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    file.extend(width.to_be_bytes());
    file.extend(height.to_be_bytes());
    file.extend([8, 2, 0, 0, 0]);
    let crc = crc32(&file[12..]);
    file.extend(crc.to_be_bytes());
    file.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    file
}

/// A view like no other of another number: large shapes in all colours.
pub fn view(number: u32, width: u32, height: u32) -> RgbImage {
    let number = f64::from(number);
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let wave = |at: f64, seed: f64| {
            ((at * 9.0 + seed).sin() + (at * 17.0 * (seed * 7.0).sin() + seed).cos()) * 30.0
        };
        let level = 128.0
            + wave(x + y * (number * 3.0).cos(), number * 1.7)
            + wave(y - x * number.sin(), number * 2.9);
        Rgb([level as u8, 255 - level as u8, (level / 2.0) as u8])
    })
}

/// As PNG.
pub fn png_of(picture: &RgbImage) -> Vec<u8> {
    encode(DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Png)
}

/// As JPEG.
pub fn jpeg_of(picture: &RgbImage) -> Vec<u8> {
    encode(DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Jpeg)
}

fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        if x < width / 2 && y < height / 2 {
            Rgb([220, 30, 30])
        } else {
            let wave = (f64::from(x) / 9.0).sin() * 60.0 + (f64::from(y) / 7.0).cos() * 60.0;
            let level = (128.0 + wave) as u8;
            Rgb([level, level / 2 + 60, 255 - level])
        }
    })
}

fn encode(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A TIFF structure by hand (TIFF 6.0, section 2): Make, Orientation, DateTime.
fn exif(orientation: u16) -> Vec<u8> {
    let (make, date) = (b"Ca\0non\0", b"2026:05:04 12:13:14\0");
    let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x03".to_vec();
    let values_at = 8 + 2 + 3 * 12 + 4;
    let mut entry = |tag: u16, kind: u16, count: usize, value: [u8; 4]| {
        tiff.extend(tag.to_be_bytes());
        tiff.extend(kind.to_be_bytes());
        tiff.extend(u32::try_from(count).unwrap().to_be_bytes());
        tiff.extend(value);
    };
    entry(0x010f, 2, make.len(), u32::try_from(values_at).unwrap().to_be_bytes());
    entry(0x0112, 3, 1, [orientation.to_be_bytes()[0], orientation.to_be_bytes()[1], 0, 0]);
    entry(0x0132, 2, date.len(), u32::try_from(values_at + make.len()).unwrap().to_be_bytes());
    tiff.extend([0; 4]);
    tiff.extend(make);
    tiff.extend(date);
    tiff
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}
