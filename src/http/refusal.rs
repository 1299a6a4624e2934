//! Every way of saying no: one exhaustive map from what went wrong to a status, a stable code and a sentence.

use super::envelope::{ErrorBody, ErrorCode};
use super::request_id;
use super::throttle::Throttle;
use crate::domain::{Scope, reason};
use crate::files::FileError;
use crate::intake::IntakeError;
use crate::store::StoreError;
use crate::webhooks::RefusedCallback;
use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;
use std::time::Instant;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("No file part")]
    NoFile,
    #[error("{0}")]
    Malformed(String),
    #[error("The head of the request {}", unreadable(*.0))]
    UnreadableHead(u16),
    #[error("An API key is needed, and none that is in force was sent")]
    Unauthorized,
    #[error("The API key lacks the scope `{0}`")]
    Forbidden(Scope),
    #[error("A webhook must not call this API")]
    FromWebhook,
    /// With the seconds until the next one may come.
    #[error("The API key has made too many requests; try again in {0} s")]
    RateLimited(u64),
    #[error("The API key cannot be looked up; try again")]
    KeysAway,
    #[error("Image not found")]
    NotFound,
    #[error("There is nothing at this path")]
    NoSuchPath,
    #[error("{0}")]
    NotReady(&'static str),
    #[error("There is nothing to compare with: {0}")]
    NoHash(&'static str),
    #[error("The image has failed and has no thumbnails")]
    NoThumbnails,
    #[error("This path does not know that method")]
    MethodNotAllowed,
    #[error("The file is larger than {0} bytes")]
    TooLarge(u64),
    #[error("Nothing has failed: the image is {0}")]
    NothingFailed(crate::domain::ImageStatus),
    #[error("A caption can be asked for when the image is a success; it is {0}")]
    NoCaptionNow(crate::domain::ImageStatus),
    #[error("A caption is being asked for at this moment")]
    CaptionUnderWay,
    #[error("Nobody has written a caption")]
    NothingWritten,
    #[error("The event is being delivered at this moment")]
    StillTried,
    #[error("The image has no such delivery")]
    NoSuchDelivery,
    #[error(transparent)]
    Callback(#[from] RefusedCallback),
    #[error("Too many uploads at this moment")]
    TooManyUploads,
    #[error("Too many clients follow events at this moment")]
    TooManyEventClients,
    #[error("Too many clients with this API key follow events at this moment")]
    TooManyStreamsOfKey,
    #[error("The server is starting; try again")]
    Starting,
    #[error("A dependency did not answer in time")]
    TimedOut,
    #[error("The range lies outside the file")]
    RangeNotSatisfiable,
    #[error(transparent)]
    Intake(IntakeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Files(#[from] FileError),
    /// What happened is for the log; the caller gets [`INTERNAL`].
    #[error("{0}")]
    Internal(String),
}

const INTERNAL: &str = "Something went wrong on our side";

/// While a dependency is away, every request is refused for the same reason.
static DATABASE_AWAY: Throttle = Throttle::new();
static VOLUME_AWAY: Throttle = Throttle::new();
static OTHERS_AWAY: Throttle = Throttle::new();

impl From<IntakeError> for Refusal {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Empty => Self::NoFile,
            IntakeError::TooLarge { limit } => Self::TooLarge(limit),
            IntakeError::Files(error) => Self::Files(error),
            IntakeError::Store(error) => Self::Store(error),
            IntakeError::Unrecorded(_) => Self::TimedOut,
            error => Self::Intake(error),
        }
    }
}

impl Refusal {
    pub(super) fn status_and_code(&self) -> (u16, ErrorCode) {
        match self {
            Self::NoFile => (400, ErrorCode::NoFile),
            Self::Malformed(_) | Self::Callback(_) => (400, ErrorCode::MalformedRequest),
            Self::UnreadableHead(status) => (*status, ErrorCode::MalformedRequest),
            Self::Unauthorized => (401, ErrorCode::Unauthorized),
            Self::Forbidden(_) | Self::FromWebhook => (403, ErrorCode::Forbidden),
            Self::NotFound | Self::NoSuchPath | Self::NoThumbnails | Self::NoSuchDelivery => {
                (404, ErrorCode::NotFound)
            }
            Self::NotReady(_) => (404, ErrorCode::NotReady),
            Self::MethodNotAllowed => (405, ErrorCode::MethodNotAllowed),
            Self::NothingFailed(_)
            | Self::NoCaptionNow(_)
            | Self::CaptionUnderWay
            | Self::NothingWritten
            | Self::StillTried
            | Self::NoHash(_) => (409, ErrorCode::Conflict),
            Self::TooLarge(_) => (413, ErrorCode::PayloadTooLarge),
            Self::RangeNotSatisfiable => (416, ErrorCode::RangeNotSatisfiable),
            Self::TooManyUploads | Self::TooManyStreamsOfKey => (429, ErrorCode::Overloaded),
            Self::RateLimited(_) => (429, ErrorCode::RateLimited),
            Self::TooManyEventClients | Self::Starting | Self::TimedOut | Self::KeysAway => {
                (503, ErrorCode::Overloaded)
            }
            Self::Intake(error) => match error {
                IntakeError::UnsupportedType => (415, ErrorCode::UnsupportedType),
                IntakeError::Undecodable(_) => (422, ErrorCode::Undecodable),
                IntakeError::TooManyPixels { .. } => (422, ErrorCode::TooManyPixels),
                IntakeError::IdempotencyMismatch => (422, ErrorCode::IdempotencyMismatch),
                IntakeError::Stalled(_) | IntakeError::BrokenOff(_) => (400, ErrorCode::MalformedRequest),
                // Split off by `From<IntakeError>`; answered here too, so that the map has no hole.
                IntakeError::Empty => (400, ErrorCode::NoFile),
                IntakeError::TooLarge { .. } => (413, ErrorCode::PayloadTooLarge),
                IntakeError::Files(_) | IntakeError::Store(_) | IntakeError::Unrecorded(_) => {
                    (503, ErrorCode::Overloaded)
                }
            },
            Self::Store(error) if error.is_transient() => (503, ErrorCode::Overloaded),
            Self::Files(FileError::Full { .. }) => (507, ErrorCode::StorageFull),
            Self::Files(FileError::Unavailable { .. } | FileError::Foreign { .. }) => {
                (503, ErrorCode::Overloaded)
            }
            Self::Store(_) | Self::Files(FileError::Missing { .. }) | Self::Internal(_) => {
                (500, ErrorCode::Internal)
            }
        }
    }

    /// When to try again, in seconds.
    pub(super) fn retry_after(&self) -> Option<u64> {
        if let Self::RateLimited(seconds) = self {
            return Some(*seconds);
        }
        match self.status_and_code().1 {
            ErrorCode::NotReady | ErrorCode::Overloaded => Some(1),
            ErrorCode::StorageFull => Some(60),
            _ => None,
        }
    }

    /// A sentence for a person; what happened inside is for the log alone.
    fn sentence(&self) -> String {
        match self {
            Self::Intake(IntakeError::UnsupportedType) => "Unsupported file type".to_owned(),
            Self::Store(StoreError::SearchTooLong) => {
                "The search took too long; a longer text, another condition beside it, or a smaller distance helps".to_owned()
            }
            Self::Store(error) if error.is_transient() => "The database is away; try again".to_owned(),
            Self::Files(FileError::Full { .. }) => "The storage is full; nothing was recorded".to_owned(),
            Self::Files(FileError::Unavailable { .. } | FileError::Foreign { .. }) => {
                "The storage is away; try again".to_owned()
            }
            Self::Store(_) | Self::Files(_) | Self::Internal(_) => INTERNAL.to_owned(),
            other => {
                let sentence = other.to_string();
                let mut letters = sentence.chars();
                letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
            }
        }
    }

    /// The body of the answer. What failed on our side is logged here, once.
    pub(super) fn body(&self) -> ErrorBody {
        let (status, code) = self.status_and_code();
        let (request_id, error) = (request_id::current(), reason(self));
        match status {
            500 => tracing::error!(request_id, error, "a request failed"),
            501.. => match self.throttle().admit(Instant::now()) {
                Some(untold) => tracing::warn!(
                    request_id,
                    error,
                    untold,
                    "a request was refused; the next such line in a minute, with the number of those between"
                ),
                None => tracing::debug!(request_id, error, "a request was refused"),
            },
            _ => tracing::debug!(request_id, error, "a request was refused"),
        }
        ErrorBody::new(self.sentence(), code, request_id)
    }

    const fn throttle(&self) -> &'static Throttle {
        match self {
            Self::Store(_) => &DATABASE_AWAY,
            Self::Files(_) => &VOLUME_AWAY,
            _ => &OTHERS_AWAY,
        }
    }
}

/// What the HTTP library means by a status that it answers a head with.
const fn unreadable(status: u16) -> &'static str {
    match status {
        414 => "has too long a path",
        431 => "is too long, or has too many fields",
        _ => "cannot be understood",
    }
}

/// Declares the refusals that an operation documents, beside those that every operation has; one that it does not document
/// would be answered with 500.
macro_rules! refusals {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $text:tt])* $variant:ident = $status:tt,)+ }) => {
        $(#[$doc])*
        #[derive(ApiResponse)]
        pub(super) enum $name {
            $(
                $(#[doc = $text])*
                #[oai(status = $status, content_type = "application/json")]
                $variant(
                    Json<ErrorBody>,
                    /// Seconds after which trying again makes sense.
                    #[oai(header = "Retry-After")] Option<u64>,
                ),
            )+
            /// API keys are asked for, and none that is in force was sent.
            #[oai(status = 401, content_type = "application/json")]
            Unauthorized(
                Json<ErrorBody>,
                /// Seconds after which trying again makes sense.
                #[oai(header = "Retry-After")] Option<u64>,
            ),
            /// The API key lacks the scope that this operation needs; `error` names it.
            #[oai(status = 403, content_type = "application/json")]
            Forbidden(Json<ErrorBody>),
            /// Too many requests with this API key (`rate_limited`), too many streams of events with it, or too many uploads in
            /// hand (`overloaded`).
            #[oai(status = 429, content_type = "application/json")]
            TooMany(
                Json<ErrorBody>,
                /// Seconds after which trying again makes sense.
                #[oai(header = "Retry-After")] Option<u64>,
            ),
            /// Something went wrong on our side.
            #[oai(status = 500, content_type = "application/json")]
            Internal(Json<ErrorBody>),
        }

        impl From<Refusal> for $name {
            fn from(refusal: Refusal) -> Self {
                let (status, _) = refusal.status_and_code();
                let (body, retry_after) = (Json(refusal.body()), refusal.retry_after());
                match status {
                    401 => Self::Unauthorized(body, retry_after),
                    403 => Self::Forbidden(body),
                    429 => Self::TooMany(body, retry_after),
                    $($status => Self::$variant(body, retry_after),)+
                    _ => Self::Internal(body),
                }
            }
        }
    };
}

refusals! {
    /// Refusals of an upload.
    UploadRefusal {
        /// No part named `file`, no file name, no bytes; the form cannot be parsed, or the `callback_url` not be called.
        BadRequest = 400,
        /// More bytes than allowed.
        TooLarge = 413,
        /// Neither JPEG nor PNG by content.
        UnsupportedType = 415,
        /// The header does not parse or promises too many pixels, or an Idempotency-Key was used with other bytes.
        Unprocessable = 422,
        /// A dependency is away.
        Unavailable = 503,
        /// The volume is full; nothing was recorded.
        StorageFull = 507,
    }
}

refusals! {
    /// Refusals of what concerns no single image.
    ReadRefusal {
        /// A parameter cannot be parsed.
        BadRequest = 400,
        /// A dependency is away.
        Unavailable = 503,
    }
}

refusals! {
    /// Refusals of what concerns one image.
    ImageRefusal {
        /// A parameter or the body cannot be parsed.
        BadRequest = 400,
        /// No such image, or what is asked of it is not ready.
        NotFound = 404,
        /// A dependency is away.
        Unavailable = 503,
    }
}

refusals! {
    /// Refusals of a search for what looks like one image.
    SimilarRefusal {
        /// A parameter cannot be parsed.
        BadRequest = 400,
        /// No such image, or its picture was not looked at yet.
        NotFound = 404,
        /// The image has no perceptual hash: it has failed, or its picture is too even.
        Conflict = 409,
        /// A dependency is away.
        Unavailable = 503,
    }
}

refusals! {
    /// Refusals of an original.
    OriginalRefusal {
        /// A parameter cannot be parsed.
        BadRequest = 400,
        /// No such image.
        NotFound = 404,
        /// The range lies outside the file.
        RangeNotSatisfiable = 416,
        /// A dependency is away.
        Unavailable = 503,
    }
}

refusals! {
    /// Refusals of a retry.
    RetryRefusal {
        /// A parameter cannot be parsed.
        BadRequest = 400,
        /// No such image.
        NotFound = 404,
        /// Neither the image nor its caption has failed.
        Conflict = 409,
        /// A dependency is away.
        Unavailable = 503,
    }
}

refusals! {
    /// Refusals of what concerns the caption of an image that has to be in a certain state.
    CaptionRefusal {
        /// A parameter or the body cannot be parsed.
        BadRequest = 400,
        /// No such image.
        NotFound = 404,
        /// The image is not a success, or nobody has written a caption.
        Conflict = 409,
        /// A dependency is away.
        Unavailable = 503,
    }
}

refusals! {
    /// Refusals of a replay.
    ReplayRefusal {
        /// A parameter cannot be parsed.
        BadRequest = 400,
        /// No such image, or it has no such delivery.
        NotFound = 404,
        /// The event is being delivered at this moment.
        Conflict = 409,
        /// A dependency is away.
        Unavailable = 503,
    }
}
