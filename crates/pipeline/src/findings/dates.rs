//! The times that a file names against each other.

use super::finding;
use crate::taken_at;
use darkroom_domain::{Finding, FindingCode};
use exif::{Exif, In, Tag, Value};
use time::{Duration, PrimitiveDateTime};

/// Clocks that are read one after the other, and seconds that are rounded.
const SAME: Duration = Duration::seconds(2);

/// What a camera needs to write its picture, long exposures included.
const WRITING: Duration = Duration::minutes(10);

/// The farthest that local times can lie apart: from UTC−12 to UTC+14.
const ZONES: Duration = Duration::hours(26);

/// The finding that the times of capture, of digitising, of the last change and of the satellites do not go together.
/// What a time zone explains is none.
pub(super) fn disagree(exif: &Exif) -> Option<Finding> {
    let original = taken_at::time_of(exif, Tag::DateTimeOriginal)?;
    let mut sentences = Vec::new();
    let mut evidence = vec![("DateTimeOriginal", readable(original))];
    if let Some(digitised) = taken_at::time_of(exif, Tag::DateTimeDigitized)
        && let Some(apart) = unexplained(digitised - original)
    {
        sentences.push(format!("DateTimeDigitized is {apart} DateTimeOriginal."));
        evidence.push(("DateTimeDigitized", readable(digitised)));
    }
    if let Some(changed) = taken_at::time_of(exif, Tag::DateTime)
        && let Some(apart) = unexplained(changed - original)
        && !(Duration::ZERO..=WRITING).contains(&(changed - original))
    {
        sentences.push(if changed > original {
            format!("By its own account (DateTime), the file was last changed {apart} it was taken (DateTimeOriginal).")
        } else {
            format!("DateTime, the time of the last change, is {apart} DateTimeOriginal.")
        });
        evidence.push(("DateTime", readable(changed)));
    }
    if let Some((satellites, text)) = satellites(exif)
        && (satellites - original).abs() > ZONES
    {
        let apart = apart(satellites - original);
        sentences.push(format!("The time of the satellites, which is UTC, is {apart} DateTimeOriginal: no time zone is so far away."));
        evidence.push(("GPSDateStamp, GPSTimeStamp", text));
    }
    (!sentences.is_empty()).then(|| finding(FindingCode::DatesDisagree, sentences.join(" "), evidence))
}

/// How far apart, unless that is nothing, or what time zones make: whole quarters of an hour.
fn unexplained(difference: Duration) -> Option<String> {
    let quarter = Duration::minutes(15).whole_seconds();
    let beside = difference.abs().whole_seconds() % quarter;
    let is_quarters = beside.min(quarter - beside) <= SAME.whole_seconds();
    (!(is_quarters && difference.abs() <= ZONES)).then(|| apart(difference))
}

/// As in "3 days 2 h after", with the two largest units.
fn apart(difference: Duration) -> String {
    let (seconds, way) =
        (difference.abs().whole_seconds(), if difference.is_negative() { "before" } else { "after" });
    let units = [(86_400, "days"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let counted = units.map(|(length, unit)| {
        let count = rest / length;
        rest %= length;
        (count, unit)
    });
    let largest = counted.iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0);
    let largest: Vec<String> = largest.map(|(count, unit)| format!("{count} {unit}")).collect();
    format!("{} {way}", largest.join(" "))
}

/// The time that a receiver of satellites named, in UTC, and how it is written there. Noon, if it named the day alone.
fn satellites(exif: &Exif) -> Option<(PrimitiveDateTime, String)> {
    let day = taken_at::ascii(exif, Tag::GPSDateStamp)?.trim_ascii();
    let parts = exif.get_field(Tag::GPSTimeStamp, In::PRIMARY).map(|field| &field.value);
    let clock = match parts {
        Some(Value::Rational(parts)) if parts.len() == 3 => {
            let whole = |part: &exif::Rational| part.num.checked_div(part.denom);
            let numbers = parts.iter().map(whole).collect::<Option<Vec<_>>>()?;
            numbers.iter().map(|number| format!("{number:02}")).collect::<Vec<_>>().join(":")
        }
        _ => "12:00:00".to_owned(),
    };
    let text = format!("{} {clock}", String::from_utf8_lossy(day));
    Some((taken_at::parse(text.as_bytes(), b"")?, text))
}

fn readable(time: PrimitiveDateTime) -> String {
    let (date, clock) = (time.date(), time.time());
    format!("{date}T{:02}:{:02}:{:02}", clock.hour(), clock.minute(), clock.second())
}
