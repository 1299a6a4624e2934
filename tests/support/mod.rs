//! What the test binaries share: databases, queues and folders of a test's own, processes, pictures, a caller.
//!
//! `DARKROOM_TEST_DATABASE_URL` and `DARKROOM_TEST_AMQP_URL` say where the servers are; `./dev test` brings them if there
//! are none. If `DARKROOM_TEST_S3_URL` names a bucket, files are kept there and not in folders; tests/s3/run does that.
#![allow(dead_code, reason = "each binary uses a part of it")]

pub mod broker;
pub mod bucket;
pub mod client;
pub mod collector;
pub mod database;
pub mod exposition;
pub mod fake_captioner;
pub mod fake_s3;
pub mod fake_server;
pub mod ground;
pub mod listener;
pub mod pictures;
pub mod process;
pub mod proxy;
pub mod raw;
