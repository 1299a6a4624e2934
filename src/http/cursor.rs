//! Places in a list, as callers carry them from one part to the next. Their form is nobody's business but ours.
//!
//! The order, the id in hexadecimal, and if it is known, what the image is sorted by: pixels in hexadecimal, a time as
//! microseconds since 1970, a name as its bytes.

use crate::domain::ImageId;
use crate::store::{Position, Sort, SortValue};
use std::fmt::Write;
use time::{OffsetDateTime, PrimitiveDateTime};

/// A cursor of longer than this is none: a name has 255 characters of up to four bytes.
const MAX_CHARS: usize = 2100;

/// What a place in a list of this order is called.
pub(super) fn write(sort: Sort, Position { value, id }: &Position) -> String {
    let mut cursor = format!("{}{:x}", letter(sort), id.get());
    match value {
        SortValue::Absent => {}
        SortValue::Taken(taken) => {
            cursor.push_str(&format!("-{:x}", taken.assume_utc().unix_timestamp_nanos() / 1000 + EPOCH))
        }
        SortValue::Pixels(pixels) => cursor.push_str(&format!("-{pixels:x}")),
        SortValue::Name(name) => {
            cursor.push('-');
            name.bytes().for_each(|byte| write!(cursor, "{byte:02x}").unwrap_or_default());
        }
    }
    cursor
}

/// The place that is called so; `None` if none is, or only in a list of another order.
pub(super) fn read(sort: Sort, cursor: &str) -> Option<Position> {
    let rest = cursor.strip_prefix(letter(sort)).filter(|rest| rest.len() < MAX_CHARS)?;
    let (id, value) = rest.split_once('-').map_or((rest, None), |(id, value)| (id, Some(value)));
    let id = ImageId::new(number(id)?);
    let value = match (sort, value) {
        (Sort::Name, None) | (Sort::Newest | Sort::Oldest, Some(_)) => return None,
        (_, None) => SortValue::Absent,
        (Sort::TakenNewest | Sort::TakenOldest, Some(value)) => SortValue::Taken(time(number(value)?)?),
        (Sort::Largest | Sort::Smallest, Some(value)) => SortValue::Pixels(number(value)?),
        (Sort::Name, Some(value)) => SortValue::Name(name(value)?),
    };
    Some(Position { value, id })
}

const fn letter(sort: Sort) -> char {
    match sort {
        Sort::Newest => 'b',
        Sort::Oldest => 'o',
        Sort::TakenNewest => 't',
        Sort::TakenOldest => 'u',
        Sort::Largest => 'l',
        Sort::Smallest => 's',
        Sort::Name => 'n',
    }
}

/// Microseconds from the year 0 to 1970, so that no time is negative.
const EPOCH: i128 = 62_167_219_200_000_000;

fn time(microseconds: i64) -> Option<PrimitiveDateTime> {
    let since_1970 = (i128::from(microseconds) - EPOCH).checked_mul(1000)?;
    let time = OffsetDateTime::from_unix_timestamp_nanos(since_1970).ok()?;
    // Postgres has no year 0.
    (time.year() > 0).then(|| PrimitiveDateTime::new(time.date(), time.time()))
}

/// Not negative, and without a sign.
fn number(hexadecimal: &str) -> Option<i64> {
    let digits = hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { i64::from_str_radix(hexadecimal, 16).ok() } else { None }
}

fn name(hexadecimal: &str) -> Option<String> {
    let digits = hexadecimal.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::try_from(number(std::str::from_utf8(pair).ok()?)?).ok();
    let bytes = digits.chunks_exact(2).map(byte).collect::<Option<Vec<u8>>>()?;
    // Postgres has no text with a NUL.
    String::from_utf8(bytes).ok().filter(|name| !name.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn position(value: SortValue) -> Position {
        Position { value, id: ImageId::new(123_456) }
    }

    #[test]
    fn a_cursor_reads_back_in_its_own_order_and_in_no_other() {
        let taken = SortValue::Taken(datetime!(2026-05-04 12:13:14.123_456));
        let ancient = SortValue::Taken(datetime!(0001-01-01 00:00:00));
        let places = [
            (Sort::Newest, SortValue::Absent),
            (Sort::Oldest, SortValue::Absent),
            (Sort::TakenNewest, taken.clone()),
            (Sort::TakenNewest, SortValue::Absent),
            (Sort::TakenOldest, ancient),
            (Sort::Largest, SortValue::Pixels(12_000_000)),
            (Sort::Smallest, SortValue::Absent),
            (Sort::Name, SortValue::Name("ærø 'x' \u{1f40c}.jpg".to_owned())),
            (Sort::Name, SortValue::Name("\u{1f40c}".repeat(255))),
        ];
        for (sort, value) in &places {
            let cursor = write(*sort, &position(value.clone()));
            assert!(
                cursor.len() <= MAX_CHARS && cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            );
            for (other, _) in &places {
                let due = (other == sort).then(|| position(value.clone()));
                assert_eq!(read(*other, &cursor), due, "{cursor} as {other:?}");
            }
        }
    }

    #[test]
    fn nonsense_is_no_cursor() {
        for nonsense in ["", "b", "17", "bxyz", "b\u{0}", "b-1", "b1-2", "b+1", "bffffffffffffffff", "é"] {
            assert_eq!(read(Sort::Newest, nonsense), None, "{nonsense:?}");
        }
        for nonsense in ["n1", "n1-é", "n1-6", "n1-00", "n1-ff", "n1-6100", "n1-+1", "n-61"] {
            assert_eq!(read(Sort::Name, nonsense), None, "{nonsense:?}");
        }
        for nonsense in ["t1-", "t1-7fffffffffffffff", "t1--1", "t1-2026"] {
            assert_eq!(read(Sort::TakenNewest, nonsense), None, "{nonsense:?}");
        }
    }
}
