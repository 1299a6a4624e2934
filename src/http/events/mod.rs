//! What happens, as it happens: streams of server-sent events (HTML Living Standard, section 9.2).

mod feed;
mod follower;
mod places;
mod wire;

pub use feed::Feed;

use super::Tag;
use super::access::Admission;
use super::refusal::{ImageRefusal, ReadRefusal, Refusal};
use super::state::State;
use crate::domain::{EventId, ImageId};
use bytes::Bytes;
use follower::Follower;
use futures_util::{StreamExt, stream};
use poem::http::HeaderMap;
use poem::web::Data;
use poem::{Body, IntoResponse, Response};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Payload;
use poem_openapi::registry::MetaSchemaRef;
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};
use std::io;
use std::time::Duration;
use tokio::time::sleep;

/// Proxies and clients take a connection for dead that says nothing for long; many wait for a minute, some for half of it.
/// As often it is asked whether the caller's key is still in force.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A comment, which means nothing to a client.
const COMMENT: &[u8] = b":\n\n";

/// A stream, which the document shows as text: clients that are generated from it would wait for the end of anything else.
struct EventStream(Body);

impl Payload for EventStream {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        Response::builder().content_type(Self::CONTENT_TYPE).body(self.0)
    }
}

#[derive(ApiResponse)]
enum EventsResponse {
    /// A stream without end: events, each with an `id`, a type (`event`) and JSON as its `data`, and a comment every 15 seconds.
    #[oai(status = 200)]
    Streaming(
        EventStream,
        #[oai(header = "Cache-Control")] String,
        /// Asks a proxy to pass on what comes at once.
        #[oai(header = "X-Accel-Buffering")]
        String,
    ),
}

pub(super) struct EventsApi;

#[OpenApi(prefix_path = "/api", tag = "Tag::Events")]
impl EventsApi {
    /// Follow everything that happens
    ///
    /// Server-sent events, from now on. A client that lost its connection (a server that is stopped ends its streams) opens
    /// another one, at any replica, and sends the `id` of the last event it has seen as `Last-Event-ID`: what happened
    /// meanwhile comes first, each event once, in the same order everywhere. Browsers' `EventSource` does so by itself,
    /// unless it is refused (503: a dependency is away, or too many clients follow events; 429: too many with this API key):
    /// then open a new one after a moment.
    ///
    /// Events are kept for some time (`retention.events_hours`). A client that was away for longer gets `reset` first, and
    /// has to look at the list of images again.
    ///
    /// The types of events, and their data:
    ///
    /// - `status`: an image was uploaded, its status became final, or a retry or another caption that is asked for reopened it.
    ///   `{"image_id":7,"original_name":"photo.jpg","status":"failed","error":"the data ends too early","error_code":"truncated","at":"2026-11-24T18:00:00.123456Z"}`;
    ///   `status` is `processing`, `success` or `failed`; `error` and `error_code` are null unless it failed. Of an image that
    ///   has been deleted since, `original_name` and `error` are null.
    /// - `stage`: a run of a stage ended.
    ///   `{"image_id":7,"stage":"thumbnails","status":"success","attempt":1,"queue_ms":3.1,"run_ms":61.9,"error":null,"at":"2026-11-24T18:00:00.123456Z"}`;
    ///   `stage` is `metadata`, `thumbnails` or `caption`; `status` is `success`, `failed`, or `waiting` if it failed and will be
    ///   tried again.
    /// - `deleted`: an image is gone. `{"image_id":7,"at":"2026-11-24T18:00:00.123456Z"}`
    /// - `reset`: see above; it also comes when the database has been set back. `{"oldest":123}` is the oldest event that is kept; the stream goes on after the `id` of this one.
    #[oai(path = "/events", method = "get", operation_id = "stream_events")]
    async fn stream_events(
        &self,
        state: Data<&State>,
        admission: Data<&Admission>,
        /// The `id` of the last event that was seen.
        #[oai(name = "Last-Event-ID", validator(minimum(value = "0")))]
        last_event_id: Header<Option<i64>>,
        /// The same, for a first connection of a client that cannot set headers. The header counts if both are there.
        #[oai(name = "last_event_id", validator(minimum(value = "0")))]
        last_event_id_parameter: Query<Option<i64>>,
        headers: &HeaderMap,
    ) -> Result<EventsResponse, ReadRefusal> {
        let last = last_seen(headers, last_event_id.0, last_event_id_parameter.0)?;
        let follower = state.bounded(state.feed.follow_all(admission.caller(), last)).await?;
        Ok(streaming(&state, &admission, follower))
    }

    /// Follow an image
    ///
    /// Server-sent events of one image, as those of `/api/events`. Without `Last-Event-ID` the stream begins with what is
    /// kept of the image, so that nothing is missed by who subscribes after an upload. If its beginning is not kept any more,
    /// `reset` comes first, and then what happens from now on: look at the image after you have opened the stream.
    #[oai(path = "/images/:id/events", method = "get", operation_id = "stream_image_events")]
    async fn stream_image_events(
        &self,
        state: Data<&State>,
        admission: Data<&Admission>,
        /// The id of the image.
        id: Path<i64>,
        /// The `id` of the last event that was seen.
        #[oai(name = "Last-Event-ID", validator(minimum(value = "0")))]
        last_event_id: Header<Option<i64>>,
        /// The same, for a first connection of a client that cannot set headers. The header counts if both are there.
        #[oai(name = "last_event_id", validator(minimum(value = "0")))]
        last_event_id_parameter: Query<Option<i64>>,
        headers: &HeaderMap,
    ) -> Result<EventsResponse, ImageRefusal> {
        let last = last_seen(headers, last_event_id.0, last_event_id_parameter.0)?;
        let image = ImageId::new(id.0);
        // One that was deleted while its client was away is known for as long as its events.
        let kept = state.bounded(state.store.events_kept(image)).await?.ok_or(Refusal::NotFound)?;
        let follower = state.feed.follow_image(admission.caller(), (image, kept), last)?;
        Ok(streaming(&state, &admission, follower))
    }
}

/// The library takes a header that is not ASCII for one that is absent; the client would miss events unawares.
fn last_seen(
    headers: &HeaderMap,
    header: Option<i64>,
    parameter: Option<i64>,
) -> Result<Option<EventId>, Refusal> {
    if header.is_none() && headers.contains_key("last-event-id") {
        return Err(Refusal::Malformed("The header `Last-Event-ID` must be a number".to_owned()));
    }
    Ok(header.or(parameter).map(EventId::new))
}

/// Ends with the process, so that who listens goes on elsewhere; and with the caller's key.
fn streaming(state: &State, admission: &Admission, follower: Follower) -> EventsResponse {
    let (admission, stop) = (admission.clone(), state.stop.clone());
    let end = async move {
        let excluded = async {
            while admission.lasts().await {
                sleep(HEARTBEAT).await
            }
        };
        stop.run_until_cancelled(excluded).await;
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await;
        Some((event, follower))
    });
    let heartbeats = stream::unfold((), |()| async {
        sleep(HEARTBEAT).await;
        Some((Bytes::from_static(COMMENT), ()))
    });
    let sent = stream::select(events, heartbeats).take_until(end);
    let body = Body::from_bytes_stream(sent.map(Ok::<_, io::Error>));
    EventsResponse::Streaming(EventStream(body), "no-store".to_owned(), "no".to_owned())
}
