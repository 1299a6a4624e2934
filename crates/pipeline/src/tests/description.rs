//! What files say of their pictures, and what cameras say of every picture.

use super::pictures::{self, corners};
use super::*;
use ::exif::{Tag, Value};

fn described(file: &[u8]) -> Option<String> {
    read_metadata(file, &header(file)).description
}

fn jpeg() -> Vec<u8> {
    pictures::jpeg(&corners(40, 20))
}

fn in_exif(file: &[u8], text: &str) -> Vec<u8> {
    let field = (Tag::ImageDescription, Value::Ascii(vec![text.as_bytes().to_vec()]));
    pictures::with_exif(file, &pictures::exif(&[field]))
}

fn iptc(dataset: u8, text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x1c, 2, dataset], &length[..], text].concat()
}

fn in_iptc(file: &[u8], datasets: &[u8]) -> Vec<u8> {
    let length = u32::try_from(datasets.len()).unwrap().to_be_bytes();
    let padding = vec![0; datasets.len() % 2];
    let segment = [b"Photoshop 3.0\08BIM\x04\x04\0\0", &length[..], datasets, &padding].concat();
    pictures::with_segment(file, 0xed, &segment)
}

fn xmp(text: &str) -> String {
    let item = format!("<rdf:Alt><rdf:li xml:lang=\"x-default\">{text}</rdf:li></rdf:Alt>");
    format!("<rdf:Description><dc:description>{item}</dc:description></rdf:Description>")
}

fn in_xmp(file: &[u8], text: &str) -> Vec<u8> {
    let segment = [b"http://ns.adobe.com/xap/1.0/\0", xmp(text).as_bytes()].concat();
    pictures::with_segment(file, 0xe1, &segment)
}

#[test]
fn what_people_write_counts_before_what_cameras_write() {
    assert_eq!(described(&jpeg()), None);
    let exif = in_exif(&jpeg(), "My dog,\n asleep\0");
    assert_eq!(described(&exif).as_deref(), Some("My dog, asleep"));
    let both = in_iptc(&exif, &[iptc(5, b"Title"), iptc(120, "Ein Hündchen".as_bytes())].concat());
    assert_eq!(described(&both).as_deref(), Some("Ein Hündchen"));
    let all = in_xmp(&both, "A dog &amp; its \u{202e}bed");
    assert_eq!(described(&all).as_deref(), Some("A dog & its bed"));
    let latin_1 = in_iptc(&jpeg(), &iptc(120, b"H\xfcndchen"));
    assert_eq!(described(&latin_1).as_deref(), Some("Hündchen"));

    let png = pictures::png(&corners(40, 20));
    let text = [&b"XML:com.adobe.xmp\0\0\0\0\0"[..], xmp("Two cats").as_bytes()].concat();
    assert_eq!(described(&pictures::with_chunk(&png, b"iTXt", &text)).as_deref(), Some("Two cats"));
}

#[test]
fn what_says_nothing_is_no_description() {
    for nothing in
        ["OLYMPUS DIGITAL CAMERA", " SONY DSC ", "DCIM\\100MEDIA\\DJI_0042.JPG", "sdr", "", "\0\n", "12.5"]
    {
        assert_eq!(described(&in_exif(&jpeg(), nothing)), None, "{nothing}");
    }
    // The next place is asked.
    let behind = in_xmp(&in_exif(&jpeg(), "A harbour"), "Untitled");
    assert_eq!(described(&behind).as_deref(), Some("A harbour"));
}

#[test]
fn a_description_is_bounded_and_a_broken_one_does_no_harm() {
    let long = described(&in_iptc(&jpeg(), &iptc(120, "ä ".repeat(10_000).as_bytes()))).unwrap();
    assert!((1900..=2000).contains(&long.chars().count()), "{}", long.len());
    let whole = [iptc(5, b"Title"), iptc(120, b"A harbour")].concat();
    for end in 0..whole.len() {
        assert_eq!(described(&in_iptc(&jpeg(), &whole[..end])), None, "{end}");
    }
    let longer = [&[0x1c, 2, 5, 0x80, 4, 0, 0, 0, 1, b'x'][..], &iptc(120, b"A harbour")].concat();
    assert_eq!(described(&in_iptc(&jpeg(), &longer)), None);
}
