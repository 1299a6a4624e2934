//! Darkroom: photos go in; thumbnails, metadata, a caption and honest timings come out.
//!
//! Each module is a room with one job. `tests/architecture.rs` holds what each may know.

pub use darkroom_domain as domain;
pub use darkroom_pipeline as pipeline;
pub use darkroom_probe as probe;

pub mod access;
pub mod app;
pub mod captioner;
pub mod embedded;
pub mod files;
pub mod http;
pub mod intake;
pub mod metrics;
pub mod outgoing;
pub mod own_thread;
pub mod queue;
pub mod relay;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod traces;
pub mod webhooks;
pub mod worker;
