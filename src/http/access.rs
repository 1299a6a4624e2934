//! Each request to `/api` shows who sends it, is counted, and may do what its key permits.

use super::incoming::Incoming;
use super::refusal::Refusal;
use super::{catch, request_id, scopes};
use crate::access::{Access, Allowance, Identity, Stranger};
use crate::domain::{Caller, Scope};
use poem::http::header::AUTHORIZATION;
use poem::http::{HeaderMap, HeaderName, HeaderValue};
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use std::sync::Arc;
use std::time::Duration;

const API_KEY: &str = "x-api-key";

/// What every webhook carries, by the Standard Webhooks specification.
const WEBHOOK_ID: &str = "webhook-id";

/// draft-ietf-httpapi-ratelimit-headers-10. Without the optional `t` of the second: a bucket that fills up all the time has
/// no moment at which it is reset.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Under what an answer is given; for those that take so long that it may end before them.
#[derive(Clone)]
pub(super) struct Admission {
    access: Access,
    caller: Caller,
}

impl Admission {
    /// Who was let in.
    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether the caller would be let in now.
    pub(super) async fn lasts(&self) -> bool {
        self.access.still_admits(&self.caller).await
    }
}

/// Lets a request through, with its [`Caller`] and its [`Admission`] as data for the handlers, or refuses it before its
/// body means anything.
pub(super) async fn with_access<E: Endpoint>(
    access: Access,
    endpoint: E,
    request: Request,
) -> Result<Response> {
    let Some(needed) = scopes::needed(request.method().as_str(), request.uri().path()) else {
        return endpoint.call(request).await.map(IntoResponse::into_response);
    };
    // A webhook that leads back here would go on for ever: a retry, say, ends in another webhook.
    if request.headers().contains_key(WEBHOOK_ID) {
        return Ok(refuse(&Refusal::FromWebhook, request).await);
    }
    let identity = match identify(&access, request.headers()).await {
        Ok(identity) => identity,
        Err(refusal) => return Ok(refuse(&refusal, request).await),
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let allowance = identity.spend();
    let mut response = match check(&identity, needed, allowance) {
        Ok(()) => serve(access, &identity, endpoint, request).await,
        Err(refusal) => refuse(&refusal, request).await,
    };
    let (request_id, caller, status) = (request_id::current(), &identity.caller, response.status().as_u16());
    tracing::debug!(request_id, %caller, %method, path, status, "a request was answered");
    if let Some(allowance) = allowance {
        tell(allowance, response.headers_mut());
    }
    Ok(response)
}

async fn identify(access: &Access, headers: &HeaderMap) -> Result<Arc<Identity>, Refusal> {
    let sent = if access.asks_for_keys() { sent_key(headers)? } else { None };
    access.identify(sent).await.map_err(|stranger| match stranger {
        Stranger::Unknown => Refusal::Unauthorized,
        Stranger::Untold => Refusal::KeysAway,
    })
}

/// The key, wherever it stands. Who sends two that differ would not know which of them was meant.
fn sent_key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let bearer = |value| {
        let (scheme, key) = str::split_once(value, ' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    };
    let texts = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut keys = texts(AUTHORIZATION.as_str()).filter_map(bearer).chain(texts(API_KEY));
    let first = keys.next();
    if keys.any(|other| Some(other) != first) {
        return Err(Refusal::Malformed("The request carries two different API keys".to_owned()));
    }
    Ok(first)
}

fn check(identity: &Identity, needed: Scope, allowance: Option<Allowance>) -> Result<(), Refusal> {
    match allowance.and_then(|allowance| allowance.exhausted_for) {
        Some(wait) => Err(Refusal::RateLimited(whole_seconds(wait))),
        None if identity.may(needed) => Ok(()),
        None => Err(Refusal::Forbidden(needed)),
    }
}

/// Rounded up, so that nobody comes too early; and at least one, since 0 would mean at once.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

async fn serve<E: Endpoint>(
    access: Access,
    identity: &Identity,
    endpoint: E,
    mut request: Request,
) -> Response {
    request.set_data(Admission { access, caller: identity.caller.clone() });
    request.set_data(identity.caller.clone());
    match endpoint.call(request).await {
        Ok(answered) => answered.into_response(),
        Err(error) => catch::refuse(error).await,
    }
}

async fn refuse(refusal: &Refusal, mut request: Request) -> Response {
    Incoming::new(request.take_body(), request.headers()).drain().await;
    catch::answer(refusal)
}

fn tell(Allowance { limit, remaining, .. }: Allowance, headers: &mut HeaderMap) {
    let values = [(POLICY, format!("\"key\";q={limit};w=60")), (LIMIT, format!("\"key\";r={remaining}"))];
    for (name, value) in values {
        headers.extend(HeaderValue::from_str(&value).ok().map(|value| (name, value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(headers: &[(&'static str, &'static str)]) -> Option<Option<String>> {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, HeaderValue::from_static(value));
        }
        sent_key(&all).ok().map(|key| key.map(str::to_owned))
    }

    #[test]
    fn who_is_refused_is_told_whole_seconds_and_never_none() {
        let told =
            [0, 1, 999_999_999, 1_000_000_000, 1_000_000_001].map(Duration::from_nanos).map(whole_seconds);
        assert_eq!(told, [1, 1, 1, 1, 2]);
    }

    #[test]
    fn a_key_is_found_in_either_header_and_two_keys_are_none() {
        let found = |key: &str| Some(Some(key.to_owned()));
        assert_eq!(sent(&[]), Some(None));
        assert_eq!(sent(&[("authorization", "Bearer k")]), found("k"));
        assert_eq!(sent(&[("authorization", "bEARER  k ")]), found("k"));
        assert_eq!(sent(&[("authorization", "Basic abc"), ("x-api-key", "k")]), found("k"));
        assert_eq!(sent(&[("authorization", "Bearer k"), ("x-api-key", "k")]), found("k"));
        assert_eq!(sent(&[("authorization", "Bearer k"), ("x-api-key", "l")]), None);
        assert_eq!(sent(&[("x-api-key", "k"), ("x-api-key", "l")]), None);
        assert_eq!(sent(&[("authorization", "Basic abc")]), Some(None));
        assert_eq!(sent(&[("authorization", "Bearer")]), Some(None));
    }
}
