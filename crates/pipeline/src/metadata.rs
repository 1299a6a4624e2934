//! What a file says about itself.

use super::description::description;
use super::text::Warnings;
use super::{fields, jpeg, png, taken_at};
use darkroom_domain::{ImageFormat, Metadata, Orientation, camera_name};
use darkroom_probe::Header;
use exif::{Error, Exif, In, Reader, Tag, Value};

/// Exif data above this size is not read. A JPEG cannot hold more than 64 KiB; and a text of nothing but NULs unpacks to
/// some forty times its size.
const MAX_EXIF_BYTES: usize = 64 << 10;

/// Reads the metadata of the file `bytes`, whose header is `header`. Never fails: what is odd is cleaned or left out,
/// and `warnings` says so.
#[must_use]
pub fn read_metadata(bytes: &[u8], header: &Header) -> Metadata {
    let mut warnings = Warnings::default();
    let format = header.format();
    let exif = exif(bytes, format, &mut warnings);
    let orientation = exif.as_ref().map_or(Orientation::UPRIGHT, |exif| orientation(exif, &mut warnings));
    let (width, height) = (header.width(), header.height());
    let (width, height) = if orientation.swaps_sides() { (height, width) } else { (width, height) };
    let taken_at = exif.as_ref().and_then(|exif| taken_at::taken_at(exif, &mut warnings));
    let fields = exif.as_ref().map(|exif| fields::readable(exif, &mut warnings)).unwrap_or_default();
    let field = |name: &str| fields.get(name).map(String::as_str);
    Metadata {
        width,
        height,
        format,
        taken_at,
        orientation,
        camera: camera_name(field("Make"), field("Model")),
        has_gps: exif.as_ref().is_some_and(has_gps),
        description: description(bytes, format, exif.as_ref()),
        exif: fields,
        warnings: warnings.into_vec(),
    }
}

/// The Exif data of a file, if it has any that can be read.
pub(super) fn exif(bytes: &[u8], format: ImageFormat, warnings: &mut Warnings) -> Option<Exif> {
    let raw = match format {
        ImageFormat::Jpeg => jpeg::exif(bytes),
        ImageFormat::Png => png::exif(bytes),
    };
    raw.and_then(|raw| parse(raw, warnings))
}

/// Parses as much as can be parsed: some programs write directories that are wrong in places, with a right
/// orientation.
fn parse(raw: &[u8], warnings: &mut Warnings) -> Option<Exif> {
    if raw.len() > MAX_EXIF_BYTES {
        warnings.add(format_args!("the Exif data was left out: it has {} bytes", raw.len()));
        return None;
    }
    let parsed = Reader::new().continue_on_error(true).read_raw(raw.to_vec()).or_else(|error| {
        error.distill_partial_result(|errors| {
            errors
                .iter()
                .for_each(|error| warnings.add(format_args!("part of the Exif data was left out: {error}")));
        })
    });
    match parsed {
        Ok(exif) => Some(exif),
        Err(Error::BlankValue(_) | Error::NotFound(_)) => None,
        Err(error) => {
            warnings.add(format_args!("the Exif data was left out: {error}"));
            None
        }
    }
}

fn orientation(exif: &Exif, warnings: &mut Warnings) -> Orientation {
    let Some(field) = exif.get_field(Tag::Orientation, In::PRIMARY) else { return Orientation::UPRIGHT };
    field.value.get_uint(0).and_then(Orientation::from_exif).unwrap_or_else(|| {
        warnings
            .add(format_args!("the orientation was taken for upright: {} is none", field.display_value()));
        Orientation::UPRIGHT
    })
}

/// Whether both coordinates are there: degrees, minutes and seconds (CIPA DC-008, 4.6.6).
fn has_gps(exif: &Exif) -> bool {
    [Tag::GPSLatitude, Tag::GPSLongitude].into_iter().all(|tag| {
        let value = exif.get_field(tag, In::PRIMARY).map(|field| &field.value);
        matches!(value, Some(Value::Rational(parts)) if parts.len() == 3 && parts.iter().all(|part| part.denom != 0))
    })
}
