//! Darkroom: photos go in; thumbnails, metadata, a caption and honest timings come out.
//!
//! Each module is a room with one job. `tests/architecture.rs` holds what each may know.

pub mod access;
pub mod app;
pub mod captioner;
pub mod domain;
pub mod embedded;
pub mod files;
pub mod http;
pub mod intake;
pub mod outgoing;
pub mod pipeline;
pub mod probe;
pub mod queue;
pub mod relay;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod webhooks;
pub mod worker;
