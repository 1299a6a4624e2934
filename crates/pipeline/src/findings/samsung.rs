//! What Samsung's cameras append to their pictures: blocks, and at the end a directory of them. As ExifTool reads it
//! (`Samsung.pm`); Samsung has published nothing.
//!
//! ```text
//! block:     0 (2 bytes), type (2), length of the name (4), name, data
//! directory: "SEFH", version (4), number of blocks (4), and for each: 0 (2), type (2), where the block begins, counted
//!            back from "SEFH" (4), its size (4)
//! end:       size of the directory (4), "SEFT"
//! ```
//! All numbers are little-endian.

/// What a trailer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trailer {
    /// Among others, the video of a motion photo.
    MotionPhoto,
    /// Other data.
    Other,
}

const ENTRY_BYTES: usize = 12;

/// The trailer that `after`, what follows a picture, consists of; `None` if its directory contradicts itself, or leaves
/// anything but zeros before its first block.
pub(super) fn trailer(after: &[u8]) -> Option<Trailer> {
    let (rest, size) = after.strip_suffix(b"SEFT")?.split_last_chunk()?;
    let start = rest.len().checked_sub(number(*size)?)?;
    let (blocks, directory) = rest.split_at_checked(start)?;
    let (count, entries) = directory.strip_prefix(b"SEFH")?.get(4..)?.split_first_chunk()?;
    if number(*count)?.checked_mul(ENTRY_BYTES)? != entries.len() {
        return None;
    }
    let (mut first, mut has_video) = (blocks.len(), false);
    for entry in entries.chunks_exact(ENTRY_BYTES) {
        let (back, size) = entry.get(4..)?.split_first_chunk()?;
        let from = blocks.len().checked_sub(number(*back)?)?;
        let block = blocks.get(from..)?.get(..number(size.try_into().ok()?)?)?;
        let (length, name) = block.get(4..)?.split_first_chunk()?;
        has_video |= name.get(..number(*length)?)? == b"MotionPhoto_Data";
        first = first.min(from);
    }
    let is_whole = first < blocks.len() && blocks.get(..first)?.iter().all(|byte| *byte == 0);
    is_whole.then_some(if has_video { Trailer::MotionPhoto } else { Trailer::Other })
}

fn number(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}
