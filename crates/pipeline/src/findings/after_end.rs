//! What follows the end of the picture in a file.

use super::finding;
use super::samsung::{self, Trailer};
use crate::xmp::property;
use crate::{jpeg, png};
use darkroom_domain::{Finding, FindingCode, ImageFormat};

/// How files of well-known kinds begin: at which byte, with which bytes.
const BEGINNINGS: &[(usize, &[u8], &str)] = &[
    (0, b"PK\x03\x04", "zip"),
    (0, b"Rar!\x1a\x07", "rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"\x1f\x8b\x08", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"%PDF-", "pdf"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF8", "gif"),
    (0, b"RIFF", "riff"),
    (0, b"ID3", "mp3"),
    (0, b"\x7fELF", "elf"),
    (0, b"MZ", "exe"),
    (4, b"ftyp", "mp4"),
];

/// The finding that the file goes on behind its picture with more than padding: how far, and with what. Further pictures and
/// videos that the file itself announces, and that are there, are told as such.
pub(super) fn data_after_end(bytes: &[u8], format: ImageFormat, xmp: &str) -> Option<Finding> {
    let end = match format {
        ImageFormat::Jpeg => jpeg::end(bytes)?,
        ImageFormat::Png => png::end(bytes)?,
    };
    let after = bytes.get(end..)?;
    let length = after.len();
    let (padding, kind) = beginning(after)?;
    let content = after.get(padding..)?;
    let announced = announced(bytes, after, kind, xmp);
    let begin = match kind {
        Some(kind) => format!("they begin as {kind} files do"),
        None => "they begin as no well-known kind of file".to_owned(),
    };
    let text = match announced {
        Some(by) => {
            format!("{length} bytes follow the end of the picture; {begin}. The file itself announces {by}.")
        }
        None => format!("{length} bytes follow the end of the picture; {begin}."),
    };
    let first: String = content.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mut evidence = vec![("bytes", length.to_string()), ("first_bytes", first)];
    evidence.extend(kind.map(|kind| ("begins_as", kind.to_owned())));
    evidence.extend(announced.map(|by| ("announced", by.to_owned())));
    Some(finding(FindingCode::DataAfterEnd, text, evidence))
}

/// Where what follows begins behind its padding, and as what kind of file; `None` if it is nothing but padding. Files may
/// begin with up to four bytes that look like padding themselves.
fn beginning(after: &[u8]) -> Option<(usize, Option<&'static str>)> {
    let is_padding = |byte: &u8| matches!(byte, 0 | 0xff | b' ' | b'\r' | b'\n');
    let padding = after.iter().position(|byte| !is_padding(byte))?;
    let known = (padding.saturating_sub(4)..=padding).find_map(|from| {
        let rest = after.get(from..)?;
        let begins = |(at, magic, _): &&(usize, &[u8], &str)| {
            rest.get(*at..).is_some_and(|rest| rest.starts_with(magic))
        };
        BEGINNINGS.iter().find(begins).map(|(.., kind)| (from, Some(*kind)))
    });
    known.or(Some((padding, None)))
}

/// What the file says about what follows its picture, as far as that begins as it would have to.
fn announced(bytes: &[u8], after: &[u8], kind: Option<&str>, xmp: &str) -> Option<&'static str> {
    let video = ["GCamera:MotionPhoto", "GCamera:MicroVideo", "Camera:MotionPhoto"];
    let has_video = video.iter().any(|name| property(xmp, name) == Some("1"));
    let has_pictures = kind == Some("jpeg") && jpeg::has_index_of_pictures(bytes);
    match samsung::trailer(after) {
        Some(Trailer::MotionPhoto) => Some("the video of a motion photo (trailer of a Samsung camera)"),
        Some(Trailer::Other) => Some("data of its camera (trailer of a Samsung camera)"),
        None if has_video && kind == Some("mp4") => Some("the video of a motion photo (XMP)"),
        None if has_video && has_pictures => {
            Some("further pictures (multi-picture format, CIPA DC-007) and the video of a motion photo (XMP)")
        }
        None if has_pictures => Some("further pictures (multi-picture format, CIPA DC-007)"),
        None => None,
    }
}
