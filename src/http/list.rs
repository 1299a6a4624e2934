//! The list of images: filters, orders, and one part after the other.

use super::Tag;
use super::cursor;
use super::envelope::ImageListAnswer;
use super::refusal::{ReadRefusal, Refusal};
use super::schema::{ImageList, Status};
use super::state::State;
use crate::domain::{FindingCode, ImageFormat};
use crate::store::{ListFilter, Sort, Span};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, OpenApi};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration, PrimitiveDateTime, Time};

/// The order of a list. Images without what they are sorted by come last.
#[derive(Enum, Debug, Clone, Copy, Default)]
#[oai(rename = "ImageOrder", rename_all = "snake_case")]
enum Order {
    /// By upload, the last first.
    #[default]
    Newest,
    /// By upload, the first first.
    Oldest,
    /// By capture time, the last first.
    TakenNewest,
    /// By capture time, the first first.
    TakenOldest,
    /// By width × height, most pixels first.
    Largest,
    /// By width × height, fewest pixels first.
    Smallest,
    /// By name, capitals and small letters alike.
    Name,
}

impl From<Order> for Sort {
    fn from(order: Order) -> Self {
        match order {
            Order::Newest => Self::Newest,
            Order::Oldest => Self::Oldest,
            Order::TakenNewest => Self::TakenNewest,
            Order::TakenOldest => Self::TakenOldest,
            Order::Largest => Self::Largest,
            Order::Smallest => Self::Smallest,
            Order::Name => Self::Name,
        }
    }
}

/// A format of images.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename = "ImageFormat", rename_all = "snake_case")]
enum Format {
    /// JPEG.
    Jpg,
    /// PNG.
    Png,
}

impl From<Format> for ImageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Jpg => Self::Jpeg,
            Format::Png => Self::Png,
        }
    }
}

/// A kind of findings.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum FindingKind {
    ThumbnailDiffers,
    EditedWith,
    DatesDisagree,
    DimensionsDisagree,
    DataAfterEnd,
    NameContradictsContent,
}

impl From<FindingKind> for FindingCode {
    fn from(kind: FindingKind) -> Self {
        match kind {
            FindingKind::ThumbnailDiffers => Self::ThumbnailDiffers,
            FindingKind::EditedWith => Self::EditedWith,
            FindingKind::DatesDisagree => Self::DatesDisagree,
            FindingKind::DimensionsDisagree => Self::DimensionsDisagree,
            FindingKind::DataAfterEnd => Self::DataAfterEnd,
            FindingKind::NameContradictsContent => Self::NameContradictsContent,
        }
    }
}

#[derive(ApiResponse)]
enum ImageListResponse {
    /// A part of the list.
    #[oai(status = 200, content_type = "application/json")]
    Found(Json<ImageListAnswer>),
}

pub(super) struct ListApi;

#[OpenApi(prefix_path = "/api/images", tag = "Tag::Images")]
impl ListApi {
    /// List images
    ///
    /// All filters together; each may be left out. `next_cursor` of one part is the `cursor` of the next, with the same
    /// filters and the same `sort`. A part may hold fewer images than `limit`, or none, where finding more would take too
    /// long: only a `next_cursor` of null says that there are no more.
    #[oai(path = "/", method = "get", operation_id = "list_images")]
    #[expect(clippy::too_many_arguments, reason = "a parameter of the request each")]
    async fn list_images(
        &self,
        state: Data<&State>,
        /// How many at the most.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")), default = "default_limit")]
        limit: Query<u32>,
        /// The `next_cursor` of the part before.
        cursor: Query<Option<String>>,
        /// The order.
        #[oai(default)]
        sort: Query<Order>,
        /// Only images with this status.
        status: Query<Option<Status>>,
        /// Only images of this format.
        format: Query<Option<Format>>,
        /// Only images whose name contains this text, in any case.
        #[oai(validator(max_length = 255))]
        q: Query<Option<String>>,
        /// Only images whose camera (maker and model) contains this text, in any case.
        #[oai(validator(max_length = 200))]
        camera: Query<Option<String>>,
        /// Only images with these bytes: SHA-256 in hexadecimal.
        #[oai(validator(pattern = "^[0-9a-fA-F]{64}$"))]
        sha256: Query<Option<String>>,
        /// Only images captured then or later: `2026-05-04` or `2026-05-04T12:13:14`. Cameras name no zone.
        #[oai(validator(max_length = 19))]
        taken_from: Query<Option<String>>,
        /// Only images captured then or before; a day is included to its end.
        #[oai(validator(max_length = 19))]
        taken_to: Query<Option<String>>,
        /// Only images that say where they were taken; or only those that do not.
        has_gps: Query<Option<bool>>,
        /// Only images that something of this kind was found about.
        finding: Query<Option<FindingKind>>,
        /// Only images of at least so many pixels, width × height.
        #[oai(validator(minimum(value = "0")))]
        min_pixels: Query<Option<i64>>,
        /// Only images of at most so many pixels.
        #[oai(validator(minimum(value = "0")))]
        max_pixels: Query<Option<i64>>,
        /// Only files of at least so many bytes.
        #[oai(validator(minimum(value = "0")))]
        min_bytes: Query<Option<i64>>,
        /// Only files of at most so many bytes.
        #[oai(validator(minimum(value = "0")))]
        max_bytes: Query<Option<i64>>,
    ) -> Result<ImageListResponse, ReadRefusal> {
        let sort = Sort::from(sort.0);
        let filter = ListFilter {
            status: status.0.map(Into::into),
            format: format.0.map(Into::into),
            name_contains: q.0.filter(|text| !text.is_empty()),
            camera_contains: camera.0.filter(|text| !text.is_empty()),
            sha256: sha256.0.map(|text| text.parse()).transpose().map_err(|_| not_understood("sha256"))?,
            taken: taken(taken_from.0.as_deref(), taken_to.0.as_deref())?,
            has_gps: has_gps.0,
            finding: finding.0.map(Into::into),
            pixels: between("pixels", min_pixels.0, max_pixels.0)?,
            bytes: between("bytes", min_bytes.0, max_bytes.0)?,
        };
        let after = cursor.0.map(|text| cursor::read(sort, &text).ok_or_else(|| not_understood("cursor")));
        let after = after.transpose()?;
        let page = state.bounded(state.store.images(&filter, sort, after.as_ref(), limit.0)).await?;
        let next_cursor = page.next.map(|next| cursor::write(sort, &next));
        let list = ImageList { images: page.images.into_iter().map(Into::into).collect(), next_cursor };
        Ok(ImageListResponse::Found(Json(list.into())))
    }
}

pub(super) fn default_limit() -> u32 {
    50
}

pub(super) fn not_understood(parameter: &str) -> Refusal {
    Refusal::Malformed(format!("The parameter `{parameter}` cannot be understood"))
}

/// From the least to the most, both included.
fn between(what: &str, least: Option<i64>, most: Option<i64>) -> Result<Span<i64>, Refusal> {
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        return Err(Refusal::Malformed(format!("`min_{what}` is more than `max_{what}`")));
    }
    Ok(Span { from: least, before: most.map(|most| most.saturating_add(1)) })
}

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");

/// Both included: a day to its end, a second with its fractions.
fn taken(from: Option<&str>, to: Option<&str>) -> Result<Span<PrimitiveDateTime>, Refusal> {
    let read = |name, text: Option<&str>| {
        text.map(|text| time(text).ok_or_else(|| not_understood(name))).transpose()
    };
    let (from, to) = (read("taken_from", from)?, read("taken_to", to)?);
    let from = from.map(|(begin, _)| begin);
    let before = to.and_then(|(begin, length)| begin.checked_add(length));
    if from.zip(before).is_some_and(|(from, before)| from >= before) {
        return Err(Refusal::Malformed("`taken_from` is after `taken_to`".to_owned()));
    }
    Ok(Span { from, before })
}

/// When a day or a second begins, and how long it is. Postgres has no year 0.
fn time(text: &str) -> Option<(PrimitiveDateTime, Duration)> {
    let (begin, length) = match Date::parse(text, DAY) {
        Ok(day) => (PrimitiveDateTime::new(day, Time::MIDNIGHT), Duration::DAY),
        Err(_) => (PrimitiveDateTime::parse(text, SECOND).ok()?, Duration::SECOND),
    };
    (begin.year() > 0).then_some((begin, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_day_is_included_to_its_end_and_a_second_too() {
        let span = taken(Some("2026-05-04"), Some("2026-05-04")).unwrap();
        assert_eq!(span.from, Some(datetime!(2026-05-04 00:00)));
        assert_eq!(span.before, Some(datetime!(2026-05-05 00:00)));
        let span = taken(None, Some("2026-05-04T12:13:14")).unwrap();
        assert_eq!((span.from, span.before), (None, Some(datetime!(2026-05-04 12:13:15))));
        // After the last day that can be told there is nothing to leave out.
        assert_eq!(taken(None, Some("9999-12-31")).unwrap().before, None);
    }

    #[test]
    fn what_is_no_time_or_no_range_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "0000-01-01",
            "-001-01-01",
            "2026-05-04 12:13:14",
            "2026-05-04T25:00:00",
        ] {
            assert!(taken(Some(text), None).is_err(), "{text:?}");
        }
        assert!(taken(Some("2026-05-05"), Some("2026-05-04")).is_err());
        assert!(between("bytes", Some(2), Some(1)).is_err());
        let all = between("bytes", Some(0), Some(i64::MAX)).unwrap();
        assert_eq!((all.from, all.before), (Some(0), Some(i64::MAX)));
    }
}
