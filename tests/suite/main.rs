//! Tests through the front door: real HTTP, a real Postgres, a real RabbitMQ, a captioner that really listens.
//!
//! Each test has a database, queues and a folder of its own and removes them. `DARKROOM_TEST_DATABASE_URL` and
//! `DARKROOM_TEST_AMQP_URL` say where the servers are; `./dev test` brings them if there are none.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test ends by panicking, and this crate has no outside"
)]

mod broker;
mod captions;
mod client;
mod command_line;
mod database;
mod document;
mod fake_captioner;
mod faults;
mod flow;
mod harness;
mod messages;
mod pictures;
mod process;
mod proxy;
mod refusals;
