//! The form of an upload: documented as `multipart/form-data` with a part `file` and perhaps a part `callback_url`, in any
//! order, and streamed.

use super::disposition::Disposition;
use super::incoming::Incoming;
use super::refusal::Refusal;
use super::state::State;
use crate::domain::{CallbackUrl, IdempotencyKey, OriginalName};
use crate::intake::{IntakeError, Receipt, Received};
use futures_util::TryStreamExt;
use multer::{Constraints, Field, Multipart, SizeLimit};
use poem::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH};
use poem::{Request, RequestBody, Result};
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use std::future::Future;
use std::io;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{error::Elapsed, timeout};
use tokio_util::io::StreamReader;

/// Parts other than those we know that are looked at before the form is refused.
const MAX_OTHER_PARTS: usize = 16;

/// Room for the form around the file: boundaries, headers, small parts.
const FORM_BYTES: u64 = 1024 * 1024;

/// Parts that nobody asked for.
#[derive(Default)]
struct OtherParts {
    count: usize,
    bytes: u64,
}

/// What was in a form that was read to its end.
struct WholeForm {
    received: Received,
    name: OriginalName,
    callback: Option<CallbackUrl>,
}

/// An upload as it arrives. The derive of the OpenAPI library would spool it to a temporary file without a limit before
/// the handler runs; this takes the body as it is.
pub(super) struct UploadForm {
    content_type: Option<String>,
    /// As announced, if it was.
    length: Option<u64>,
    body: Incoming,
}

impl UploadForm {
    /// Reads the form to its end and gives what is in it to the intake, together with the upload's place; nothing is recorded
    /// before.
    pub(super) async fn receive(
        self,
        state: &State,
        idempotency_key: Option<IdempotencyKey>,
        place: OwnedSemaphorePermit,
    ) -> Result<(Receipt, OriginalName), Refusal> {
        let read = timeout(state.upload_total, self.read(state)).await;
        let kept =
            match read.unwrap_or_else(|_| Err(Refusal::Malformed("The upload took too long".to_owned()))) {
                // What is slow from here on is not the client.
                Ok(form) => timeout(state.upload_total, form.keep(state, idempotency_key, place))
                    .await
                    .unwrap_or(Err(Refusal::TimedOut)),
                Err(refusal) => Err(refusal),
            };
        match kept {
            Ok(kept) => Ok(kept),
            Err(refusal) => Err(self.refuse(state, refusal).await),
        }
    }

    /// Hears the client out before it is told no.
    pub(super) async fn refuse(&self, state: &State, refusal: Refusal) -> Refusal {
        state.metrics.upload_refused(refusal.status_and_code().1.as_str());
        self.body.drain().await;
        refusal
    }

    async fn read(&self, state: &State) -> Result<WholeForm, Refusal> {
        let mut form = self.parser(state)?;
        if self.length.is_some_and(|length| length > longest_form(state)) {
            return Err(Refusal::TooLarge(state.max_upload_bytes));
        }
        let (mut file, mut callback, mut others) = (None, None, OtherParts::default());
        while let Some(part) = timely(state, form.next_field()).await? {
            let header = part.headers().get(CONTENT_DISPOSITION).map_or(&b""[..], |value| value.as_bytes());
            let Disposition { name, file_name } = Disposition::parse(header);
            match name.as_deref() {
                Some("file") if file.is_none() => {
                    let name = file_name.as_deref().and_then(OriginalName::clean).ok_or(Refusal::NoFile)?;
                    file = Some((take(part, state).await?, name));
                }
                Some("callback_url") if callback.is_none() => {
                    callback = Some(callback_url(part, state).await?)
                }
                Some("callback_url") => {
                    return Err(Refusal::Malformed("The form has more than one `callback_url`".to_owned()));
                }
                _ => others = skip(part, state, others).await?,
            }
        }
        let (received, name) = file.ok_or(Refusal::NoFile)?;
        Ok(WholeForm { received, name, callback: callback.flatten() })
    }

    /// All parts and what is around them count, so that neither a thousand parts nor one without end get through.
    fn parser(&self, state: &State) -> Result<Multipart<'static>, Refusal> {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let boundary = multer::parse_boundary(content_type).map_err(|_| {
            Refusal::Malformed(
                "The request must be multipart/form-data with a boundary and a part named `file`".to_owned(),
            )
        })?;
        let whole = SizeLimit::new().whole_stream(longest_form(state));
        Ok(Multipart::with_constraints(self.body.chunks(), boundary, Constraints::new().size_limit(whole)))
    }
}

impl WholeForm {
    async fn keep(
        self,
        state: &State,
        idempotency_key: Option<IdempotencyKey>,
        place: OwnedSemaphorePermit,
    ) -> Result<(Receipt, OriginalName), Refusal> {
        let Self { received, name, callback } = self;
        let callback = callback.or_else(|| state.callbacks.default().cloned());
        let bytes = received.size_bytes();
        let receipt = state.intake.keep(received, name.clone(), idempotency_key, callback, place).await?;
        match receipt {
            Receipt::New(_) => state.metrics.upload_accepted(bytes),
            Receipt::Repeated(_) => state.metrics.upload_repeated(),
        }
        Ok((receipt, name))
    }
}

const fn longest_form(state: &State) -> u64 {
    state.max_upload_bytes.saturating_add(FORM_BYTES)
}

/// Waits for the next piece of a form, and not for ever.
async fn timely<T>(
    state: &State,
    reading: impl Future<Output = Result<T, multer::Error>>,
) -> Result<T, Refusal> {
    let read = timeout(state.upload_idle, reading).await;
    let silent = |_: Elapsed| Refusal::Malformed(format!("No data came for {:?}", state.upload_idle));
    read.map_err(silent)?.map_err(|error| unparsable(&error, state))
}

async fn take(part: Field<'static>, state: &State) -> Result<Received, Refusal> {
    let content = StreamReader::new(part.map_err(io::Error::other));
    state.intake.receive(content).await.map_err(|error| match error {
        IntakeError::BrokenOff(cause) => match cause.get_ref().and_then(|cause| cause.downcast_ref()) {
            Some(error) => unparsable(error, state),
            None => IntakeError::BrokenOff(cause).into(),
        },
        error => error.into(),
    })
}

async fn callback_url(mut part: Field<'static>, state: &State) -> Result<Option<CallbackUrl>, Refusal> {
    let mut text = Vec::new();
    while let Some(chunk) = timely(state, part.chunk()).await? {
        // One byte more is enough to be told apart from the longest that is allowed.
        let room = (CallbackUrl::MAX_BYTES + 1).saturating_sub(text.len());
        text.extend(chunk.iter().take(room));
    }
    let text = String::from_utf8(text)
        .map_err(|_| Refusal::Malformed("`callback_url` is no text in UTF-8".to_owned()))?;
    Ok(state.callbacks.admit(&text)?)
}

/// Reads over a part, never silently; the answer is how many bytes all such parts have by now.
async fn skip(mut part: Field<'static>, state: &State, before: OtherParts) -> Result<OtherParts, Refusal> {
    let mut all = OtherParts { count: before.count + 1, ..before };
    while let Some(chunk) = timely(state, part.chunk()).await? {
        all.bytes += chunk.len() as u64;
        if all.bytes > FORM_BYTES {
            return Err(Refusal::Malformed("The parts beside `file` are too long".to_owned()));
        }
    }
    if all.count > MAX_OTHER_PARTS {
        return Err(Refusal::Malformed("The form has too many parts beside the one named `file`".to_owned()));
    }
    Ok(all)
}

fn unparsable(error: &multer::Error, state: &State) -> Refusal {
    match error {
        multer::Error::StreamSizeExceeded { .. } => Refusal::TooLarge(state.max_upload_bytes),
        error => Refusal::Malformed(format!("The form cannot be parsed: {error}")),
    }
}

impl Payload for UploadForm {
    const CONTENT_TYPE: &'static str = "multipart/form-data";

    fn check_content_type(content_type: &str) -> bool {
        // Another type is refused by the parser, with a sentence of its own.
        !content_type.is_empty()
    }

    fn schema_ref() -> MetaSchemaRef {
        let file = MetaSchema {
            format: Some("binary"),
            description: Some("A JPEG or PNG. Name and type of the part only inform; the content decides."),
            ..MetaSchema::new("string")
        };
        let callback_url = MetaSchema {
            max_length: Some(CallbackUrl::MAX_BYTES),
            description: Some(
                "A URL that is told by a signed POST when the image becomes a success or fails. Without it, or if it is \
                 empty, `webhooks.url` of the settings, if there is one.",
            ),
            ..MetaSchema::new("string")
        };
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            required: vec!["file"],
            properties: vec![
                ("file", MetaSchemaRef::Inline(Box::new(file))),
                ("callback_url", MetaSchemaRef::Inline(Box::new(callback_url))),
            ],
            ..MetaSchema::new("object")
        }))
    }

    fn register(_registry: &mut Registry) {}
}

impl ParsePayload for UploadForm {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        let content_type = request.content_type().map(str::to_owned);
        let length = request.header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        Ok(Self { content_type, length, body: Incoming::new(body.take()?, request.headers()) })
    }
}

impl<'a> ApiExtractor<'a> for UploadForm {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: Self::CONTENT_TYPE, schema: Self::schema_ref() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        <Self as ParsePayload>::from_request(request, body).await
    }
}
