//! What is odd about a file, told without a guess at why.

use super::image::named;
use std::collections::BTreeMap;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingCode {
    /// The thumbnail inside the file shows another picture.
    ThumbnailDiffers,
    /// The file names software that can edit pictures.
    EditedWith,
    /// The times that the file names do not go together.
    DatesDisagree,
    /// The file names other dimensions than its picture has.
    DimensionsDisagree,
    /// The file goes on behind the end of the picture.
    DataAfterEnd,
    /// The ending of the name belongs to another format.
    NameContradictsContent,
}
named!(FindingCode, "code of a finding", {
    ThumbnailDiffers => "thumbnail_differs",
    EditedWith => "edited_with",
    DatesDisagree => "dates_disagree",
    DimensionsDisagree => "dimensions_disagree",
    DataAfterEnd => "data_after_end",
    NameContradictsContent => "name_contradicts_content",
});

/// Something odd. Safe for Postgres and JSON as all [`Metadata`](super::Metadata), and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub code: FindingCode,
    /// A sentence for a person: what the file says, and what it is held against.
    pub text: String,
    /// What was compared, by name, as readable text with units.
    pub evidence: BTreeMap<String, String>,
}
