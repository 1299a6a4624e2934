//! A tiny model, and what Hugging Face's transformers says with it: `tests/reference.py` makes both.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test ends by panicking, and this crate has no outside"
)]

mod captions;
mod conversion;
mod damage;
mod files;
#[path = "../../src/tests/reference.rs"]
#[expect(dead_code, reason = "the unit tests use all of it")]
mod reference;
mod support;
