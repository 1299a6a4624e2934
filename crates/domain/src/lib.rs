//! What things are, and which changes are legal. Knows nothing of tokio, SQL, AMQP, HTTP or pixels.

mod backlog;
mod backoff;
mod callback_url;
mod caller;
mod caption;
mod failure;
mod file_key;
mod finding;
mod id;
mod image;
mod job;
mod metadata;
mod outage;
mod perceptual_hash;
mod stage;
mod thumbnail;
mod trace_context;
mod webhook;

pub use backlog::Backlog;
pub use backoff::{Backoff, RetryPolicy};
pub use callback_url::{CallbackUrl, InvalidCallbackUrl};
pub use caller::{Caller, IdempotencyKey, InvalidKeyName, KeyName, Scope, Scopes};
pub use caption::{
    Caption, CaptionSource, HumanCaption, InvalidCaption, InvalidModelName, ModelName, Question, Tokens,
};
pub use failure::{Failure, FailureCode, Persistence};
pub use file_key::{FileKey, InvalidFileKey};
pub use finding::{Finding, FindingCode};
pub use id::{CallId, EventId, ImageId, JobId};
pub use image::{ImageFormat, ImageStatus, OriginalName, Sha256, UnknownName, is_direction_override};
pub use job::{Attempt, JobKind, JobState, Verdict};
pub use metadata::{Metadata, Orientation, camera_name};
pub use outage::{Outage, reason};
pub use perceptual_hash::PerceptualHash;
pub use stage::{Stage, StageRun, StageStatus};
pub use thumbnail::{ThumbnailFormat, ThumbnailSize};
pub use trace_context::{InvalidTraceparent, TraceContext};
pub use webhook::{Excerpt, WebhookCall, WebhookEvent};
