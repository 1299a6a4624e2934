//! Events: what happened to images, in one order. `V5__events.sql` tells how they come into that order.

use super::error::Doing;
use super::{Store, StoreError, Value, parsed, query, query_one};
use crate::domain::{EventId, ImageId, ImageStatus, Stage, StageStatus};
use time::OffsetDateTime;
use tokio_postgres::Row;

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
        /// The client's name for the image.
        original_name: String,
        /// The status from now on.
        status: ImageStatus,
        /// Why it failed: code and text.
        error: Option<(String, String)>,
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
        /// Why the run failed.
        error: Option<String>,
    },
    /// It is gone, with all that belonged to it.
    Deleted,
}

/// Events after another one, and how far events go at the same moment.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// In the order of their ids.
    pub events: Vec<Event>,
    /// Whether there may be more.
    pub has_more: bool,
    /// The newest event that there is; zero if there was none yet.
    pub newest: EventId,
    /// The newest that was forgotten, and all before it; zero if none was.
    pub forgotten: EventId,
}

impl Store {
    /// Numbers up to a thousand events that wait for it, and wakes those who read them. Any number of processes may do so;
    /// the lock makes it one at a time. The answer is whether there may be more.
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
    /// If Postgres is away, refuses, or holds what cannot be understood.
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
                "select e.*, log.newest, log.forgotten
                 from event_log log left join lateral (
                     select id, image_id, at, kind, original_name, stage, status, attempt, queue_ms, run_ms, error_code, error
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
        let rows = rows.doing(doing)?;
        let reach = |column| rows.first().map_or(0, |row| row.get(column));
        let found = rows.iter().filter(|row| row.get::<_, Option<i64>>("id").is_some());
        let events = found.map(event).collect::<Result<Vec<_>, _>>()?;
        Ok(EventPage {
            has_more: i64::try_from(events.len()) == Ok(limit),
            events,
            newest: EventId::new(reach("newest")),
            forgotten: EventId::new(reach("forgotten")),
        })
    }

    /// Whether anything is known of an image: it is there, or events tell that it was.
    ///
    /// # Errors
    /// If Postgres is away or refuses.
    pub async fn is_known(&self, image: ImageId) -> Result<bool, StoreError> {
        let doing = "looking for an image";
        let client = self.client(doing).await?;
        let sql = "select exists (select from images where id = $1)
                       or exists (select from events where image_id = $1) as known";
        Ok(query_one(&client, sql, &[&image.get()]).await.doing(doing)?.get("known"))
    }
}

fn event(row: &Row) -> Result<Event, StoreError> {
    let id: i64 = row.get("id");
    let change = match row.get("kind") {
        "status" => Change::Status {
            original_name: row.get("original_name"),
            status: parsed(row, "events", "status", id)?,
            error: row.get::<_, Option<String>>("error_code").zip(row.get("error")),
        },
        "stage" => Change::Stage {
            stage: parsed(row, "events", "stage", id)?,
            status: parsed(row, "events", "status", id)?,
            attempt: row.get("attempt"),
            queue_ms: row.get("queue_ms"),
            run_ms: row.get("run_ms"),
            error: row.get("error"),
        },
        // The table knows no other kind.
        _ => Change::Deleted,
    };
    Ok(Event { id: EventId::new(id), image: ImageId::new(row.get("image_id")), at: row.get("at"), change })
}
