//! Names against contents.

use super::finding;
use darkroom_domain::{Finding, FindingCode, ImageFormat};

/// Endings that stand for another format than JPEG and PNG. One that is not known says nothing.
const OTHERS: &[&str] = &[
    "7z", "arw", "avi", "avif", "bmp", "cr2", "cr3", "dng", "doc", "docx", "exe", "gif", "gz", "heic",
    "heif", "html", "ico", "jp2", "jxl", "mov", "mp3", "mp4", "nef", "odt", "orf", "pdf", "psd", "raf",
    "rar", "svg", "tif", "tiff", "txt", "wav", "webp", "xls", "xlsx", "zip",
];

/// The finding that the ending of a file's name stands for another format than its content has.
#[must_use]
pub fn name_contradicts_content(name: &str, format: ImageFormat) -> Option<Finding> {
    let (_, ending) = name.rsplit_once('.')?;
    let ending = ending.trim().to_ascii_lowercase();
    let named = match ending.as_str() {
        "jpg" | "jpeg" | "jpe" | "jfif" => Some(ImageFormat::Jpeg),
        "png" | "apng" => Some(ImageFormat::Png),
        other if OTHERS.contains(&other) => None,
        _ => return None,
    };
    if named == Some(format) {
        return None;
    }
    let content = match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
    };
    let text = format!("The name ends in .{ending}; the content is {content}.");
    let evidence = [("name", name.to_owned()), ("content", content.to_owned())];
    Some(finding(FindingCode::NameContradictsContent, text, evidence))
}
