//! Lists of images, in any order and at any number of images.
//!
//! A page walks along the index of its order and takes what fits, so that a list without a filter reads a page of rows, and
//! so does one whose filter many images pass. If too few of the first have passed, the filter's own index is asked whether
//! only few pass it at all; then these are read and sorted. What is left are filters that many images pass, all of them
//! far away: the walk goes on for a bounded number of rows, and the page tells where the next one is to go on.

use super::conditions::Statement;
use super::connections::Transaction;
use super::error::{Doing, Fault};
use super::record::summary;
use super::selection::{FEW, Selection};
use super::{ImageSummary, Store, StoreError, begin, commit, query_planned, without_sorting};
use crate::domain::{FindingCode, ImageFormat, ImageId, ImageStatus, Sha256};
use std::time::{Duration, Instant};
use time::PrimitiveDateTime;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

/// For the errors.
const DOING: &str = "listing images";

/// Rows that are walked over before the filter's own index is asked: what is looked for is mostly among the newest.
const NEAR: u32 = 2_000;

/// Rows of one further walk, and how many of them a page may take: a few tenths of a second, if the rows are in memory.
const FAR: u32 = 20_000;
const WALKS: u32 = 10;

/// No walk is begun after so long, even if rows come slowly.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which images a list shows; all conditions together.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Only this status.
    pub status: Option<ImageStatus>,
    /// Only this format.
    pub format: Option<ImageFormat>,
    /// Only names that contain this text, in any case.
    pub name_contains: Option<String>,
    /// Only cameras whose name contains this text, in any case.
    pub camera_contains: Option<String>,
    /// Only these bytes.
    pub sha256: Option<Sha256>,
    /// Only those that something of this kind was found about.
    pub finding: Option<FindingCode>,
    /// Only captured at these times.
    pub taken: Span<PrimitiveDateTime>,
    /// Only those that say where they were taken, or that were found not to.
    pub has_gps: Option<bool>,
    /// Only so many pixels: width × height.
    pub pixels: Span<i64>,
    /// Only files of so many bytes.
    pub bytes: Span<i64>,
}

/// What lies between two values; on a side without one, there is no bound.
#[derive(Debug, Clone, Copy)]
pub struct Span<T> {
    /// The first that is included.
    pub from: Option<T>,
    /// The first that is not included any more.
    pub before: Option<T>,
}

impl<T> Default for Span<T> {
    fn default() -> Self {
        Self { from: None, before: None }
    }
}

/// The order of a list. Images without what they are sorted by come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By upload, the last first.
    #[default]
    Newest,
    /// By upload, the first first.
    Oldest,
    /// By capture time, the last first.
    TakenNewest,
    /// By capture time, the first first.
    TakenOldest,
    /// By the number of pixels, most first.
    Largest,
    /// By the number of pixels, fewest first.
    Smallest,
    /// By name, in small letters, byte by byte.
    Name,
}

/// A place in a list: behind an image, even if that is gone meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// What the image was sorted by.
    pub value: SortValue,
    /// The image; it decides where values are equal.
    pub id: ImageId,
}

/// What an image is sorted by, beside its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortValue {
    /// The id alone, or a value that is not known.
    Absent,
    /// Capture time.
    Taken(PrimitiveDateTime),
    /// Width × height.
    Pixels(i64),
    /// The name in small letters.
    Name(String),
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// The images. Fewer than were asked for do not mean that these are the last.
    pub images: Vec<ImageSummary>,
    /// Where the next part begins; `None` at the end of the list.
    pub next: Option<Position>,
}

/// Images on the way to a page.
#[derive(Default)]
struct Found {
    images: Vec<(ImageSummary, Position)>,
    /// Where the walk stopped before the end of the list.
    stopped: Option<Position>,
}

impl Store {
    /// Up to `limit` images behind `after`. What one call reads is bounded, whatever the filter: a page is shorter, or even
    /// empty, if more was not found in time, and the next one goes on from there.
    ///
    /// # Errors
    /// If Postgres is away, refuses, holds what cannot be understood, or a search in texts takes too long.
    pub async fn images(
        &self,
        filter: &ListFilter,
        sort: Sort,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let (mut client, begun) = (self.client(DOING).await?, Instant::now());
        let transaction = begin(&mut client).await.doing(DOING)?;
        // Each order has an index, and so has each condition that is asked alone.
        without_sorting(&transaction, DOING).await?;
        let found = find(&transaction, &Selection::new(filter, sort), after, limit as usize, begun).await?;
        commit(transaction).await.doing(DOING)?;
        Ok(found.into_page(limit as usize))
    }
}

/// Near by, by the filter's own index, and far away.
async fn find(
    client: &Transaction<'_>,
    selection: &Selection<'_>,
    after: Option<&Position>,
    limit: usize,
    begun: Instant,
) -> Result<Found, StoreError> {
    let mut found = walk(client, selection, after, NEAR, limit + 1).await?;
    if found.is_short(limit)
        && let Some(few) = few(client, selection, after, limit + 1).await?
    {
        return Ok(few);
    }
    for _ in 0..WALKS {
        if !found.is_short(limit) || begun.elapsed() > PATIENCE {
            break;
        }
        let missing = limit + 1 - found.images.len();
        let further = walk(client, selection, found.stopped.as_ref(), FAR, missing).await?;
        found.images.extend(further.images);
        found.stopped = further.stopped;
    }
    Ok(found)
}

impl Found {
    /// Whether there may be more that is wanted.
    fn is_short(&self, limit: usize) -> bool {
        self.images.len() <= limit && self.stopped.is_some()
    }

    fn into_page(mut self, limit: usize) -> Page {
        let more = self.images.len() > limit;
        self.images.truncate(limit);
        let last = self.images.last().map(|(_, position)| position.clone());
        let next = if more { last } else { self.stopped };
        Page { images: self.images.into_iter().map(|(image, _)| image).collect(), next }
    }
}

/// Up to `wanted` of those among the next `rows` that pass the filter.
async fn walk(
    client: &Transaction<'_>,
    selection: &Selection<'_>,
    after: Option<&Position>,
    rows: u32,
    wanted: usize,
) -> Result<Found, StoreError> {
    let rows = run(client, &selection.walk(after, rows, wanted)).await?;
    let stopped = rows.first().and_then(|row| selection.position(row, "walked_id", "walked_key"));
    Ok(Found { images: images(selection, &rows)?, stopped })
}

/// The page by the filter's own index, if it has one and at most [`FEW`] images pass it.
async fn few(
    client: &Transaction<'_>,
    selection: &Selection<'_>,
    after: Option<&Position>,
    wanted: usize,
) -> Result<Option<Found>, StoreError> {
    let Some(statement) = selection.few(after, wanted) else { return Ok(None) };
    let rows = run(client, &statement).await?;
    let passed: i64 = rows.first().map_or(0, |row| row.get("passed"));
    if passed > FEW {
        return Ok(None);
    }
    Ok(Some(Found { images: images(selection, &rows)?, stopped: None }))
}

async fn run(client: &Transaction<'_>, statement: &Statement) -> Result<Vec<Row>, StoreError> {
    query_planned(client, &statement.sql, &statement.values()).await.map_err(|fault| {
        match fault {
            // It says nothing of the state of the database.
            Fault::Driver(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
                StoreError::SearchTooLong
            }
            other => other.while_doing(DOING),
        }
    })
}

/// The images of an answer, which has one row without an image if there is none.
fn images(selection: &Selection<'_>, rows: &[Row]) -> Result<Vec<(ImageSummary, Position)>, StoreError> {
    let found = rows.iter().filter_map(|row| Some((row, selection.position(row, "id", "key")?)));
    found.map(|(row, position)| Ok((summary(row)?, position))).collect()
}
