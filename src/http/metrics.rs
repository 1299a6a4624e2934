//! `GET /metrics`: what was counted, and what is read for it at this moment. Whatever is away, the rest is told, within
//! two seconds.

use super::Tag;
use super::asked::Question;
use super::events::Feed;
use super::refusal::{ReadRefusal, Refusal};
use crate::domain::Backlog;
use crate::files::{Files, Room};
use crate::metrics::{self, Connections, Database, Metrics, Readings, Volume};
use crate::store::{PoolStatus, Store};
use poem::web::Data;
use poem::{IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::MetaSchemaRef;
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};
use std::sync::Arc;
use std::time::Duration;

/// How long a dependency may take to answer; who scrapes waits for ten seconds by default.
const PATIENCE: Duration = Duration::from_secs(2);

/// What `/metrics` tells. Clones ask together: one question at a time, however many scrape.
#[derive(Clone)]
pub struct Gauges(Arc<Asked>);

struct Asked {
    metrics: Metrics,
    store: Store,
    volume: Question<Option<Option<Room>>>,
    /// Of a server: the others would tell the same.
    backlog: Option<Question<Option<Vec<Backlog>>>>,
    feed: Option<Feed>,
}

impl Gauges {
    /// Of a worker: what concerns this process alone.
    #[must_use]
    pub fn of_worker(metrics: Metrics, store: &Store, files: &Files) -> Self {
        Self(Arc::new(Asked::of_process(metrics, store, files)))
    }

    /// Of a server: also what waits in the whole installation, and who follows events.
    #[must_use]
    pub fn of_server(metrics: Metrics, store: &Store, files: &Files, feed: &Feed) -> Self {
        let asked = store.clone();
        let backlog = Question::new(move || {
            let store = asked.clone();
            // That it is away is told by a metric, by `/readyz` and by the log of the relay.
            async move { store.backlog().await.ok() }
        });
        let process = Asked::of_process(metrics, store, files);
        Self(Arc::new(Asked { backlog: Some(backlog), feed: Some(feed.clone()), ..process }))
    }

    pub(super) fn metrics(&self) -> Metrics {
        self.0.metrics.clone()
    }

    async fn tell(&self) -> Result<String, Refusal> {
        let readings = self.read().await;
        // It reads files, though none of a disk.
        let metrics = self.metrics();
        let told = tokio::task::spawn_blocking(move || metrics.tell(&readings)).await;
        let failed = |what: &dyn std::fmt::Display| Refusal::Internal(format!("telling the metrics: {what}"));
        told.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    async fn read(&self) -> Readings {
        let Asked { store, volume, backlog, feed, .. } = &*self.0;
        let database = async {
            match backlog {
                Some(backlog) => match backlog.answer(PATIENCE).await {
                    Ok(Some(kinds)) => Database::Answers(kinds),
                    _ => Database::Away,
                },
                None => Database::NotAsked,
            }
        };
        let (database, volume) = tokio::join!(database, volume.answer(PATIENCE));
        let PoolStatus { open, idle, waiting, most } = store.pool_status();
        Readings {
            database,
            connections: Connections { open, idle, waiting, most },
            volume: match volume.ok().flatten() {
                None => Volume::Away,
                Some(None) => Volume::Endless,
                Some(Some(Room { free, total })) => Volume::Bounded { free, total },
            },
            event_clients: feed.as_ref().map(Feed::clients),
        }
    }
}

impl Asked {
    fn of_process(metrics: Metrics, store: &Store, files: &Files) -> Self {
        let asked = files.clone();
        let volume = Question::new(move || {
            let files = asked.clone();
            // As above: a volume that is away is told by its absence here.
            async move { files.room().await.ok() }
        });
        Self { metrics, store: store.clone(), volume, backlog: None, feed: None }
    }
}

/// Text in the format of OpenMetrics. The document leaves out its parameters, by which generators would miss it.
struct Exposition(String);

impl Payload for Exposition {
    const CONTENT_TYPE: &'static str = "application/openmetrics-text";

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }
}

impl IntoResponse for Exposition {
    fn into_response(self) -> Response {
        Response::builder().content_type(metrics::CONTENT_TYPE).body(self.0)
    }
}

#[derive(ApiResponse)]
enum MetricsResponse {
    /// The metrics, in the text format of OpenMetrics 1.0, which Prometheus reads.
    #[oai(status = 200)]
    Told(Exposition),
}

pub(super) struct MetricsApi;

#[OpenApi(tag = "Tag::Health")]
impl MetricsApi {
    /// What is counted and measured
    ///
    /// For Prometheus. Each metric says what it means. While a dependency is away, what only it knows is left out.
    #[oai(path = "/metrics", method = "get", operation_id = "get_metrics")]
    async fn get_metrics(&self, gauges: Data<&Gauges>) -> Result<MetricsResponse, ReadRefusal> {
        Ok(MetricsResponse::Told(Exposition(gauges.tell().await?)))
    }
}
