//! What a webhook tells, and what became of one call.

use super::failure::one_line;
use super::{CallbackUrl, Failure};
use std::time::Duration;

/// How an image ended, as it is told: the same in every attempt and in every replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// By which the receiver knows a repeated call: `webhook-id` of the Standard Webhooks specification.
    pub message_id: String,
    /// Who is told.
    pub url: CallbackUrl,
    /// The JSON that is sent, byte for byte.
    pub body: String,
}

/// One call, as the log of deliveries keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookCall {
    /// How long it took, by the monotonic clock.
    pub took: Duration,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// How the body of the answer begins, if there was one.
    pub answer: Option<Excerpt>,
    /// Why the receiver does not count as told, if it does not.
    pub failure: Option<Failure>,
}

/// The beginning of what a stranger said: one line, at most 500 characters, free of control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// The beginning of `said`; what is no UTF-8 is replaced.
    #[must_use]
    pub fn of(said: &[u8]) -> Self {
        Self(one_line(&String::from_utf8_lossy(said)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_bounded_line_whatever_was_said() {
        assert_eq!(Excerpt::of(b"no\0\nroom\xff").as_str(), "no  room\u{fffd}");
        assert_eq!(Excerpt::of("ä".repeat(9000).as_bytes()).as_str().chars().count(), 500);
    }
}
