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
    "default",
    "digital camera",
    "digital image",
    "exif_jpeg_picture",
    "image description",
    "kodak digital still camera",
    "konica minolta digital camera",
    "minolta digital camera",
    "nikon digital camera",
    "olympus digital camera",
    "panasonic digital camera",
    "samsung",
    "samsung digital camera",
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
        Value::Ascii(parts) => parts.first().map(|text| utf_8_or_latin_1(text)),
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
            return Some(utf_8_or_latin_1(data));
        }
        rest = after;
    }
    None
}

/// Which characters these are, few programs say as they should (IPTC: 1:90; Exif: ASCII only).
fn utf_8_or_latin_1(bytes: &[u8]) -> Cow<'_, str> {
    let latin_1 = || bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    str::from_utf8(bytes).map_or_else(|_| latin_1().into(), Cow::Borrowed)
}

/// One line that says something.
fn line(text: &str) -> Option<String> {
    let text = plain(text, HumanCaption::MAX_CHARS).text;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let small = line.to_lowercase();
    // The name of the file on the card, in a drone's.
    let says_nothing =
        BOILERPLATE.contains(&small.as_str()) || small.starts_with("dcim\\") || small.starts_with("dcim/");
    // Phones leave the name of a mode: sdr, oznor.
    let is_code = line.len() <= 5 && line.bytes().all(|byte| byte.is_ascii_lowercase());
    let has_words = line.chars().any(char::is_alphabetic);
    (has_words && !says_nothing && !is_code).then_some(line)
}
