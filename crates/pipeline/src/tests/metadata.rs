//! What is read from Exif data, and from what pretends to be some.

use super::pictures::{self, corners};
use super::*;
use ::exif::{Rational, Tag, Value};
use darkroom_domain::Metadata;
use time::macros::datetime;

fn ascii(text: &[u8]) -> Value {
    Value::Ascii(vec![text.to_vec()])
}

fn rational(num: u32, denom: u32) -> Value {
    Value::Rational(vec![Rational { num, denom }])
}

fn degrees(degrees: u32) -> Value {
    Value::Rational([degrees, 30, 15].map(|num| Rational { num, denom: 1 }).to_vec())
}

/// Exif data with a bit of everything.
pub(super) fn many_fields() -> Vec<u8> {
    pictures::exif(&[
        (Tag::Make, ascii(b"Canon")),
        (Tag::Model, ascii(b"EOS\x0180D\xff ")),
        (Tag::Orientation, Value::Short(vec![6])),
        (Tag::DateTime, ascii(b"2026:05:05 00:00:00")),
        (Tag::DateTimeOriginal, ascii(b"2026:05:04 12:13:14")),
        (Tag::SubSecTimeOriginal, ascii(b"50")),
        (Tag::ExposureTime, rational(1, 250)),
        (Tag::FNumber, rational(28, 10)),
        (Tag::GPSLatitudeRef, ascii(b"N")),
        (Tag::GPSLatitude, degrees(42)),
        (Tag::GPSLongitudeRef, ascii(b"E")),
        (Tag::GPSLongitude, degrees(2)),
        (Tag::MakerNote, Value::Undefined(vec![7; 3_000], 0)),
        (Tag::UserComment, Value::Undefined(b"ASCII\0\0\0hello".to_vec(), 0)),
    ])
}

fn metadata(exif: &[u8]) -> Metadata {
    let file = pictures::with_exif(&pictures::jpeg(&corners(40, 20)), exif);
    read_metadata(&file, &header(&file))
}

fn of(fields: &[(Tag, Value)]) -> Metadata {
    metadata(&pictures::exif(fields))
}

#[test]
fn fields_become_readable_text_with_units() {
    let metadata = metadata(&many_fields());
    assert_eq!((metadata.width, metadata.height), (20, 40));
    assert_eq!(metadata.taken_at, Some(datetime!(2026-05-04 12:13:14.5)));
    assert!(metadata.has_gps);
    assert_eq!(metadata.warnings, Vec::<String>::new());
    let field = |name: &str| metadata.exif.get(name).map(String::as_str);
    assert_eq!(field("Make"), Some("Canon"));
    assert_eq!(field("Model"), Some("EOS 80D\u{fffd}"));
    assert_eq!(field("ExposureTime"), Some("1/250 s"));
    assert_eq!(field("FNumber"), Some("f/2.8"));
    assert_eq!(field("GPSLatitude"), Some("42 deg 30 min 15 sec N"));
    assert_eq!((field("MakerNote"), field("UserComment")), (None, None));
}

#[test]
fn png_has_the_same_metadata() {
    let file = pictures::with_chunk(&pictures::png(&corners(40, 20)), b"eXIf", &many_fields());
    let from_png = read_metadata(&file, &header(&file));
    assert_eq!(Metadata { format: darkroom_domain::ImageFormat::Jpeg, ..from_png }, metadata(&many_fields()));
}

#[test]
fn a_picture_without_exif_is_nothing_odd() {
    for file in [pictures::jpeg(&corners(40, 20)), pictures::png(&corners(40, 20))] {
        let metadata = read_metadata(&file, &header(&file));
        assert_eq!((metadata.width, metadata.height, metadata.orientation), (40, 20, Orientation::UPRIGHT));
        assert!(metadata.exif.is_empty() && metadata.warnings.is_empty() && metadata.taken_at.is_none());
    }
}

#[test]
fn an_impossible_orientation_is_upright_with_a_warning() {
    for value in [0, 9, 65_535] {
        let metadata = metadata(&pictures::orientation(value));
        assert_eq!(metadata.orientation, Orientation::UPRIGHT);
        assert_eq!(metadata.warnings.len(), 1, "{:?}", metadata.warnings);
    }
}

#[test]
fn the_best_possible_time_is_taken() {
    let good = (Tag::DateTimeDigitized, ascii(b"2026:05:04 12:13:14"));
    let zero = of(&[(Tag::DateTimeOriginal, ascii(b"0000:00:00 00:00:00"))]);
    assert_eq!((zero.taken_at, zero.warnings.len()), (None, 1));
    let blank = of(&[(Tag::DateTimeOriginal, ascii(b"    :  :     :  :  ")), good.clone()]);
    assert_eq!((blank.taken_at.is_some(), blank.warnings.len()), (true, 0));
    let leap = of(&[(Tag::DateTimeOriginal, ascii(b"2016:12:31 23:59:60")), good]);
    assert_eq!((leap.taken_at.is_some(), leap.warnings.len()), (true, 1));
}

#[test]
fn fractions_of_zero_and_places_without_end_do_no_harm() {
    let zeros = Value::Rational(vec![Rational { num: 1, denom: 0 }; 3]);
    let metadata = of(&[
        (Tag::FNumber, rational(28, 0)),
        (Tag::FocalLength, rational(0, 0)),
        (Tag::GPSLatitude, zeros.clone()),
        (Tag::GPSLongitude, zeros),
    ]);
    assert!(!metadata.has_gps);
    for text in metadata.exif.values() {
        assert!(!text.contains("inf") && !text.contains("NaN"), "{text}");
    }
    assert!(!metadata.warnings.is_empty());
}

#[test]
fn long_values_are_cut_with_a_warning() {
    let metadata = of(&[(Tag::ImageDescription, ascii("ä\0\u{1b}".repeat(5_000).as_bytes()))]);
    let text = metadata.exif.get("ImageDescription").unwrap();
    assert!(text.chars().count() <= 500 && !text.chars().any(char::is_control));
    assert_eq!(metadata.warnings.len(), 1);
}

#[test]
fn many_fields_that_share_one_large_value_are_bounded() {
    // Some of them have a name, most have none.
    let metadata = metadata(&pictures::exif_bomb());
    assert!(metadata.warnings.iter().any(|w| w.contains("more Exif fields")), "{:?}", metadata.warnings);
}

#[test]
fn broken_exif_data_is_left_out_and_said_so() {
    let whole = many_fields();
    for broken in [&b""[..], b"II", b"garbage that is no TIFF", &[0xff; 500], &whole[..whole.len() / 2]] {
        let metadata = metadata(broken);
        assert!(!metadata.warnings.is_empty(), "{}", broken.len());
    }
    // What precedes the damage is kept.
    let cut = metadata(&whole[..whole.len() - 2_000]);
    assert_eq!(cut.orientation.exif(), 6);
}
