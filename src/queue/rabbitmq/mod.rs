//! RabbitMQ: one connection for each process, a channel for each purpose, and an explicit road back after every failure.

mod broker;
mod dead_letters;
mod publisher;
mod subscriber;
mod topology;
mod trace_headers;

pub(super) use broker::Broker;
pub(super) use dead_letters::Held;
pub(super) use publisher::Publishers;
pub(super) use subscriber::{Subscriber, acknowledge, give_back};

use super::QueueError;
use std::future::IntoFuture;
use std::time::Duration;

/// Waits for the broker's answer, but not for ever: during an alarm or behind a black hole it never comes.
async fn answered<T>(
    doing: &'static str,
    within: Duration,
    call: impl IntoFuture<Output = lapin::Result<T>>,
) -> Result<T, QueueError> {
    match tokio::time::timeout(within, call.into_future()).await {
        Ok(answer) => answer.map_err(|source| QueueError::Broker { doing, source }),
        Err(_) => Err(QueueError::Silent(doing)),
    }
}
