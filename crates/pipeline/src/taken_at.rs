//! When a picture was taken, by its Exif data.

use super::text::Warnings;
use exif::{Exif, In, Tag, Value};
use time::{Date, Month, PrimitiveDateTime, Time};

/// The tags that may tell, the best first, each with the tag of its fraction of a second (CIPA DC-008, 4.6.4 and
/// 4.6.5).
const TAGS: [(Tag, Tag); 3] = [
    (Tag::DateTimeOriginal, Tag::SubSecTimeOriginal),
    (Tag::DateTimeDigitized, Tag::SubSecTimeDigitized),
    (Tag::DateTime, Tag::SubSecTime),
];

/// The first of the three times that is a possible one. Others are warned of, unless left blank.
pub(super) fn taken_at(exif: &Exif, warnings: &mut Warnings) -> Option<PrimitiveDateTime> {
    TAGS.into_iter().find_map(|(tag, fraction)| {
        let text = ascii(exif, tag)?;
        // Blanks between the colons stand for an unknown time.
        if text.iter().all(|byte| matches!(byte, b' ' | b':')) {
            return None;
        }
        let read = parse(text, ascii(exif, fraction).unwrap_or_default());
        if read.is_none() {
            warnings.add(format_args!("{tag} is no possible time: {:?}", String::from_utf8_lossy(text)));
        }
        read
    })
}

/// The time that one of the [`TAGS`] names, to the second.
pub(super) fn time_of(exif: &Exif, tag: Tag) -> Option<PrimitiveDateTime> {
    parse(ascii(exif, tag)?, b"")
}

pub(super) fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(parts) => parts.first().map(Vec::as_slice),
        _ => None,
    }
}

/// Reads `YYYY:MM:DD HH:MM:SS` and the decimals of a second, strictly; year 0 and leap seconds are refused, since
/// Postgres has neither.
pub(super) fn parse(text: &[u8], decimals: &[u8]) -> Option<PrimitiveDateTime> {
    let text = text.trim_ascii();
    let shape = |(byte, due): (&u8, &u8)| if *due == b'0' { byte.is_ascii_digit() } else { byte == due };
    let form = b"0000:00:00 00:00:00";
    if text.len() != form.len() || !text.iter().zip(form).all(shape) {
        return None;
    }
    let mut parts = text.split(|byte| !byte.is_ascii_digit()).map(number);
    let mut next = || parts.next();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    let small = |number: u32| u8::try_from(number).ok();
    let month = Month::try_from(small(month)?).ok()?;
    let date =
        Date::from_calendar_date(i32::try_from(year).ok().filter(|year| *year > 0)?, month, small(day)?)
            .ok()?;
    let time =
        Time::from_hms_nano(small(hour)?, small(minute)?, small(second)?, nanoseconds(decimals)).ok()?;
    Some(PrimitiveDateTime::new(date, time))
}

/// The number that up to nine digits write; anything else counts as 0.
fn number(digits: &[u8]) -> u32 {
    let digit = |byte: &u8| char::from(*byte).to_digit(10);
    digits.iter().take(9).try_fold(0, |number, byte| Some(number * 10 + digit(byte)?)).unwrap_or(0)
}

/// The fraction of a second whose decimals are `decimals`; 0 if they are no digits.
fn nanoseconds(decimals: &[u8]) -> u32 {
    let decimals = decimals.trim_ascii();
    let places = u32::try_from(decimals.len().min(9)).unwrap_or(9);
    number(decimals) * 10_u32.pow(9 - places)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use time::macros::datetime;

    #[test]
    fn only_possible_times_are_read() {
        assert_eq!(parse(b"2026:05:04 12:13:14", b""), Some(datetime!(2026-05-04 12:13:14)));
        assert_eq!(parse(b"2024:02:29 23:59:59 ", b"25"), Some(datetime!(2024-02-29 23:59:59.25)));
        assert_eq!(
            parse(b"0001:01:01 00:00:00", b"1234567891"),
            Some(datetime!(0001-01-01 00:00:00.123456789))
        );
        assert_eq!(parse(b"2026:05:04 12:13:14", b"x1"), Some(datetime!(2026-05-04 12:13:14)));
        for impossible in [
            &b"0000:00:00 00:00:00"[..],
            b"0000:01:01 00:00:00",
            b"2025:02:29 00:00:00",
            b"2026:13:01 00:00:00",
            b"9999:12:31 23:59:60",
            b"2026:05:04 24:00:00",
            b"2026-05-04 12:13:14",
            b"2026:05:04T12:13:14",
            b"2026:05:04",
            b"+026:05:04 12:13:14",
            b"",
            b"\xff\xff\xff\xff:\xff\xff:\xff\xff \xff\xff:\xff\xff:\xff\xff",
        ] {
            assert_eq!(parse(impossible, b""), None, "{}", String::from_utf8_lossy(impossible));
        }
    }
}
