//! Thumbnails and originals: bytes as they lie on the volume.

use super::Tag;
use super::refusal::{ImageRefusal, OriginalRefusal, Refusal};
use super::state::State;
use crate::domain::{ImageId, ImageStatus, ThumbnailSize};
use crate::files::{FileError, OpenFile};
use crate::store::StoredFile;
use poem::Body;
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Binary;
use poem_openapi::{ApiResponse, Enum, OpenApi, ResponseContent};
use std::ops::RangeInclusive;

/// A size of thumbnail.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename = "ThumbnailSize", rename_all = "snake_case")]
enum Size {
    /// Fits inside 128 × 128.
    Small,
    /// Fits inside 512 × 512.
    Medium,
}

#[derive(ResponseContent)]
enum Picture {
    #[oai(content_type = "image/jpeg")]
    Jpeg(Binary<Body>),
    #[oai(content_type = "image/png")]
    Png(Binary<Body>),
}

#[derive(ApiResponse)]
enum ThumbnailResponse {
    /// The picture: JPEG, or PNG if it has transparent pixels.
    #[oai(status = 200)]
    Found(
        Picture,
        #[oai(header = "ETag")] String,
        #[oai(header = "Cache-Control")] String,
        #[oai(header = "X-Content-Type-Options")] String,
    ),
    /// The caller has it already.
    #[oai(status = 304)]
    NotModified(#[oai(header = "ETag")] String, #[oai(header = "Cache-Control")] String),
}

#[derive(ApiResponse)]
enum OriginalResponse {
    /// The bytes as uploaded.
    #[oai(status = 200)]
    Found(
        Picture,
        #[oai(header = "ETag")] String,
        #[oai(header = "Content-Length")] u64,
        #[oai(header = "Content-Disposition")] String,
        #[oai(header = "X-Content-Type-Options")] String,
        #[oai(header = "Accept-Ranges")] String,
    ),
    /// A part of the bytes.
    #[oai(status = 206)]
    Part(
        Picture,
        #[oai(header = "ETag")] String,
        #[oai(header = "Content-Length")] u64,
        #[oai(header = "Content-Disposition")] String,
        #[oai(header = "X-Content-Type-Options")] String,
        #[oai(header = "Content-Range")] String,
    ),
    /// The caller has them already.
    #[oai(status = 304)]
    NotModified(#[oai(header = "ETag")] String),
}

/// A picture never changes under its entity tag, and is nobody else's business.
const CACHE: &str = "private, max-age=31536000, immutable";

/// No browser shall take a picture for a page.
pub(super) const NOSNIFF: &str = "nosniff";

pub(super) struct PicturesApi;

#[OpenApi(prefix_path = "/api/images", tag = "Tag::Images")]
impl PicturesApi {
    /// Fetch a thumbnail
    ///
    /// Aspect kept, never enlarged, orientation applied, sRGB, without metadata.
    #[oai(path = "/:id/thumbnails/:size", method = "get", operation_id = "get_thumbnail")]
    async fn get_thumbnail(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
        /// Which size.
        size: Path<Size>,
        /// The `ETag` of an answer before.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<ThumbnailResponse, ImageRefusal> {
        let size = match size.0 {
            Size::Small => ThumbnailSize::Small,
            Size::Medium => ThumbnailSize::Medium,
        };
        let found = state.bounded(state.store.thumbnail(ImageId::new(id.0), size)).await?;
        let file = match found {
            Ok(file) => file.ok_or(Refusal::NotFound)?,
            Err(ImageStatus::Processing) => {
                return Err(Refusal::NotReady("The thumbnail is not made yet").into());
            }
            Err(_) => return Err(Refusal::NoThumbnails.into()),
        };
        let (tag, cache) = (entity_tag(&file), CACHE.to_owned());
        if names(if_none_match.0.as_deref(), &tag) {
            return Ok(ThumbnailResponse::NotModified(tag, cache));
        }
        let bytes = state.bounded(state.files.read_whole(&file.key)).await.map_err(gone)?;
        let picture = picture(file.media_type, Body::from(bytes));
        Ok(ThumbnailResponse::Found(picture, tag, cache, NOSNIFF.to_owned()))
    }

    /// Fetch the original
    ///
    /// The bytes as they were uploaded, as an attachment. Ranges are supported.
    #[oai(path = "/:id/original", method = "get", operation_id = "get_original")]
    async fn get_original(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
        /// One range of bytes, such as `bytes=0-1023`.
        #[oai(name = "Range")]
        range: Header<Option<String>>,
        /// The `ETag` of an answer before.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<OriginalResponse, OriginalRefusal> {
        let file = state.bounded(state.store.original(ImageId::new(id.0))).await?.ok_or(Refusal::NotFound)?;
        let tag = entity_tag(&file);
        if names(if_none_match.0.as_deref(), &tag) {
            return Ok(OriginalResponse::NotModified(tag));
        }
        let part = match range.0.as_deref() {
            Some(range) => {
                let length = state.bounded(state.files.length(&file.key)).await.map_err(gone)?;
                parse_range(range, length)
            }
            None => None,
        };
        // Before the file is opened: one that lies outside asks for nothing.
        let part = part.map(|part| part.ok_or(Refusal::RangeNotSatisfiable)).transpose()?;
        let OpenFile { content, length } =
            state.bounded(state.files.read(&file.key, part.clone())).await.map_err(gone)?;
        let body = Body::from_async_read(content);
        let (attachment, nosniff) = (attachment(&file.original_name), NOSNIFF.to_owned());
        let Some(part) = part else {
            let picture = picture(file.media_type, body);
            return Ok(OriginalResponse::Found(
                picture,
                tag,
                length,
                attachment,
                nosniff,
                "bytes".to_owned(),
            ));
        };
        let (first, last) = part.into_inner();
        let count = last - first + 1;
        let picture = picture(file.media_type, body);
        let described = format!("bytes {first}-{last}/{length}");
        Ok(OriginalResponse::Part(picture, tag, count, attachment, nosniff, described))
    }
}

fn picture(media_type: &str, body: Body) -> Picture {
    match media_type {
        "image/png" => Picture::Png(Binary(body)),
        _ => Picture::Jpeg(Binary(body)),
    }
}

/// A file that vanished between the row and the volume was deleted at this moment.
fn gone(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Files(FileError::Missing { .. }) => Refusal::NotFound,
        other => other,
    }
}

/// The stem of a key is unique for its content, and says nothing about where the file is.
fn entity_tag(file: &StoredFile) -> String {
    let name = file.key.as_str().rsplit('/').next().unwrap_or_default();
    format!("\"{}\"", name.split('.').next().unwrap_or_default())
}

/// RFC 9110, 13.1.2: a list of tags, compared weakly, or `*`.
pub(super) fn names(if_none_match: Option<&str>, tag: &str) -> bool {
    if_none_match.is_some_and(|list| {
        list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
    })
}

/// RFC 9110, 14.1.2: `None` for what is not one range of bytes (then it is ignored), `Some(None)` for one that lies
/// outside of `length`.
fn parse_range(header: &str, length: u64) -> Option<Option<RangeInclusive<u64>>> {
    let (first, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let end = length.checked_sub(1);
    let range = match (first.trim(), last.trim()) {
        ("", suffix) => {
            let suffix: u64 = suffix.parse().ok()?;
            (suffix > 0).then_some(length.saturating_sub(suffix)).zip(end)
        }
        (first, "") => Some(first.parse().ok()?).zip(end),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if first > last {
                return None;
            }
            end.map(|end| (first, last.min(end)))
        }
    };
    Some(range.filter(|(first, last)| first <= last).map(|(first, last)| first..=last))
}

/// RFC 6266 and RFC 8187: the name in full for those who can, and in ASCII for the others.
fn attachment(original_name: &str) -> String {
    let plain: String = original_name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._- ".contains(c) { c } else { '_' })
        .collect();
    let mut full = String::new();
    for byte in original_name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => full.push(char::from(byte)),
            _ => full.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{full}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(parse_range("bytes=0-9", 100), Some(Some(0..=9)));
        assert_eq!(parse_range("bytes=90-", 100), Some(Some(90..=99)));
        assert_eq!(parse_range("bytes=-5", 100), Some(Some(95..=99)));
        assert_eq!(parse_range("bytes=-500", 100), Some(Some(0..=99)));
        assert_eq!(parse_range("bytes=50-500", 100), Some(Some(50..=99)));
        assert_eq!(parse_range("bytes=100-", 100), Some(None));
        assert_eq!(parse_range("bytes=-0", 100), Some(None));
        assert_eq!(parse_range("bytes=0-0", 0), Some(None));
        for ignored in ["", "bytes=", "bytes=9-1", "bytes=a-b", "items=0-1", "bytes=0-1,5-6", "bytes=-"] {
            assert_eq!(parse_range(ignored, 100), None, "{ignored}");
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        let header = attachment("a\"; x=\"ä.jpg");
        assert_eq!(
            header,
            "attachment; filename=\"a__ x___.jpg\"; filename*=UTF-8''a%22%3B%20x%3D%22%C3%A4.jpg"
        );
    }

    #[test]
    fn tags_are_compared_weakly() {
        assert!(names(Some("\"a\", W/\"b\""), "\"b\""));
        assert!(names(Some("*"), "\"b\""));
        assert!(!names(Some("\"a\""), "\"b\""));
        assert!(!names(None, "\"b\""));
    }
}
