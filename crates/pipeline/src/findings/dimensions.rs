//! The dimensions that Exif names against those of the picture.

use super::finding;
use darkroom_domain::{Finding, FindingCode};
use darkroom_probe::Header;
use exif::{Exif, In, Tag};

/// Pairs of tags that name width and height (CIPA DC-008, 4.6.4 and 4.6.5). A camera writes what it took, and what is made of
/// the picture later may be smaller.
const PAIRS: [(&str, Tag, Tag); 2] = [
    ("PixelXDimension, PixelYDimension", Tag::PixelXDimension, Tag::PixelYDimension),
    ("ImageWidth, ImageLength", Tag::ImageWidth, Tag::ImageLength),
];

/// The finding that a pair names other dimensions than the header; the same ones the other way round are those of a picture
/// that was turned, and none.
pub(super) fn disagree(exif: &Exif, header: &Header) -> Option<Finding> {
    let picture = (header.width(), header.height());
    let side = |tag| {
        exif.get_field(tag, In::PRIMARY).and_then(|field| field.value.get_uint(0)).filter(|side| *side > 0)
    };
    let named = |(tags, across, down)| Some((tags, (side(across)?, side(down)?)));
    let (tags, (width, height)) = PAIRS
        .into_iter()
        .filter_map(named)
        .find(|(_, (width, height))| ![(*width, *height), (*height, *width)].contains(&picture))?;
    let (named, is) = (format!("{width} × {height}"), format!("{} × {}", picture.0, picture.1));
    let text = format!("Exif names {named} pixels ({tags}); the picture as stored has {is}.");
    let evidence = [("fields", tags.to_owned()), ("named", named), ("picture", format!("{is} as stored"))];
    Some(finding(FindingCode::DimensionsDisagree, text, evidence))
}
