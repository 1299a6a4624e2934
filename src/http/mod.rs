//! Requests in, answers out.

mod access;
mod allowed;
mod asked;
mod bounded;
mod captions;
mod catch;
mod counted;
mod cursor;
mod deliveries;
mod disposition;
mod document;
mod documented;
mod envelope;
mod events;
mod examples;
mod gallery;
mod health;
mod images;
mod incoming;
mod list;
mod metrics;
mod opening;
mod pictures;
mod refusal;
mod request_id;
mod schema;
mod scopes;
mod serve;
mod server;
mod similar;
mod state;
mod stats;
mod text;
mod throttle;
mod upload;

pub use document::{json, yaml};
pub use events::Feed;
pub use health::Probes;
pub use metrics::Gauges;
pub use opening::Opening;
pub use serve::{api, worker};
pub use server::{Bounds, Listener};
pub use state::State;

use poem_openapi::Tags;

/// How the document groups its operations.
#[derive(Tags)]
enum Tag {
    /// Upload images, follow their progress, fetch what was made of them.
    Images,
    /// What happens, as it happens.
    Events,
    /// What is said of images: by models, and by people.
    Captions,
    /// What was told to those who asked to be told.
    Webhooks,
    /// What the whole is doing.
    Statistics,
    /// Signs of life, for those who operate it.
    Health,
}
