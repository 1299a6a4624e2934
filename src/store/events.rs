//! Events: what happened to images, in one order. `V5__events.sql` tells how they come into that order.

use super::error::Doing;
use super::{Store, StoreError, Value, parsed, query, query_one};
use crate::domain::{EventId, ImageId, ImageStatus, Stage, StageStatus};
use std::error::Error;
use time::OffsetDateTime;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// Events numbered by one statement.
const NUMBERED_AT_ONCE: i32 = 1000;

/// Something that happened to an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place among all events.
    pub id: EventId,
    /// The image.
    pub image: ImageId,
    /// When.
    pub at: OffsetDateTime,
    /// What.
    pub change: Change,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It was uploaded, its status became final, or a retry reopened it.
    Status {
        /// The client's name for the image; `None` once it is deleted.
        original_name: Option<String>,
        /// The status from now on.
        status: ImageStatus,
        /// Why it failed: the stable code.
        error_code: Option<String>,
        /// Why it failed, in words; `None` once the image is deleted.
        error: Option<String>,
    },
    /// A run of a stage ended.
    Stage {
        /// Which stage.
        stage: Stage,
        /// How it stands since: `waiting` if the run failed and there will be another.
        status: StageStatus,
        /// The attempt of the job.
        attempt: i32,
        /// How long the job waited for a worker, in milliseconds.
        queue_ms: f64,
        /// How long the stage ran, in milliseconds.
        run_ms: f64,
        /// Why the run failed; `None` once the image is deleted.
        error: Option<String>,
    },
    /// It is gone, with all that belonged to it.
    Deleted,
}

/// An event, told apart from another one to which an older copy of the database has given the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventMark {
    /// Its id.
    pub id: EventId,
    /// When it was numbered; `None` if it is not kept.
    pub numbered_at: Option<OffsetDateTime>,
}

/// Events after another one, and how far events go at the same moment.
#[derive(Debug)]
pub struct EventPage {
    /// In the order of their ids.
    pub events: Vec<Event>,
    /// Those between them that cannot be understood: a later version of this program has written them.
    pub unreadable: Vec<StoreError>,
    /// The event after which all these come, as it is at this moment.
    pub after: EventMark,
    /// The last one that was read; `None` if there was none.
    pub last: Option<EventMark>,
    /// Whether there may be more.
    pub has_more: bool,
    /// The newest event that there is; zero if there was none yet.
    pub newest: EventMark,
    /// The newest that was forgotten, and all before it; zero if none was.
    pub forgotten: EventId,
}

impl EventPage {
    /// Whether these are what follows `told`: it is still the same event, and nothing after it was forgotten. If not, the
    /// database has become an older copy of itself, by a restore or a failover, or nobody has looked at it for very long.
    #[must_use]
    pub fn follows(&self, told: EventMark) -> bool {
        let is_forgotten = told.id == self.forgotten && self.after.numbered_at.is_none();
        (self.forgotten..=self.newest.id).contains(&told.id) && (self.after == told || is_forgotten)
    }
}

/// What is kept of the events of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All of them, from its upload on.
    Whole,
    /// Not its beginning, and perhaps nothing.
    Rest,
}

impl Store {
    /// Numbers up to a thousand events that wait for it, and wakes those who read them. Any number of processes may do so:
    /// one at a time does, and there is nothing left for the others. The answer is whether there may be more.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn number_events(&self) -> Result<bool, StoreError> {
        let doing = "numbering events";
        let client = self.client(doing).await?;
        let sql = "select number_events($1) as moved";
        let moved: i32 = query_one(&client, sql, &[&NUMBERED_AT_ONCE]).await.doing(doing)?.get("moved");
        Ok(moved == NUMBERED_AT_ONCE)
    }

    /// The first `limit` events after `last`: all, or those of one image.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn events_after(
        &self,
        last: EventId,
        image: Option<ImageId>,
        limit: i64,
    ) -> Result<EventPage, StoreError> {
        let doing = "reading events";
        let client = self.client(doing).await?;
        // In one statement, so that it is one moment's truth.
        let read = |condition: &str| {
            format!(
                "select e.*, log.newest, log.forgotten, newest.numbered_at as newest_at, after.numbered_at as after_at
                 from event_log log
                 left join events newest on newest.id = log.newest
                 left join events after on after.id = $1
                 left join lateral (
                     select id, image_id, at, kind, original_name, stage, status, attempt, queue_ms, run_ms, error_code,
                            error, numbered_at
                     from events where id > $1 {condition} order by id limit $2
                 ) e on true order by e.id"
            )
        };
        let rows = match image {
            None => query(&client, &read(""), &[&last.get(), &limit]).await,
            Some(image) => {
                let values: [Value<'_>; 3] = [&last.get(), &limit, &image.get()];
                query(&client, &read("and image_id = $3"), &values).await
            }
        };
        Ok(page(last, limit, &rows.doing(doing)?))
    }

    /// What is kept of the events of an image; `None` if there was no such image, or nothing is known of it any more.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn events_kept(&self, image: ImageId) -> Result<Option<Kept>, StoreError> {
        let doing = "looking for the events of an image";
        let client = self.client(doing).await?;
        // An image that is there has its upload among the events, or among those that wait to be numbered, or it is forgotten.
        let sql = "
            select exists (select from images where id = $1) or exists (select from events where image_id = $1) as is_known,
                   coalesce((select is_upload from events where image_id = $1 order by id limit 1),
                            exists (select from event_outbox where image_id = $1 and is_upload)) as is_whole";
        let row = query_one(&client, sql, &[&image.get()]).await.doing(doing)?;
        let kept = if row.get("is_whole") { Kept::Whole } else { Kept::Rest };
        Ok(row.get::<_, bool>("is_known").then_some(kept))
    }
}

/// Each row has the state of the log, and an event if there was any.
fn page(after: EventId, limit: i64, rows: &[Row]) -> EventPage {
    let log = rows.first();
    let mark = |id, at| EventMark { id, numbered_at: log.and_then(|row| row.get(at)) };
    let id = |column| EventId::new(log.map_or(0, |row| row.get(column)));
    let (mut events, mut unreadable, mut last) = (Vec::new(), Vec::new(), None);
    let mut read = 0;
    for row in rows {
        let Some(id) = row.get::<_, Option<i64>>("id") else { continue };
        read += 1;
        last = Some(EventMark { id: EventId::new(id), numbered_at: row.get("numbered_at") });
        match event(row, id) {
            Ok(event) => events.push(event),
            Err(error) => unreadable.push(error),
        }
    }
    EventPage {
        events,
        unreadable,
        after: mark(after, "after_at"),
        last,
        has_more: read == limit,
        newest: mark(id("newest"), "newest_at"),
        forgotten: id("forgotten"),
    }
}

fn event(row: &Row, id: i64) -> Result<Event, StoreError> {
    let change = match value(row, "kind", id)? {
        "status" => Change::Status {
            original_name: value(row, "original_name", id)?,
            status: parsed(row, "events", "status", id)?,
            error_code: value(row, "error_code", id)?,
            error: value(row, "error", id)?,
        },
        "stage" => Change::Stage {
            stage: parsed(row, "events", "stage", id)?,
            status: parsed(row, "events", "status", id)?,
            attempt: value(row, "attempt", id)?,
            queue_ms: value(row, "queue_ms", id)?,
            run_ms: value(row, "run_ms", id)?,
            error: value(row, "error", id)?,
        },
        "deleted" => Change::Deleted,
        other => return Err(unreadable("kind", id, format!("`{other}` is no kind of event").into())),
    };
    let image = ImageId::new(value(row, "image_id", id)?);
    Ok(Event { id: EventId::new(id), image, at: value(row, "at", id)?, change })
}

/// Reads a column that a later version of this program may have written.
fn value<'a, T: FromSql<'a>>(row: &'a Row, column: &'static str, id: i64) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| unreadable(column, id, Box::new(error)))
}

fn unreadable(column: &'static str, row: i64, source: Box<dyn Error + Send + Sync>) -> StoreError {
    StoreError::Unreadable { table: "events", column, row, source }
}
