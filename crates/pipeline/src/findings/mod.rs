//! What is odd about a file: where it contradicts itself, and what it says of its past. One kind of finding a file.
//!
//! A finding is what was read and what it was held against, never why that may be so; and in doubt there is none.

mod after_end;
mod dates;
mod dimensions;
mod name;
mod samsung;
mod software;
mod thumbnail;

pub use name::name_contradicts_content;

use super::picture::Picture;
use super::text::{Warnings, plain};
use super::{metadata, xmp};
use darkroom_domain::{Finding, FindingCode};
use darkroom_probe::Header;
use std::fmt::Display;

/// The longest sentence and the longest piece of evidence, in characters.
const MAX_TEXT_CHARS: usize = 800;
const MAX_EVIDENCE_CHARS: usize = 300;

/// What is odd about the file `bytes`, whose header is `header` and whose upright picture is, reduced, `shown`. Never
/// fails: what cannot be read is no finding.
#[must_use]
pub fn findings(bytes: &[u8], header: &Header, shown: &Picture) -> Vec<Finding> {
    // What is odd about the Exif data itself, `read_metadata` has said.
    let exif = metadata::exif(bytes, header.format(), &mut Warnings::default());
    let exif = exif.as_ref();
    let xmp = xmp::of_file(bytes, header.format());
    let found = [
        exif.and_then(|exif| thumbnail::differs(exif, header, shown.brightness())),
        software::edited_with(bytes, header.format(), exif, &xmp),
        exif.and_then(dates::disagree),
        exif.and_then(|exif| dimensions::disagree(exif, header)),
        after_end::data_after_end(bytes, header.format(), &xmp),
    ];
    found.into_iter().flatten().collect()
}

/// A finding with its evidence, made plain and bounded.
fn finding<'a>(
    code: FindingCode,
    text: impl Display,
    evidence: impl IntoIterator<Item = (&'a str, String)>,
) -> Finding {
    let evidence = evidence
        .into_iter()
        .map(|(name, value)| (plain(name, MAX_EVIDENCE_CHARS).text, plain(value, MAX_EVIDENCE_CHARS).text));
    Finding { code, text: plain(text, MAX_TEXT_CHARS).text, evidence: evidence.collect() }
}
