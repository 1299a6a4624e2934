//! Exif fields as readable text.

use super::text::{Warnings, plain};
use exif::{Context, Exif, Field, In, Tag, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The longest text of a field, in characters.
const MAX_CHARS: usize = 500;

/// Memory for values. All fields may point at the same large one, and each is unpacked by itself.
const MAX_VALUE_BYTES: usize = 8 << 20;

/// Fields that hold what a person cannot read.
const BINARY: [Tag; 2] = [Tag::MakerNote, Tag::UserComment];

/// The fields that have a name, about a hundred and fifty. Only these are looked up: looking at a field unpacks its
/// value, and those that are shown nowhere may be thousands.
static KNOWN: LazyLock<Vec<Tag>> = LazyLock::new(|| {
    [Context::Tiff, Context::Exif, Context::Gps, Context::Interop]
        .into_iter()
        .flat_map(|context| (0..=u16::MAX).map(move |number| Tag(context, number)))
        .filter(|tag| tag.description().is_some() && !BINARY.contains(tag))
        .collect()
});

/// The known fields of the primary picture, by name, without those of an embedded thumbnail. The first of a name
/// counts.
pub(super) fn readable(exif: &Exif, warnings: &mut Warnings) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut value_bytes = 0;
    for field in KNOWN.iter().filter_map(|tag| exif.get_field(*tag, In::PRIMARY)) {
        value_bytes += size(&field.value);
        if value_bytes > MAX_VALUE_BYTES {
            warnings.add("there are more Exif fields than are shown");
            break;
        }
        let name = field.tag.to_string();
        if !fields.contains_key(&name)
            && let Some(text) = text(exif, field, warnings)
        {
            fields.insert(name, text);
        }
    }
    fields
}

fn text(exif: &Exif, field: &Field, warnings: &mut Warnings) -> Option<String> {
    let plain = match &field.value {
        // Displayed, it would stand in quotes, with escapes.
        Value::Ascii(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(part)).collect();
            plain(parts.join(", "), MAX_CHARS)
        }
        _ => plain(field.display_value().with_unit(exif), MAX_CHARS),
    };
    let fraction =
        matches!(field.value, Value::Rational(_) | Value::SRational(_) | Value::Float(_) | Value::Double(_));
    if fraction && ["inf", "NaN"].iter().any(|word| plain.text.contains(word)) {
        warnings.add(format_args!("{} was left out: it is no finite number", field.tag));
        return None;
    }
    if plain.cut {
        warnings.add(format_args!("{} was cut after {MAX_CHARS} characters", field.tag));
    }
    (!plain.text.is_empty()).then_some(plain.text)
}

/// About the memory that a value takes, in bytes.
fn size(value: &Value) -> usize {
    match value {
        Value::Ascii(parts) => parts.iter().map(|part| size_of::<Vec<u8>>() + part.len()).sum(),
        Value::Byte(v) | Value::Undefined(v, _) => v.len(),
        Value::SByte(v) => v.len(),
        Value::Short(v) => 2 * v.len(),
        Value::SShort(v) => 2 * v.len(),
        Value::Long(v) => 4 * v.len(),
        Value::SLong(v) => 4 * v.len(),
        Value::Float(v) => 4 * v.len(),
        Value::Rational(v) => 8 * v.len(),
        Value::SRational(v) => 8 * v.len(),
        Value::Double(v) => 8 * v.len(),
        Value::Unknown(..) => 0,
    }
}
