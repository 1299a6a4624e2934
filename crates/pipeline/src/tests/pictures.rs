//! Pictures that the tests make themselves.

use image::{DynamicImage, RgbImage};
use jpeg_encoder::{ColorType, Encoder};

pub(super) const RED: [u8; 3] = [230, 20, 20];
pub(super) const GREEN: [u8; 3] = [20, 200, 20];
pub(super) const BLUE: [u8; 3] = [20, 20, 220];
pub(super) const YELLOW: [u8; 3] = [230, 220, 30];

/// Numbers that look random and are the same each time (Marsaglia's xorshift).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound
    }
}

/// Red and green above, blue and yellow below.
pub(super) fn corners(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => YELLOW,
        })
    })
}

/// Something with structure everywhere, as in a photograph.
pub(super) fn busy(width: u32, height: u32) -> RgbImage {
    let mut chance = Chance::new(7);
    RgbImage::from_fn(width, height, |x, y| {
        let grain = u32::try_from(chance.below(40)).unwrap();
        image::Rgb(
            [x / 3 + grain, y / 2 + grain, (x + y) / 4 + grain].map(|c| u8::try_from(c % 256).unwrap()),
        )
    })
}

/// How a camera would store `shown` and mark it with `orientation`.
pub(super) fn stored(shown: RgbImage, orientation: u8) -> RgbImage {
    let inverse = match orientation {
        6 => 8,
        8 => 6,
        own => own,
    };
    let mut picture = DynamicImage::from(shown);
    picture.apply_orientation(image::metadata::Orientation::from_exif(inverse).unwrap());
    picture.into_rgb8()
}

pub(super) fn jpeg(picture: &RgbImage) -> Vec<u8> {
    jpeg_with(picture, |_| {})
}

pub(super) fn progressive(picture: &RgbImage) -> Vec<u8> {
    jpeg_with(picture, |encoder| encoder.set_progressive(true))
}

pub(super) fn jpeg_with(picture: &RgbImage, set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    jpeg_of(picture.as_raw(), picture.width(), picture.height(), ColorType::Rgb, set)
}

pub(super) fn jpeg_of(
    samples: &[u8],
    width: u32,
    height: u32,
    colour: ColorType,
    set: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    set(&mut encoder);
    encoder.encode(samples, width.try_into().unwrap(), height.try_into().unwrap(), colour).unwrap();
    bytes
}

/// `file` with a segment behind SOI.
pub(super) fn with_segment(file: &[u8], code: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap().to_be_bytes();
    [&file[..2], &[0xff, code], &length, payload, &file[2..]].concat()
}

pub(super) fn with_exif(file: &[u8], exif: &[u8]) -> Vec<u8> {
    with_segment(file, 0xe1, &[b"Exif\0\0", exif].concat())
}

pub(super) fn png(picture: &RgbImage) -> Vec<u8> {
    png_of(
        picture.as_raw(),
        picture.width(),
        picture.height(),
        png::ColorType::Rgb,
        png::BitDepth::Eight,
        |_| {},
    )
}

pub(super) fn png_of(
    samples: &[u8],
    width: u32,
    height: u32,
    colour: png::ColorType,
    depth: png::BitDepth,
    set: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    set(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    bytes
}

/// `file` with a chunk behind IHDR.
pub(super) fn with_chunk(file: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    let body = [name.as_slice(), data].concat();
    [&file[..33], &length, &body, &crc(&body).to_be_bytes(), &file[33..]].concat()
}

/// The `png` crate writes no interlaced files: writes the seven passes of Adam7 (PNG third edition, 8.1) as the rows
/// of a picture of bytes, and puts the right IHDR before them.
pub(super) fn interlaced_png(picture: &RgbImage) -> Vec<u8> {
    let (width, height) = picture.dimensions();
    let mut raw = Vec::new();
    for (x0, y0, dx, dy) in
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    {
        for y in (y0..height).step_by(dy) {
            raw.push(0);
            (x0..width).step_by(dx).for_each(|x| raw.extend(picture.get_pixel(x, y).0));
        }
    }
    let mut ihdr = Vec::new();
    ihdr.extend(width.to_be_bytes());
    ihdr.extend(height.to_be_bytes());
    ihdr.extend([8, 2, 0, 0, 1]);
    let empty = [&b"\x89PNG\r\n\x1a\n"[..], &[0; 25]].concat();
    let parts = with_chunk(&empty, b"IEND", b"");
    let parts = with_chunk(&parts, b"IDAT", &stored_zlib(&raw));
    let parts = with_chunk(&parts, b"IHDR", &ihdr);
    [&parts[..8], &parts[33..]].concat()
}

/// A zlib stream of stored blocks (RFC 1950; RFC 1951, 3.2.4).
pub(super) fn stored_zlib(raw: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = raw.chunks(0xffff);
    let last = blocks.len() - 1;
    for (number, block) in blocks.enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        stream.push(u8::from(number == last));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (a, b) = raw.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

/// CRC-32 (PNG third edition, 5.5).
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Exif data of these fields.
pub(super) fn exif(fields: &[(exif::Tag, exif::Value)]) -> Vec<u8> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(tag, value)| exif::Field { tag: *tag, ifd_num: exif::In::PRIMARY, value: value.clone() })
        .collect();
    let mut writer = exif::experimental::Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut bytes = std::io::Cursor::new(Vec::new());
    writer.write(&mut bytes, false).unwrap();
    bytes.into_inner()
}

/// Exif data of 3,000 texts with tags from that of the width on, all of which are the same 50,000 NULs.
pub(super) fn exif_bomb() -> Vec<u8> {
    let count = 3_000_u16;
    let mut exif = [&b"MM\0\x2a\0\0\0\x08"[..], &count.to_be_bytes()].concat();
    for tag in 0x0100..0x0100 + count {
        exif.extend(tag.to_be_bytes());
        exif.extend([0, 2, 0, 0, 0xc3, 0x50, 0, 0, 0, 8]);
    }
    exif.resize(60_000, 0);
    exif
}

pub(super) fn orientation(value: u16) -> Vec<u8> {
    exif(&[(exif::Tag::Orientation, exif::Value::Short(vec![value]))])
}
