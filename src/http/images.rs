//! Upload, details, delete, retry.

use super::Tag;
use super::envelope::{ImageAnswer, UploadAnswer};
use super::refusal::{ImageRefusal, Refusal, RetryRefusal, UploadRefusal};
use super::schema::Upload;
use super::state::State;
use super::upload::UploadForm;
use crate::domain::{Caller, IdempotencyKey, ImageId, ImageStatus, reason};
use crate::intake::Receipt;
use crate::store::{ImageRecord, Notice, Retried, Subscription};
use crate::traces;
use poem::http::HeaderMap;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};
use std::time::Duration;
use tokio::time::Instant;

#[derive(ApiResponse)]
pub(super) enum UploadResponse {
    /// It is safe, and will be processed.
    #[oai(status = 202, content_type = "application/json")]
    Accepted(
        Json<UploadAnswer>,
        /// Where to ask for the image.
        #[oai(header = "Location")]
        String,
        /// Seconds after which asking makes sense.
        #[oai(header = "Retry-After")]
        u64,
    ),
}

#[derive(ApiResponse)]
enum ImageResponse {
    /// The image, as far as it is known.
    #[oai(status = 200, content_type = "application/json")]
    Found(Json<ImageAnswer>),
}

#[derive(ApiResponse)]
enum DeleteResponse {
    /// The image is gone, with all its files.
    #[oai(status = 204)]
    Deleted,
}

pub(super) struct ImagesApi;

#[OpenApi(prefix_path = "/api/images", tag = "Tag::Images")]
impl ImagesApi {
    /// Upload an image
    ///
    /// A form with the part `file`: a JPEG or PNG, by content. The answer comes as soon as the upload is safe; the image is
    /// processed in the background.
    #[oai(path = "/", method = "post", operation_id = "upload_image")]
    async fn upload_image(
        &self,
        state: Data<&State>,
        caller: Data<&Caller>,
        /// The same key with the same bytes answers with the same image, for 24 hours. Each API key has its own.
        #[oai(name = "Idempotency-Key", validator(min_length = 1, max_length = 255))]
        idempotency_key: Header<Option<String>>,
        headers: &HeaderMap,
        form: UploadForm,
    ) -> Result<UploadResponse, UploadRefusal> {
        // The library takes a header that is not ASCII for one that is absent; the caller would count on it in vain.
        if idempotency_key.0.is_none() && headers.contains_key("idempotency-key") {
            let refusal = Refusal::Malformed("The header `Idempotency-Key` must be ASCII".to_owned());
            return Err(form.refuse(&state, refusal).await.into());
        }
        let place = match state.begin_upload() {
            Ok(place) => place,
            Err(refusal) => return Err(form.refuse(&state, refusal).await.into()),
        };
        let idempotency_key = idempotency_key.0.map(|key| IdempotencyKey { caller: caller.clone(), key });
        let (receipt, name) = form.receive(&state, idempotency_key, place).await?;
        let (Receipt::New(id) | Receipt::Repeated(id)) = receipt;
        traces::about(id);
        let (status, message) = match receipt {
            Receipt::New(_) => {
                (ImageStatus::Processing, "Image uploaded successfully and processing started")
            }
            Receipt::Repeated(_) => {
                let known = state.bounded(state.store.image(id)).await?;
                let status = known.map_or(ImageStatus::Processing, |image| image.summary.status);
                (status, "This upload was received before")
            }
        };
        Ok(accepted(id, name.as_str().to_owned(), status, message))
    }

    /// Look at an image
    ///
    /// What is ready is shown at once. With `wait`, the answer comes as soon as the status is final, or when the time is
    /// up, with what is known then.
    #[oai(path = "/:id", method = "get", operation_id = "get_image")]
    async fn get_image(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
        /// Seconds to wait for a final status.
        #[oai(validator(minimum(value = "0"), maximum(value = "60")))]
        wait: Query<Option<f64>>,
    ) -> Result<ImageResponse, ImageRefusal> {
        let wait = Duration::try_from_secs_f64(wait.0.unwrap_or_default()).unwrap_or_default();
        let image = settled(&state, ImageId::new(id.0), wait).await?;
        Ok(ImageResponse::Found(Json(super::schema::Image::from(image).into())))
    }

    /// Delete an image
    ///
    /// With all that belongs to it, also while it is being processed.
    #[oai(path = "/:id", method = "delete", operation_id = "delete_image")]
    async fn delete_image(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
    ) -> Result<DeleteResponse, ImageRefusal> {
        let deleted = state.bounded(state.store.delete_image(ImageId::new(id.0))).await?;
        // The rows are gone, and with them the image; a file that stays behind is found by the sweep. So a volume that hangs
        // must not make a failure of it.
        let patience = Instant::now() + state.request / 2;
        for key in deleted.ok_or(Refusal::NotFound)?.files {
            let left = match tokio::time::timeout_at(patience, state.files.remove(&key)).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(reason(&error)),
                Err(late) => Some(reason(&late)),
            };
            if let Some(error) = left {
                tracing::warn!(image = id.0, error, "a file is left to the sweep");
            }
        }
        Ok(DeleteResponse::Deleted)
    }

    /// Process an image again
    ///
    /// For an image that has failed, or whose caption has.
    #[oai(path = "/:id/retry", method = "post", operation_id = "retry_image")]
    async fn retry_image(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
    ) -> Result<UploadResponse, RetryRefusal> {
        let image = ImageId::new(id.0);
        let retried = state.bounded(state.store.retry_image(image)).await?;
        match retried {
            Retried::Queued(name) => {
                Ok(accepted(image, name, ImageStatus::Processing, "Processing started again"))
            }
            Retried::NothingFailed(status) => Err(Refusal::NothingFailed(status).into()),
            Retried::NoSuchImage => Err(Refusal::NotFound.into()),
        }
    }
}

pub(super) fn accepted(
    id: ImageId,
    original_name: String,
    status: ImageStatus,
    message: &str,
) -> UploadResponse {
    let upload =
        Upload { image_id: id.get(), original_name, status: status.into(), message: message.to_owned() };
    UploadResponse::Accepted(Json(upload.into()), format!("/api/images/{id}"), 1)
}

/// Waits for notices, and looks again from time to time in case one was missed.
async fn settled(state: &State, id: ImageId, wait: Duration) -> Result<ImageRecord, Refusal> {
    let deadline = Instant::now() + wait;
    // Before the first look, so that a change right after it is not missed.
    let mut notices = state.notices.subscribe();
    loop {
        let image = state.bounded(state.store.image(id)).await?.ok_or(Refusal::NotFound)?;
        let next_look = deadline.min(Instant::now() + Duration::from_secs(2));
        if image.summary.status.is_final() || Instant::now() >= deadline || state.stop.is_cancelled() {
            return Ok(image);
        }
        let changed = tokio::time::timeout_at(next_look, change_of(&mut notices, id));
        state.stop.run_until_cancelled(changed).await;
    }
}

async fn change_of(notices: &mut Subscription, id: ImageId) {
    loop {
        match notices.next().await {
            Notice::ImageChanged(changed) if changed == id => return,
            Notice::Resumed => return,
            Notice::ImageChanged(_) | Notice::JobDue(_) | Notice::EventsNumbered => {}
        }
    }
}
