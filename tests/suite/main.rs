//! Tests through the front door: real HTTP, a real Postgres, a real RabbitMQ, a captioner that really listens.
//!
//! Each test has a database, queues and a folder of its own and removes them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test ends by panicking, and this crate has no outside"
)]

mod bucket;
mod bucket_troubles;
mod caption_all;
mod caption_budget;
mod caption_records;
mod captions;
mod command_line;
mod compatibility;
mod connections;
mod dead_letters;
mod document;
mod event_streams;
mod events;
mod faults;
mod finding;
mod flow;
mod fsck;
mod full_tables;
mod gallery;
mod given_up;
mod health;
mod hostile;
mod hostile_uploads;
mod key_commands;
mod keys;
#[cfg(feature = "local-captions")]
mod local_captions;
mod logs;
mod messages;
mod metrics;
mod migrations;
mod rate_limits;
mod refusals;
mod retention;
mod retries;
mod similar;
#[path = "../support/mod.rs"]
mod support;
mod tallies;
mod traces;
mod webhook_receivers;
mod webhook_targets;
mod webhooks;
