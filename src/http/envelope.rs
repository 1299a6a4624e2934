//! The one form of every answer with a body of JSON.

use super::captions::{Caption, CaptionList};
use super::deliveries::{Delivery, DeliveryList};
use super::health::Health;
use super::schema::{Image, ImageList, Upload};
use super::similar::SimilarImageList;
use super::stats::Stats;
use poem_openapi::{Enum, Object};

/// `success`, in the envelope of an answer.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename = "SuccessStatus", rename_all = "snake_case")]
pub(super) enum Success {
    Success,
}

/// `error`, in the envelope of a refusal.
#[derive(Enum, Debug, Clone, Copy)]
#[oai(rename = "ErrorStatus", rename_all = "snake_case")]
pub(super) enum Failed {
    Error,
}

/// A stable code for programs.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub(super) enum ErrorCode {
    NoFile,
    MalformedRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    NotReady,
    MethodNotAllowed,
    Conflict,
    PayloadTooLarge,
    UnsupportedType,
    Undecodable,
    TooManyPixels,
    IdempotencyMismatch,
    RangeNotSatisfiable,
    Overloaded,
    RateLimited,
    StorageFull,
    Internal,
}

impl ErrorCode {
    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoFile => "no_file",
            Self::MalformedRequest => "malformed_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::NotReady => "not_ready",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedType => "unsupported_type",
            Self::Undecodable => "undecodable",
            Self::TooManyPixels => "too_many_pixels",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::RangeNotSatisfiable => "range_not_satisfiable",
            Self::Overloaded => "overloaded",
            Self::RateLimited => "rate_limited",
            Self::StorageFull => "storage_full",
            Self::Internal => "internal",
        }
    }
}

/// The form of every refusal.
#[derive(Object, Debug, Clone)]
#[oai(example)]
pub(super) struct ErrorBody {
    status: Failed,
    /// Always null.
    #[oai(nullable)]
    data: Option<String>,
    /// A sentence for a person.
    error: String,
    code: ErrorCode,
    /// Stands in the log beside what happened; also in the header `X-Request-Id`.
    request_id: String,
}

impl ErrorBody {
    pub(super) const fn new(error: String, code: ErrorCode, request_id: String) -> Self {
        Self { status: Failed::Error, data: None, error, code, request_id }
    }
}

/// Declares the envelope of an answer around its data.
macro_rules! envelope {
    ($(#[$doc:meta])* $name:ident($data:ty)) => {
        $(#[$doc])*
        #[derive(Object)]
        pub(super) struct $name {
            status: Success,
            data: $data,
            /// Always null.
            #[oai(nullable)]
            error: Option<String>,
        }

        impl From<$data> for $name {
            fn from(data: $data) -> Self {
                Self { status: Success::Success, data, error: None }
            }
        }
    };
}

envelope! {
    /// The answer to an upload or a retry.
    UploadAnswer(Upload)
}
envelope! {
    /// The answer with one image.
    ImageAnswer(Image)
}
envelope! {
    /// The answer with a part of the list of images.
    ImageListAnswer(ImageList)
}
envelope! {
    /// The answer with the deliveries of an image.
    DeliveryListAnswer(DeliveryList)
}
envelope! {
    /// The answer to a replay.
    DeliveryAnswer(Delivery)
}
envelope! {
    /// The answer with the captions of an image.
    CaptionListAnswer(CaptionList)
}
envelope! {
    /// The answer with one caption.
    CaptionAnswer(Caption)
}
envelope! {
    /// The answer with images that look like one.
    SimilarImageListAnswer(SimilarImageList)
}
envelope! {
    /// The answer with the statistics.
    StatsAnswer(Stats)
}
envelope! {
    /// The answer to a question for a sign of life.
    HealthAnswer(Health)
}

#[cfg(test)]
mod tests {
    use super::*;
    use poem_openapi::types::{ParseFromJSON, ToJSON, Type};

    #[test]
    fn codes_are_written_as_the_document_says() {
        let mut registry = poem_openapi::registry::Registry::new();
        ErrorCode::register(&mut registry);
        let codes: Vec<_> = registry.schemas.into_values().flat_map(|schema| schema.enum_items).collect();
        assert!(codes.len() >= 18);
        for written in codes {
            let code = ErrorCode::parse_from_json(Some(written.clone())).unwrap();
            assert_eq!((Some(code.as_str()), code.to_json()), (written.as_str(), Some(written.clone())));
        }
    }
}
