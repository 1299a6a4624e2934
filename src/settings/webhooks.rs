//! `webhooks.*`, the section of those who are told.

use super::sections::{seconds, secret};
use crate::domain::{Backoff, CallbackUrl, RetryPolicy};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use std::time::Duration;

/// `webhooks.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Webhooks {
    /// Who is told of images whose upload names nobody; `None` for nobody.
    #[serde(deserialize_with = "optional_url")]
    pub url: Option<CallbackUrl>,
    /// One or more keys to sign with; `None` if not set.
    #[serde(deserialize_with = "secret")]
    pub secret: Option<SecretString>,
    /// Whether addresses may be called that are not the internet's.
    pub allow_private: bool,
    pub(super) max_attempts: u32,
    #[serde(rename = "backoff_first_seconds", deserialize_with = "seconds")]
    pub(super) backoff_first: Duration,
    #[serde(rename = "backoff_longest_seconds", deserialize_with = "seconds")]
    pub(super) backoff_longest: Duration,
    /// Length allowed to a call.
    #[serde(rename = "call_seconds", deserialize_with = "seconds")]
    pub call: Duration,
}

impl Webhooks {
    /// How calls are tried again.
    #[must_use]
    pub const fn retry_policy(&self) -> RetryPolicy {
        let backoff = Backoff::new(self.backoff_first, self.backoff_longest);
        RetryPolicy { max_attempts: self.max_attempts, backoff }
    }
}

fn optional_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<CallbackUrl>, D::Error> {
    let invalid = |why| serde::de::Error::custom(format!("webhooks.url {why}"));
    match String::deserialize(from)?.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(invalid),
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;
    use std::time::Duration;

    #[test]
    fn by_default_a_receiver_that_is_away_for_six_hours_is_told_all_the_same() {
        let policy = Settings::load(None, []).unwrap().webhooks.retry_policy();
        let shortest: Duration =
            (1..policy.max_attempts).map(|failures| policy.backoff.delay(failures, 0.0)).sum();
        assert!(shortest >= Duration::from_secs(6 * 3600), "{shortest:?}");
    }
}
