//! What a receiver answers, and what it means.

use crate::domain::{Excerpt, Failure, FailureCode};
use crate::outgoing::{read_bounded, retry_after};
use reqwest::header::{LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use std::time::Duration;
use time::OffsetDateTime;

/// The most bytes of a body that are read. Only its beginning is kept, for whoever looks for a fault.
const BODY_LIMIT: usize = 4 * 1024;

/// An answer, read as far as it will be.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) excerpt: Excerpt,
    /// Why the receiver does not count as told, if it does not.
    pub(super) failure: Option<Failure>,
}

impl Answer {
    /// Reads the body, up to its limit. It decides nothing, so it does not matter whether it ends well.
    pub(super) async fn read(mut response: Response, now: OffsetDateTime, longest_pause: Duration) -> Self {
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let pause = header(RETRY_AFTER).and_then(|text| retry_after(text, now)).map(|p| p.min(longest_pause));
        let failure = failure(status, pause, header(LOCATION));
        let mut body = Vec::new();
        // The rest of it is not ours to wait for.
        let _complete = read_bounded(&mut response, BODY_LIMIT, &mut body).await;
        Self { status: status.as_u16(), excerpt: Excerpt::of(&body), failure }
    }
}

/// Any 2xx is a thank-you. 410 is for good, as the Standard Webhooks specification has it; everything else may be mended at
/// the receiver, and is tried again for as long as attempts last.
fn failure(status: StatusCode, pause: Option<Duration>, location: Option<&str>) -> Option<Failure> {
    let text = format!("the receiver answered {status}");
    match status {
        _ if status.is_success() => None,
        StatusCode::GONE => Some(Failure::permanent(FailureCode::WebhookGone, text)),
        _ if status.is_redirection() => {
            let target = location.unwrap_or("nowhere");
            let text = format!("{text}, to {target}; redirects are not followed");
            Some(Failure::transient(FailureCode::WebhookRefused, text))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Some(Failure::transient_after(FailureCode::WebhookRefused, text, pause))
        }
        _ => Some(Failure::transient(FailureCode::WebhookRefused, text)),
    }
}
