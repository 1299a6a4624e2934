//! What follows the end of the picture in a file.

use super::finding;
use super::xmp::property;
use crate::domain::{Finding, FindingCode, ImageFormat};
use crate::pipeline::{jpeg, png};

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

/// How far behind the picture Samsung's cameras name a video, in bytes.
const SAMSUNG_NAME_WITHIN: usize = 4096;

/// The finding that the file goes on behind its picture with more than padding: how far, and with what. Further pictures and
/// videos that the file itself announces are told as such.
pub(super) fn data_after_end(bytes: &[u8], format: ImageFormat, xmp: &str) -> Option<Finding> {
    let end = match format {
        ImageFormat::Jpeg => jpeg::end(bytes)?,
        ImageFormat::Png => png::end(bytes)?,
    };
    let after = bytes.get(end..)?;
    let is_padding = |byte: &u8| matches!(byte, 0 | 0xff | b' ' | b'\r' | b'\n');
    if after.iter().all(is_padding) {
        return None;
    }
    let length = after.len();
    let beginning = beginning(after);
    let announced = announced(bytes, after, xmp);
    let text = match (announced, beginning) {
        (Some(by), _) => {
            format!("{length} bytes follow the end of the picture, as the file itself announces: {by}.")
        }
        (None, Some(kind)) => {
            format!("{length} bytes follow the end of the picture; they begin as {kind} files do.")
        }
        (None, None) => {
            format!("{length} bytes follow the end of the picture; they begin as no well-known kind of file.")
        }
    };
    let first: String = after.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mut evidence = vec![("bytes", length.to_string()), ("first_bytes", first)];
    evidence.extend(beginning.map(|kind| ("begins_as", kind.to_owned())));
    evidence.extend(announced.map(|by| ("announced", by.to_owned())));
    Some(finding(FindingCode::DataAfterEnd, text, evidence))
}

fn beginning(after: &[u8]) -> Option<&'static str> {
    let begins =
        |(at, magic, _): &&(usize, &[u8], &str)| after.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    BEGINNINGS.iter().find(begins).map(|(.., kind)| *kind)
}

/// What the file says about what follows its picture.
fn announced(bytes: &[u8], after: &[u8], xmp: &str) -> Option<&'static str> {
    let video = ["GCamera:MotionPhoto", "GCamera:MicroVideo", "Camera:MotionPhoto"];
    let near = after.get(..after.len().min(SAMSUNG_NAME_WITHIN)).unwrap_or_default();
    if video.iter().any(|name| property(xmp, name) == Some("1")) {
        Some("the video of a motion photo (XMP)")
    } else if after.ends_with(b"SEFT") && near.windows(16).any(|name| name == b"MotionPhoto_Data") {
        Some("the video of a motion photo (trailer of a Samsung camera)")
    } else if after.ends_with(b"SEFT") {
        Some("data of its camera (trailer of a Samsung camera)")
    } else if jpeg::has_index_of_pictures(bytes) && beginning(after) == Some("jpeg") {
        Some("further pictures (multi-picture format, CIPA DC-007)")
    } else {
        None
    }
}
