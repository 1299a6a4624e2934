//! The marker segments of a JPEG (ITU-T T.81, B.1.1), and what is read from those before the first scan.

use crate::decode::MAX_PROFILE_BYTES;

/// The code of the marker that begins a scan.
const SOS: u8 = 0xda;

/// A marker with what belongs to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    /// The marker's second byte.
    pub(super) code: u8,
    /// All bytes: marker, length and payload.
    pub(super) bytes: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Takes the next segment off `rest`, with stray bytes before it; `None` if no whole one is left.
    pub(super) fn take(rest: &mut &'a [u8]) -> Option<Self> {
        loop {
            let (_, from_ff) = rest.split_at_checked(rest.iter().position(|byte| *byte == 0xff)?)?;
            let [_, code, after @ ..] = from_ff else { return None };
            *rest = match code {
                0x00 => after,
                // A fill byte (B.1.1.2).
                0xff => from_ff.get(1..)?,
                0x01 | 0xd0..=0xd9 => return Self::split(rest, from_ff, *code, 2),
                _ => {
                    let length = after.first_chunk().map(|length| u16::from_be_bytes(*length))?;
                    return Self::split(rest, from_ff, *code, 2 + usize::from(length.max(2)));
                }
            };
        }
    }

    fn split(rest: &mut &'a [u8], from_ff: &'a [u8], code: u8, length: usize) -> Option<Self> {
        let (bytes, after) = from_ff.split_at_checked(length)?;
        *rest = after;
        Some(Self { code, bytes })
    }

    /// What follows marker and length.
    pub(super) fn payload(&self) -> &'a [u8] {
        self.bytes.get(4..).unwrap_or_default()
    }

    /// The payload behind `name`, if this is the application segment `code` of that name.
    fn application(&self, code: u8, name: &[u8]) -> Option<&'a [u8]> {
        self.payload().strip_prefix(name).filter(|_| self.code == code)
    }
}

/// The segments before the first scan.
fn before_scans(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || Segment::take(&mut rest)).take_while(|segment| segment.code != SOS)
}

/// The Exif data, from its TIFF header on (CIPA DC-008, 4.7.2).
pub(crate) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    before_scans(bytes).find_map(|segment| segment.application(0xe1, b"Exif\0\0"))
}

/// The XMP data (ISO 16684-3, 6.1.3), without extensions.
pub(crate) fn xmp(bytes: &[u8]) -> Option<&[u8]> {
    before_scans(bytes).find_map(|segment| segment.application(0xe1, b"http://ns.adobe.com/xap/1.0/\0"))
}

/// The image resources that Photoshop and others keep.
pub(super) fn photoshop(bytes: &[u8]) -> Option<&[u8]> {
    before_scans(bytes).find_map(|segment| segment.application(0xed, b"Photoshop 3.0\0"))
}

/// Whether there is an index of further pictures in the file (CIPA DC-007, 5.1).
pub(crate) fn has_index_of_pictures(bytes: &[u8]) -> bool {
    before_scans(bytes).any(|segment| segment.application(0xe2, b"MPF\0").is_some())
}

/// The ICC profile, put together from its numbered parts (ICC.1, B.4); `None` if a part is missing.
pub(super) fn icc_profile(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<(u8, u8, &[u8])> = before_scans(bytes)
        .filter_map(|segment| match segment.application(0xe2, b"ICC_PROFILE\0")? {
            [number, count, part @ ..] => Some((*number, *count, part)),
            _ => None,
        })
        // One more than can be numbered, so that too many are seen and not kept.
        .take(usize::from(u8::MAX) + 1)
        .collect();
    parts.sort_unstable_by_key(|(number, ..)| *number);
    let whole = !parts.is_empty()
        && parts.iter().zip(1..).all(|((number, count, _), due)| {
            usize::from(*number) == due && usize::from(*count) == parts.len()
        })
        && parts.iter().map(|(_, _, part)| part.len()).sum::<usize>() <= MAX_PROFILE_BYTES;
    whole.then(|| parts.iter().flat_map(|(_, _, part)| part.iter().copied()).collect())
}
