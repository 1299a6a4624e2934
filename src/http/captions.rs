//! What was said of an image: the captions that it had, one that a person writes, and asking a model again.

use super::Tag;
use super::envelope::{CaptionAnswer, CaptionListAnswer};
use super::images::{UploadResponse, accepted};
use super::refusal::{CaptionRefusal, ImageRefusal, Refusal};
use super::schema::tenths;
use super::state::State;
use super::text::Text;
use crate::domain::{self, HumanCaption, ImageId, ImageStatus, ModelName};
use crate::store::{self, AskedAgain, Withdrawn};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use time::OffsetDateTime;

/// The captions of an image, newest first.
#[derive(Object)]
pub(super) struct CaptionList {
    /// At most 50.
    captions: Vec<Caption>,
}

/// A caption, and how it came about.
#[derive(Object)]
pub(super) struct Caption {
    text: String,
    source: CaptionSource,
    created_at: OffsetDateTime,
    /// When it was taken back.
    #[oai(nullable)]
    withdrawn_at: Option<OffsetDateTime>,
    /// How a model came to it; null for a person's and the file's.
    #[oai(nullable)]
    origin: Option<CaptionOrigin>,
}

/// Who made a caption.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename_all = "snake_case")]
pub(super) enum CaptionSource {
    /// A model that looked at the picture.
    Ai,
    /// A person.
    Human,
    /// The file itself: its Exif, IPTC or XMP data describe the picture.
    Embedded,
}

/// How a model came to a caption.
#[derive(Object)]
struct CaptionOrigin {
    /// Who was asked: `openai_chat` or `hf_image_to_text`, the forms of call, or `local`; `unknown` if the caption is older than these records.
    provider: String,
    model: String,
    /// Changes with the prompt and with all else that changes the answer.
    prompt_version: String,
    /// The language that was asked for.
    #[oai(nullable)]
    language: Option<String>,
    /// The call that was made; null if the caption was taken over from an identical picture, at no cost.
    #[oai(nullable)]
    call: Option<CaptionCall>,
}

/// What a caption cost.
#[derive(Object)]
struct CaptionCall {
    /// How long it took, in milliseconds.
    run_ms: f64,
    /// Which attempt of its job it was.
    #[oai(nullable)]
    attempt: Option<i32>,
    /// Tokens of picture and prompt, if the provider told.
    #[oai(nullable)]
    prompt_tokens: Option<i32>,
    /// Tokens of the answer, if the provider told.
    #[oai(nullable)]
    completion_tokens: Option<i32>,
}

/// A caption that a person writes.
#[derive(Object)]
struct NewCaption {
    /// One line; line breaks become spaces.
    text: Text<{ HumanCaption::MAX_CHARS }>,
}

/// A wish for another caption.
#[derive(Object)]
struct CaptionRequest {
    /// The model to ask; without it, those in the settings.
    model: Option<Text<{ ModelName::MAX_CHARS }>>,
}

#[derive(ApiResponse)]
enum CaptionsResponse {
    /// The captions.
    #[oai(status = 200, content_type = "application/json")]
    Found(Json<CaptionListAnswer>),
}

#[derive(ApiResponse)]
enum WrittenResponse {
    /// The caption, which is the image's from now on.
    #[oai(status = 200, content_type = "application/json")]
    Written(Json<CaptionAnswer>),
}

#[derive(ApiResponse)]
enum WithdrawnResponse {
    /// What people wrote no longer counts.
    #[oai(status = 204)]
    Withdrawn,
}

pub(super) struct CaptionsApi;

#[OpenApi(prefix_path = "/api/images", tag = "Tag::Captions")]
impl CaptionsApi {
    /// List the captions of an image
    ///
    /// The captions that it had, newest first. The one that counts, which is `caption` of the image, is the newest that a
    /// person wrote and did not take back, or else the newest of a model, or else what the file says.
    #[oai(path = "/:id/captions", method = "get", operation_id = "list_captions")]
    async fn list_captions(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
    ) -> Result<CaptionsResponse, ImageRefusal> {
        let found = state.bounded(state.store.captions(ImageId::new(id.0))).await?;
        let captions = found.ok_or(Refusal::NotFound)?.into_iter().map(Into::into).collect();
        Ok(CaptionsResponse::Found(Json(CaptionList { captions }.into())))
    }

    /// Ask for a caption again
    ///
    /// For an image whose status is `success`; until the answer is there it is `processing`, with the caption that it has. A
    /// model that has been asked the same about this or an identical picture is not asked again: its answer is taken over. A
    /// caption that a person wrote stays in force.
    #[oai(path = "/:id/captions", method = "post", operation_id = "request_caption")]
    async fn request_caption(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
        request: Json<CaptionRequest>,
    ) -> Result<UploadResponse, CaptionRefusal> {
        let model = request.0.model.as_ref().map(|model| ModelName::try_from(model.as_str())).transpose();
        let model = model.map_err(|error| Refusal::Malformed(error.to_string()))?;
        let image = ImageId::new(id.0);
        let asking = state.store.ask_again(image, model.as_ref());
        match state.bounded(asking).await? {
            AskedAgain::Queued(name) => {
                Ok(accepted(image, name, ImageStatus::Processing, "A caption is asked for"))
            }
            AskedAgain::NotNow(status) => Err(Refusal::NoCaptionNow(status).into()),
            AskedAgain::UnderWay => Err(Refusal::CaptionUnderWay.into()),
            AskedAgain::NoSuchImage => Err(Refusal::NotFound.into()),
        }
    }

    /// Write a caption
    ///
    /// It is the image's from now on, whatever a model says later.
    #[oai(path = "/:id/caption", method = "put", operation_id = "write_caption")]
    async fn write_caption(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
        caption: Json<NewCaption>,
    ) -> Result<WrittenResponse, ImageRefusal> {
        let text = HumanCaption::try_from(caption.0.text.as_str());
        let text = text.map_err(|error| Refusal::Malformed(error.to_string()))?;
        let written = state.bounded(state.store.write_caption(ImageId::new(id.0), &text)).await?;
        let written = written.ok_or(Refusal::NotFound)?;
        Ok(WrittenResponse::Written(Json(Caption::from(written).into())))
    }

    /// Take back what people wrote
    ///
    /// What a model said counts again, if one has said something, or else what the file says.
    #[oai(path = "/:id/caption", method = "delete", operation_id = "withdraw_caption")]
    async fn withdraw_caption(
        &self,
        state: Data<&State>,
        /// The id of the image.
        id: Path<i64>,
    ) -> Result<WithdrawnResponse, CaptionRefusal> {
        match state.bounded(state.store.withdraw_caption(ImageId::new(id.0))).await? {
            Withdrawn::Done => Ok(WithdrawnResponse::Withdrawn),
            Withdrawn::NothingWritten => Err(Refusal::NothingWritten.into()),
            Withdrawn::NoSuchImage => Err(Refusal::NotFound.into()),
        }
    }
}

impl From<domain::CaptionSource> for CaptionSource {
    fn from(source: domain::CaptionSource) -> Self {
        match source {
            domain::CaptionSource::Ai => Self::Ai,
            domain::CaptionSource::Human => Self::Human,
            domain::CaptionSource::Embedded => Self::Embedded,
        }
    }
}

impl From<store::CaptionRecord> for Caption {
    fn from(record: store::CaptionRecord) -> Self {
        Self {
            text: record.text,
            source: record.source.into(),
            created_at: record.created_at,
            withdrawn_at: record.withdrawn_at,
            origin: record.origin.map(Into::into),
        }
    }
}

impl From<store::CaptionOrigin> for CaptionOrigin {
    fn from(origin: store::CaptionOrigin) -> Self {
        Self {
            provider: origin.provider,
            model: origin.model,
            prompt_version: origin.prompt_version,
            language: origin.language,
            call: origin.call.map(|call| CaptionCall {
                run_ms: tenths(call.run_ms),
                attempt: call.attempt,
                prompt_tokens: call.prompt_tokens,
                completion_tokens: call.completion_tokens,
            }),
        }
    }
}
