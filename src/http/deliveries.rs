//! What became of webhooks, and telling it all again.

use super::Tag;
use super::envelope::{DeliveryAnswer, DeliveryListAnswer};
use super::refusal::{ImageRefusal, Refusal, ReplayRefusal};
use super::schema::tenths;
use super::state::State;
use crate::domain::{ImageId, JobId, JobState};
use crate::store::{self, Replayed};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use time::OffsetDateTime;

/// The deliveries of an image, newest first.
#[derive(Object)]
pub(super) struct DeliveryList {
    /// At most 50.
    deliveries: Vec<Delivery>,
}

/// One delivery of one event: a webhook that is sent until it was received or given up.
#[derive(Object)]
pub(super) struct Delivery {
    delivery_id: i64,
    /// Sent as `webhook-id`; the same for all deliveries of one event.
    message_id: String,
    /// `image.success` or `image.failed`.
    event: String,
    /// Who is told, without the query of the URL.
    url: String,
    status: DeliveryStatus,
    created_at: OffsetDateTime,
    /// When it is tried next, if it waits.
    #[oai(nullable)]
    next_attempt_at: Option<OffsetDateTime>,
    /// The attempts that ended, at most the 20 newest, in their order.
    attempts: Vec<DeliveryAttempt>,
}

/// Where a delivery stands.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename_all = "snake_case")]
enum DeliveryStatus {
    /// Waiting for a worker, or for the next attempt.
    Waiting,
    /// A worker has it in hand.
    Running,
    /// The receiver has answered with 2xx.
    Delivered,
    /// Given up.
    Failed,
}

/// One call.
#[derive(Object)]
struct DeliveryAttempt {
    attempt: i32,
    /// When it ended.
    at: OffsetDateTime,
    /// How long it took, in milliseconds.
    run_ms: f64,
    /// The status of the answer, if there was one.
    #[oai(nullable)]
    http_status: Option<i32>,
    /// The first 500 characters of the answer, if there was one.
    #[oai(nullable)]
    answer: Option<String>,
    /// The stable code of the failure.
    #[oai(nullable)]
    error_code: Option<String>,
    /// Why the receiver does not count as told.
    #[oai(nullable)]
    error: Option<String>,
}

#[derive(ApiResponse)]
enum DeliveriesResponse {
    /// The deliveries.
    #[oai(status = 200, content_type = "application/json")]
    Found(Json<DeliveryListAnswer>),
}

#[derive(ApiResponse)]
enum ReplayResponse {
    /// A new delivery waits.
    #[oai(status = 202, content_type = "application/json")]
    Accepted(Json<DeliveryAnswer>),
}

pub(super) struct DeliveriesApi;

#[OpenApi(prefix_path = "/api/images", tag = "Tag::Webhooks")]
impl DeliveriesApi {
    /// List the webhooks of an image
    ///
    /// Each time that an image becomes a success or fails, its `callback_url` is told. Here is what became of it, attempt by
    /// attempt, newest first.
    #[oai(path = "/:id/deliveries", method = "get", operation_id = "list_deliveries")]
    async fn list_deliveries(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
    ) -> Result<DeliveriesResponse, ImageRefusal> {
        let found = state.bounded(state.store.deliveries(ImageId::new(id.0))).await?;
        let deliveries = found.ok_or(Refusal::NotFound)?.into_iter().map(Into::into).collect();
        Ok(DeliveriesResponse::Found(Json(DeliveryList { deliveries }.into())))
    }

    /// Send a webhook again
    ///
    /// The same event, with the same `webhook-id` and the same body, in a new delivery; also if it was received before.
    #[oai(path = "/:id/deliveries/:delivery_id/replay", method = "post", operation_id = "replay_delivery")]
    async fn replay_delivery(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
        /// The id of the delivery.
        delivery_id: Path<i64>,
    ) -> Result<ReplayResponse, ReplayRefusal> {
        let replaying = state.store.replay(ImageId::new(id.0), JobId::new(delivery_id.0));
        match state.bounded(replaying).await? {
            Replayed::Queued(delivery) => {
                Ok(ReplayResponse::Accepted(Json(Delivery::from(*delivery).into())))
            }
            Replayed::StillTried => Err(Refusal::StillTried.into()),
            Replayed::NoSuchDelivery => Err(Refusal::NoSuchDelivery.into()),
        }
    }
}

impl From<store::Delivery> for Delivery {
    fn from(delivery: store::Delivery) -> Self {
        Self {
            delivery_id: delivery.job.get(),
            message_id: delivery.message_id,
            event: delivery.event_type,
            url: delivery.url.without_query(),
            status: match delivery.state {
                JobState::Queued => DeliveryStatus::Waiting,
                JobState::Running => DeliveryStatus::Running,
                JobState::Succeeded => DeliveryStatus::Delivered,
                JobState::Failed => DeliveryStatus::Failed,
            },
            created_at: delivery.created_at,
            next_attempt_at: delivery.due_at,
            attempts: delivery.attempts.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<store::DeliveryAttempt> for DeliveryAttempt {
    fn from(attempt: store::DeliveryAttempt) -> Self {
        Self {
            attempt: attempt.attempt,
            at: attempt.finished_at,
            run_ms: tenths(attempt.run_ms),
            http_status: attempt.http_status,
            answer: attempt.answer,
            error_code: attempt.error_code,
            error: attempt.error,
        }
    }
}
