//! The image resources that Photoshop and others keep in a JPEG (Adobe Photoshop File Formats Specification).

use super::segments::photoshop;

/// The most that is looked through, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// The data of the first resource of this number, if the file has one that is whole.
pub(crate) fn resource(bytes: &[u8], number: u16) -> Option<&[u8]> {
    let mut rest = photoshop(bytes)?;
    rest = rest.get(..rest.len().min(MAX_BYTES))?;
    while let Some(after) = rest.strip_prefix(b"8BIM") {
        let (id, after) = after.split_first_chunk()?;
        let (length, after) = after.split_first()?;
        // The name of the resource and its length byte together are padded to an even number, and so is the data.
        let (_, after) = after.split_at_checked(usize::from(*length) | 1)?;
        let (size, after) = after.split_first_chunk()?;
        let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
        let (data, after) = after.split_at_checked(size)?;
        if u16::from_be_bytes(*id) == number {
            return Some(data);
        }
        rest = after.get(size % 2..).unwrap_or_default();
    }
    None
}
