//! What is odd about files, what is not, and what only means to do harm.

use super::look::scene;
use super::pictures::{self, Chance, corners};
use super::*;
use ::exif::{Context, Field, In, Rational, Tag, Value};
use darkroom_domain::FindingCode::{self, DatesDisagree, DimensionsDisagree, EditedWith, ThumbnailDiffers};
use darkroom_domain::{Finding, ImageFormat};
use image::imageops::FilterType;

fn found(file: &[u8]) -> Vec<Finding> {
    thumbnails(file).unwrap().findings
}

pub(super) fn codes(file: &[u8]) -> Vec<FindingCode> {
    found(file).into_iter().map(|finding| finding.code).collect()
}

/// The only finding.
pub(super) fn only(file: &[u8], code: FindingCode) -> Finding {
    let [finding] = <[Finding; 1]>::try_from(found(file)).unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!(finding.code, code);
    assert!(!finding.evidence.is_empty());
    finding
}

fn ascii(text: &str) -> Value {
    Value::Ascii(vec![text.as_bytes().to_vec()])
}

fn with(fields: &[(Tag, Value)]) -> Vec<u8> {
    pictures::with_exif(&pictures::jpeg(&corners(40, 20)), &pictures::exif(fields))
}

/// `picture` as a camera stores it, with `thumbnail` in its Exif data.
fn with_thumbnail(picture: &RgbImage, orientation: u16, thumbnail: &[u8]) -> Vec<u8> {
    let field = Field { tag: Tag::Orientation, ifd_num: In::PRIMARY, value: Value::Short(vec![orientation]) };
    let mut writer = ::exif::experimental::Writer::new();
    writer.push_field(&field);
    writer.set_jpeg(thumbnail, In::THUMBNAIL);
    let mut exif = Cursor::new(Vec::new());
    writer.write(&mut exif, false).unwrap();
    pictures::with_exif(&pictures::jpeg(picture), &exif.into_inner())
}

fn small(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    image::imageops::resize(picture, width, height, FilterType::Triangle)
}

/// On black, as some cameras fit a wide picture into 4 : 3.
fn letterboxed(picture: &RgbImage) -> RgbImage {
    let mut boxed = RgbImage::new(160, 120);
    image::imageops::overlay(&mut boxed, &small(picture, 160, 90), 0, 15);
    boxed
}

#[test]
fn the_thumbnail_of_another_picture_is_told() {
    for number in 0..4 {
        let other = pictures::jpeg(&small(&scene(number + 50, 320, 240), 160, 120));
        let finding = only(&with_thumbnail(&scene(number, 320, 240), 1, &other), ThumbnailDiffers);
        assert_eq!(finding.evidence["thumbnail"], "160 × 120");
        assert!(finding.text.contains("differs from"), "{finding:?}");
    }
}

#[test]
fn a_thumbnail_that_is_turned_boxed_or_cropped_is_that_of_its_picture() {
    for number in 0..4 {
        let picture = scene(number, 320, 180);
        let middle = image::imageops::crop_imm(&picture, 40, 0, 240, 180).to_image();
        let own = small(&picture, 160, 90);
        let turned = image::imageops::rotate90(&own);
        for (thumbnail, what) in [
            (own, "its own"),
            (small(&picture, 160, 120), "squeezed"),
            (letterboxed(&picture), "letterboxed"),
            (small(&middle, 160, 120), "cropped"),
            (turned, "turned"),
        ] {
            assert_eq!(codes(&with_thumbnail(&picture, 1, &pictures::jpeg(&thumbnail))), [], "{what}");
        }
        for orientation in 1..=8 {
            let stored = pictures::stored(picture.clone(), u8::try_from(orientation).unwrap());
            let own = small(&stored, stored.width() / 2, stored.height() / 2);
            assert_eq!(
                codes(&with_thumbnail(&stored, orientation, &pictures::jpeg(&own))),
                [],
                "{orientation}"
            );
        }
    }
    let even = RgbImage::from_pixel(160, 120, image::Rgb([90; 3]));
    assert_eq!(codes(&with_thumbnail(&scene(1, 320, 240), 1, &pictures::jpeg(&even))), [], "in doubt");
}

/// Pictures of which most frequencies hold next to nothing.
fn smooth_pictures() -> [(&'static str, RgbImage); 6] {
    let drawn = |level: &mut dyn FnMut(f64, f64) -> f64| {
        RgbImage::from_fn(320, 240, |x, y| {
            let level = level(f64::from(x) / 320.0, f64::from(y) / 240.0).clamp(0.0, 255.0) as u8;
            image::Rgb([level, level, level.saturating_add(10)])
        })
    };
    let (mut chance, mut grain) = (Chance::new(7), Chance::new(8));
    [
        ("a gradient", drawn(&mut |x, _| 60.0 + 120.0 * x)),
        ("a sky", drawn(&mut |x, y| 200.0 - 90.0 * y - 15.0 * x)),
        ("a horizon", drawn(&mut |_, y| if y < 0.6 { 220.0 - 40.0 * y } else { 70.0 - 20.0 * y })),
        ("a vignette", drawn(&mut |x, y| 190.0 - 160.0 * ((x - 0.5).powi(2) + (y - 0.5).powi(2)))),
        ("a dark frame", drawn(&mut |x, y| 2.0 + 14.0 * x * y + chance.below(6) as f64)),
        ("fog", drawn(&mut |x, y| 150.0 + 12.0 * (3.0 * x + y).sin() + grain.below(9) as f64)),
    ]
}

#[test]
fn the_thumbnail_of_a_smooth_picture_is_its_own_however_it_is_encoded() {
    for (what, picture) in smooth_pictures() {
        for (width, height) in [(160, 120), (160, 90), (80, 60)] {
            let own = small(&picture, width, height);
            for quality in [50, 70, 90] {
                let mut thumbnail = Vec::new();
                let encoder = jpeg_encoder::Encoder::new(&mut thumbnail, quality);
                let (across, down) = (u16::try_from(width).unwrap(), u16::try_from(height).unwrap());
                encoder.encode(own.as_raw(), across, down, jpeg_encoder::ColorType::Rgb).unwrap();
                let found = found(&with_thumbnail(&picture, 1, &thumbnail));
                assert_eq!(found, [], "{what} in {width} × {height} at {quality}");
            }
        }
    }
}

#[test]
fn a_thumbnail_that_is_none_is_left_alone() {
    let picture = scene(1, 64, 48);
    let own = pictures::jpeg(&small(&picture, 40, 30));
    let huge = {
        let mut file = own.clone();
        let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        file[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
        file
    };
    for hostile in [&b""[..], b"\xff\xd8\xff", &own[..own.len() / 2], &huge, &[0xff; 2_000]] {
        assert_eq!(codes(&with_thumbnail(&picture, 1, hostile)), []);
    }
    // Places outside of the Exif data.
    let whole = with_thumbnail(&picture, 1, &own);
    let mut chance = Chance::new(3);
    for _ in 0..200 {
        let mut file = whole.clone();
        for _ in 0..3 {
            let at = 12 + chance.below(120);
            file[at] = u8::try_from(chance.below(256)).unwrap();
        }
        // Some of these are no picture any more.
        drop(thumbnails(&file));
    }
}

#[test]
fn software_that_edits_is_told_and_firmware_is_not() {
    let software = |text: &str| with(&[(Tag::Software, ascii(text))]);
    for editor in
        ["Adobe Photoshop 25.0 (Windows)", "GIMP 2.10.34", "Adobe Lightroom", "paint.net 5", "ACDSee Pro"]
    {
        let finding = only(&software(editor), EditedWith);
        assert_eq!(
            (finding.evidence["field"].as_str(), finding.evidence["value"].as_str()),
            ("Exif Software", editor)
        );
        assert!(finding.text.starts_with("The file names"), "{finding:?}");
    }
    for firmware in [
        "Ver.1.02",
        "17.4.1",
        "G991BXXU3AUF6",
        "Firmware Version 1.1.1",
        "Magimpex 2",
        "HDR+ 1.0",
        "",
        "\u{fffd}",
    ] {
        assert_eq!(codes(&software(firmware)), [], "{firmware}");
    }
    let tag = Tag(Context::Tiff, 0x000b);
    assert_eq!(
        only(&with(&[(tag, ascii("RawTherapee 5.9"))]), EditedWith).evidence["field"],
        "Exif ProcessingSoftware"
    );
}

#[test]
fn software_is_found_wherever_a_file_names_it() {
    let jpeg = pictures::jpeg(&corners(40, 20));
    let xmp = |text: &str| format!("<x:xmpmeta><rdf:Description xmp:CreatorTool=\"{text}\"/></x:xmpmeta>");
    let in_xmp = |text| {
        pictures::with_segment(
            &jpeg,
            0xe1,
            &[b"http://ns.adobe.com/xap/1.0/\0", xmp(text).as_bytes()].concat(),
        )
    };
    assert_eq!(
        only(&in_xmp("Adobe Photoshop Camera Raw 16"), EditedWith).evidence["field"],
        "XMP CreatorTool"
    );
    assert_eq!(codes(&in_xmp("NIKON D90 Ver.1.00")), []);

    // Image resource 1057: version, merged data, writer and reader in UTF-16.
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    let writer = [&[0, 0, 0, 1, 1][..], &15_u32.to_be_bytes(), &utf_16("Adobe Photoshop")].concat();
    let resource = |id: u16, data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&b"8BIM"[..], &id.to_be_bytes(), &[0, 0], &length, data, &vec![0; data.len() % 2]].concat()
    };
    let segment =
        |resources: &[u8]| pictures::with_segment(&jpeg, 0xed, &[b"Photoshop 3.0\0", resources].concat());
    let both = [resource(1028, b"caption"), resource(1057, &writer)].concat();
    assert_eq!(only(&segment(&both), EditedWith).evidence["value"], "Adobe Photoshop");
    assert_eq!(codes(&segment(&resource(1028, b"caption"))), [], "captions are kept there by many programs");
    for end in 0..both.len() {
        drop(codes(&segment(&both[..end])));
    }
    assert_eq!(codes(&segment(&resource(1057, &[0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff]))), []);

    let png = pictures::png(&corners(40, 20));
    let text = pictures::with_chunk(&png, b"tEXt", b"Software\0Adobe ImageReady; GIMP");
    assert_eq!(only(&text, EditedWith).evidence["field"], "PNG text Software");
    let xmp = [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], xmp("Krita").as_bytes()].concat();
    assert_eq!(only(&pictures::with_chunk(&png, b"iTXt", &xmp), EditedWith).evidence["value"], "Krita");
    for hostile in
        [&b""[..], b"Software", b"Software\0", b"XML:com.adobe.xmp", b"XML:com.adobe.xmp\0\x01\0\0\0x"]
    {
        assert_eq!(codes(&pictures::with_chunk(&png, b"iTXt", hostile)), []);
        assert_eq!(codes(&pictures::with_chunk(&png, b"tEXt", hostile)), []);
    }
}

fn dated(original: &str, others: &[(Tag, &str)]) -> Vec<u8> {
    let mut fields = vec![(Tag::DateTimeOriginal, ascii(original))];
    fields.extend(others.iter().map(|(tag, text)| (*tag, ascii(text))));
    with(&fields)
}

#[test]
fn times_that_do_not_go_together_are_told_with_how_far_they_are_apart() {
    let taken = "2026:05:04 12:13:14";
    for (tag, other, due) in [
        (Tag::DateTime, "2026:05:07 14:00:00", "last changed 3 days 1 h after it was taken"),
        (Tag::DateTime, "2026:05:04 12:03:00", "is 10 min 14 s before"),
        (Tag::DateTimeDigitized, "2026:05:04 12:14:00", "is 46 s after"),
        (Tag::DateTimeDigitized, "1999:01:01 00:00:00", "before DateTimeOriginal"),
        (Tag::GPSDateStamp, "2026:05:08", "which is UTC, is 3 days 23 h after"),
    ] {
        let finding = only(&dated(taken, &[(tag, other)]), DatesDisagree);
        assert!(finding.text.contains(due), "{finding:?}");
        assert_eq!(finding.evidence["DateTimeOriginal"], "2026-05-04T12:13:14");
        assert_eq!(finding.evidence.len(), 2);
    }
    let all = [
        (Tag::DateTime, "2027:01:01 00:00:00"),
        (Tag::DateTimeDigitized, "2025:01:01 00:00:00"),
        (Tag::GPSDateStamp, "2020:01:01"),
    ];
    assert_eq!(only(&dated(taken, &all), DatesDisagree).evidence.len(), 4);
}

#[test]
fn what_zones_and_slow_cameras_explain_is_no_finding() {
    let taken = "2026:05:04 12:13:14";
    for (tag, other) in [
        (Tag::DateTime, taken),
        (Tag::DateTime, "2026:05:04 12:20:00"),
        (Tag::DateTime, "2026:05:04 21:43:15"),
        (Tag::DateTimeDigitized, "2026:05:04 06:28:14"),
        (Tag::DateTimeDigitized, "2026:05:04 12:13:15"),
        (Tag::DateTimeDigitized, "0000:00:00 00:00:00"),
        (Tag::DateTimeDigitized, "    :  :     :  :  "),
        (Tag::GPSDateStamp, "2026:05:05"),
        (Tag::GPSDateStamp, "2026:05:03"),
        (Tag::GPSDateStamp, "2026-05"),
    ] {
        assert_eq!(codes(&dated(taken, &[(tag, other)])), [], "{tag} {other}");
    }
    let clock = |denom| Value::Rational([23, 59, 59].map(|num| Rational { num, denom }).to_vec());
    for denom in [1, 0] {
        let fields = [
            (Tag::DateTimeOriginal, ascii(taken)),
            (Tag::GPSDateStamp, ascii("2026:05:04")),
            (Tag::GPSTimeStamp, clock(denom)),
        ];
        assert_eq!(codes(&with(&fields)), []);
    }
    assert_eq!(codes(&with(&[(Tag::DateTime, ascii("2026:05:04 12:13:14"))])), []);
    assert_eq!(
        codes(&dated("9999:12:31 23:59:59", &[(Tag::DateTime, "0001:01:01 00:00:00")])),
        [DatesDisagree]
    );
}

#[test]
fn other_dimensions_than_those_of_the_picture_are_told() {
    let sides = |across, down, width, height| {
        with(&[(across, Value::Long(vec![width])), (down, Value::Long(vec![height]))])
    };
    let (x, y) = (Tag::PixelXDimension, Tag::PixelYDimension);
    let finding = only(&sides(x, y, 4000, 3000), DimensionsDisagree);
    assert_eq!(
        (finding.evidence["named"].as_str(), finding.evidence["picture"].as_str()),
        ("4000 × 3000", "40 × 20 as stored")
    );
    assert_eq!(codes(&sides(Tag::ImageWidth, Tag::ImageLength, 40, 21)), [DimensionsDisagree]);
    for (width, height) in [(40, 20), (20, 40), (0, 0), (0, 20)] {
        assert_eq!(codes(&sides(x, y, width, height)), [], "{width} {height}");
    }
    assert_eq!(codes(&sides(x, y, u32::MAX, u32::MAX)), [DimensionsDisagree]);
    assert_eq!(codes(&with(&[(x, ascii("wide")), (y, Value::Long(vec![]))])), []);
}

#[test]
fn a_name_of_another_format_is_told() {
    let told = |name, format| name_contradicts_content(name, format).map(|finding| finding.text);
    let png_as_jpeg = told("holiday.JPG", ImageFormat::Png).unwrap();
    assert_eq!(png_as_jpeg, "The name ends in .jpg; the content is PNG.");
    assert!(
        told("photo.png", ImageFormat::Jpeg).is_some() && told("report.pdf", ImageFormat::Jpeg).is_some()
    );
    for name in [
        "a.jpg",
        "a.JPEG",
        "a.jfif",
        "a.b.jpe",
        "jpg",
        "png",
        "photo",
        "photo.",
        "photo.2026",
        "photo.bak",
        "",
    ] {
        assert_eq!(told(name, ImageFormat::Jpeg), None, "{name}");
    }
    assert_eq!(told("a.png", ImageFormat::Png), None);
}

#[test]
fn findings_are_plain_and_bounded_whatever_a_file_says() {
    let long = format!("Photoshop \0\u{202e}{}", "\u{1f40c}".repeat(9_000));
    let software = ascii(&long.chars().take(9_000).collect::<String>());
    for finding in found(&with(&[(Tag::Software, software)])) {
        assert_eq!(finding.code, EditedWith);
        for text in finding.evidence.iter().flat_map(|(name, value)| [name, value]).chain([&finding.text]) {
            assert!(text.chars().count() <= 800 && !text.contains(char::is_control), "{text}");
            assert!(!text.contains('\u{202e}'));
        }
    }
    // All at once, and an Exif bomb beside.
    assert_eq!(codes(&pictures::with_exif(&pictures::jpeg(&corners(40, 20)), &pictures::exif_bomb())), []);
}
