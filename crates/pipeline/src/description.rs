//! What a file says of its picture in words: a description that somebody, or some program, put into it.

use super::text::plain;
use super::{jpeg, xmp};
use darkroom_domain::{HumanCaption, ImageFormat};
use exif::{Exif, In, Tag, Value};
use std::borrow::Cow;

/// What cameras and phones write into the field whatever they see; in small letters.
const BOILERPLATE: &[&str] = &[
    "asus_z00ad",
    "binary comment",
    "camera",
    "cof",
    "default",
    "digital camera",
    "digital image",
    "dig",
    "edf",
    "exif_jpeg_picture",
    "hdr",
    "hdrpl",
    "image description",
    "jpeg",
    "konica minolta digital camera",
    "mde",
    "minolta digital camera",
    "nikon digital camera",
    "olympus digital camera",
    "panasonic digital camera",
    "rhdr",
    "samsung",
    "screenshot",
    "sony dsc",
    "untitled",
];

/// The description of the picture, one line: of XMP, IPTC and Exif the first that has one, since cameras write the last and
/// people's programs the others. Cut where a person's caption would be too long.
pub(super) fn description(bytes: &[u8], format: ImageFormat, exif: Option<&Exif>) -> Option<String> {
    let in_iptc = || match format {
        ImageFormat::Jpeg => in_iptc(bytes),
        ImageFormat::Png => None,
    };
    line(&xmp::in_any_language(&xmp::of_file(bytes, format), "dc:description").unwrap_or_default())
        .or_else(|| line(&in_iptc()?))
        .or_else(|| line(&in_exif(exif?)?))
}

/// `ImageDescription` (CIPA DC-008, 4.6.4).
fn in_exif(exif: &Exif) -> Option<Cow<'_, str>> {
    match &exif.get_field(Tag::ImageDescription, In::PRIMARY)?.value {
        Value::Ascii(parts) => parts.first().map(|text| String::from_utf8_lossy(text)),
        _ => None,
    }
}

/// Caption/Abstract, dataset 2:120 of IPTC-IIM (4.2), in Photoshop's image resource 1028.
fn in_iptc(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let mut rest = jpeg::resource(bytes, 1028)?;
    while let [0x1c, record, dataset, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        // A length beyond 32767 octets is written in another way (1.6), and no description has that.
        let (data, after) = after.split_at_checked(length)?;
        if (*record, *dataset) == (2, 120) {
            // Which characters these are, few programs say as they should (1:90).
            return Some(str::from_utf8(data).map_or_else(|_| latin_1(data).into(), Cow::Borrowed));
        }
        rest = after;
    }
    None
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// One line that says something.
fn line(text: &str) -> Option<String> {
    let text = plain(text, HumanCaption::MAX_CHARS).text;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let small = line.to_lowercase();
    // The name of the file on the card, in a drone's.
    let says_nothing = BOILERPLATE.contains(&small.as_str()) || small.starts_with("dcim\\");
    let has_words = line.chars().any(char::is_alphabetic);
    (has_words && !says_nothing).then_some(line)
}
