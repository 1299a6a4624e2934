//! Webhooks: one signed HTTP call that tells somebody how an image ended.
//!
//! In the form of the Standard Webhooks specification (<https://www.standardwebhooks.com>). Where to call is said by whoever
//! may upload, so a call must reach nothing that only this machine can reach: see [`address`] and [`resolver`].

mod address;
mod answer;
mod callbacks;
mod resolver;
mod signature;
mod turns;

pub use address::RefusedAddress;
pub use callbacks::{Callbacks, RefusedCallback};
pub use signature::SigningKeyError;
pub use turns::Turn;

use crate::domain::{CallbackUrl, Failure, FailureCode, WebhookCall, WebhookEvent};
use crate::outgoing::{self, Callee, root_cause};
use crate::settings;
use address::Reach;
use answer::Answer;
use reqwest::Client;
use reqwest::header::{CONNECTION, CONTENT_TYPE, HeaderName};
use resolver::{Resolver, refusal_in};
use signature::SigningKeys;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use turns::Turns;

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Settings with which nobody can be called. None of the texts holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum WebhooksError {
    /// `webhooks.secret` holds no key.
    #[error("webhooks.secret: {0}")]
    SigningKey(#[from] SigningKeyError),
    /// `webhooks.url` names an address that must not be called.
    #[error("webhooks.url: {0}; webhooks.allow_private = true allows it")]
    Url(RefusedAddress),
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client of webhooks (are CA certificates installed?)")]
    Client(#[source] reqwest::Error),
}

/// Calls receivers.
#[derive(Debug)]
pub struct Webhooks {
    client: Client,
    keys: SigningKeys,
    reach: Reach,
    /// The longest pause that a receiver can ask for.
    longest_pause: Duration,
    turns: Turns,
}

impl Webhooks {
    /// The caller that the settings ask for; `None` where there is no secret to sign with.
    ///
    /// # Errors
    /// If a secret or the URL cannot be used, or TLS cannot be set up.
    pub fn from_settings(settings: &settings::Webhooks) -> Result<Option<Self>, WebhooksError> {
        let Some(secret) = &settings.secret else { return Ok(None) };
        let (keys, reach) = (SigningKeys::parse(secret)?, Reach::of(settings));
        if let Some(address) = settings.url.as_ref().and_then(|url| url.address()) {
            reach.allows(address).map_err(WebhooksError::Url)?;
        }
        let client = outgoing::client(settings.call)
            .dns_resolver(Resolver::new(reach))
            // A connection that is kept could be to an address that a name stood for long ago.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(WebhooksError::Client)?;
        let longest_pause = settings.retry_policy().backoff.longest();
        Ok(Some(Self { client, keys, reach, longest_pause, turns: Turns::default() }))
    }

    /// The turn to call a receiver, to be held during the call: two at a time are called at one host and port. Otherwise how
    /// long to stay away.
    ///
    /// # Errors
    /// If it is not the time.
    pub fn turn(&self, url: &CallbackUrl) -> Result<Turn, Duration> {
        self.turns.take(url, Instant::now())
    }

    /// Tells of an event. One call, never repeated in here, and no longer than `webhooks.call_seconds`. `now` is what the
    /// receiver holds against its own clock.
    pub async fn deliver(&self, event: &WebhookEvent, now: OffsetDateTime) -> WebhookCall {
        let begun = Instant::now();
        let (status, answer, failure) = match self.call(event, now).await {
            Ok(answer) => (Some(answer.status), Some(answer.excerpt), answer.failure),
            Err(failure) => (None, None, Some(failure)),
        };
        WebhookCall { took: begun.elapsed(), status, answer, failure }
    }

    async fn call(&self, event: &WebhookEvent, now: OffsetDateTime) -> Result<Answer, Failure> {
        if let Some(address) = event.url.address() {
            self.reach.allows(address).map_err(|refused| refused_address(&refused))?;
        }
        let timestamp = now.unix_timestamp();
        let request = self
            .client
            .post(event.url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .header(WEBHOOK_ID, &event.message_id)
            .header(WEBHOOK_TIMESTAMP, timestamp)
            .header(WEBHOOK_SIGNATURE, self.keys.sign(&event.message_id, timestamp, &event.body))
            .body(event.body.clone());
        let response = outgoing::send(request, Callee::Stranger).await.map_err(transport_failure)?;
        Ok(Answer::read(response, now, self.longest_pause).await)
    }
}

/// It stays refused until an operator allows it, or the name is given another address; then a replay is what helps.
fn refused_address(refused: &RefusedAddress) -> Failure {
    let text = "the receiver has no public address, and webhooks.allow_private is not set";
    Failure::permanent(FailureCode::WebhookAddressRefused, text).with_detail(&refused.to_string())
}

/// What no answer stands for. The texts say nothing of addresses: who uploads shall not learn what names stand for in here.
fn transport_failure(error: reqwest::Error) -> Failure {
    if let Some(refused) = refusal_in(&error) {
        return refused_address(refused);
    }
    if error.is_timeout() {
        let what = if error.is_connect() { "could not be reached" } else { "did not answer" };
        return Failure::transient(FailureCode::WebhookTimedOut, format!("the receiver {what} in time"));
    }
    let what = if error.is_connect() { "the receiver cannot be reached" } else { "the connection broke" };
    let cause = root_cause(&error.without_url());
    Failure::transient(FailureCode::WebhookUnreachable, format!("{what}: {cause}"))
}
