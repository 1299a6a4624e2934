//! Software that a file names: whatever wrote a file last may say so, in any of these places.

use super::finding;
use crate::xmp::property;
use crate::{jpeg, png};
use darkroom_domain::{Finding, FindingCode, ImageFormat};
use exif::{Exif, In, Tag, Value};

/// Programs that can edit pictures, in small letters. The firmware of a camera, which the same fields name, is none of them.
const EDITORS: &[&str] = &[
    "acdsee",
    "affinity photo",
    "airbrush",
    "aperture",
    "beautyplus",
    "camera raw",
    "canva",
    "capture one",
    "capture nx",
    "corel",
    "darktable",
    "digikam",
    "dxo",
    "exposure x",
    "faceapp",
    "facetune",
    "fotor",
    "gimp",
    "imagemagick",
    "instagram",
    "irfanview",
    "krita",
    "lightroom",
    "luminar",
    "meitu",
    "movavi",
    "on1",
    "paint shop",
    "paint.net",
    "paintshop",
    "photo editor",
    "photodirector",
    "photofiltre",
    "photopea",
    "photoscape",
    "photoshop",
    "picasa",
    "picsart",
    "pixelmator",
    "pixlr",
    "polarr",
    "rawtherapee",
    "remini",
    "snapseed",
    "topaz",
    "vsco",
];

/// The finding that the file names software that can edit pictures.
pub(super) fn edited_with(
    bytes: &[u8],
    format: ImageFormat,
    exif: Option<&Exif>,
    xmp: &str,
) -> Option<Finding> {
    let field = |tag| exif.and_then(|exif| text(exif, tag));
    let in_format = match format {
        ImageFormat::Jpeg => ("Photoshop segment", jpeg::resource(bytes, 1057).and_then(written_by)),
        ImageFormat::Png => ("PNG text Software", png::software(bytes).map(latin_1)),
    };
    let places = [
        ("Exif Software", field(Tag::Software)),
        ("Exif ProcessingSoftware", field(Tag(exif::Context::Tiff, 0x000b))),
        ("XMP CreatorTool", property(xmp, "xmp:CreatorTool").map(str::to_owned)),
        in_format,
    ];
    let (place, value) = places
        .into_iter()
        .filter_map(|(place, value)| Some((place, value?)))
        .find(|(_, value)| is_editor(value))?;
    let text = format!("The file names software that can edit pictures: {} ({place}).", value.trim());
    Some(finding(FindingCode::EditedWith, text, [("field", place.to_owned()), ("value", value)]))
}

fn text(exif: &Exif, tag: Tag) -> Option<String> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(parts) => parts.first().map(|part| String::from_utf8_lossy(part).into_owned()),
        _ => None,
    }
}

/// Whether a text names an editor, by whole words.
fn is_editor(text: &str) -> bool {
    let text: String = text.chars().take(500).flat_map(char::to_lowercase).collect();
    EDITORS.iter().any(|editor| {
        text.match_indices(editor).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = text.get(at + editor.len()..).and_then(|after| after.chars().next());
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphabetic)
        })
    })
}

/// The program that wrote the image resources, by its version information (1057): version, whether merged data is there, and
/// the name of the writer in UTF-16. Resources alone prove nothing, since captions and keywords are kept there by many programs.
fn written_by(version_information: &[u8]) -> Option<String> {
    let (count, name) = version_information.get(5..)?.split_first_chunk()?;
    let units = name
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([*pair.first().unwrap_or(&0), *pair.last().unwrap_or(&0)]));
    let units: Vec<u16> = units.take(usize::try_from(u32::from_be_bytes(*count)).ok()?.min(200)).collect();
    Some(String::from_utf16_lossy(&units).trim_end_matches('\0').to_owned())
}

/// Text of PNG (third edition, 11.3.3.2).
fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().take(1000).map(|byte| char::from(*byte)).collect()
}
