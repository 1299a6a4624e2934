//! What the test binaries share: databases, queues and folders of a test's own, processes, pictures, a caller.
//!
//! `DARKROOM_TEST_DATABASE_URL` and `DARKROOM_TEST_AMQP_URL` say where the servers are; `./dev test` brings them if there
//! are none.
#![allow(dead_code, reason = "each binary uses a part of it")]

pub mod broker;
pub mod client;
pub mod collector;
pub mod database;
pub mod exposition;
pub mod fake_captioner;
pub mod fake_server;
pub mod ground;
pub mod listener;
pub mod pictures;
pub mod process;
pub mod proxy;
pub mod raw;
