//! Each request has an id, so that a caller's report finds its line in the log.

use poem::http::HeaderValue;
use poem::{Endpoint, IntoResponse, Request, Response, Result};

tokio::task_local! {
    static CURRENT: String;
}

/// The header that carries the id, in both directions.
const HEADER: &str = "x-request-id";

/// The id of the request that is being answered.
pub(super) fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Answers outside of any request: a head that cannot be read has an id, too.
pub(super) fn with_own_id<T>(answer: impl FnOnce(&str) -> T) -> T {
    let id = new();
    CURRENT.sync_scope(id.clone(), || answer(&id))
}

fn new() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Keeps an id that the caller or a proxy gave, if it is one; else makes one. Logs what failed on our side.
pub(super) async fn with_request_id<E: Endpoint>(endpoint: E, request: Request) -> Result<Response> {
    let given = request.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let id = given.filter(|id| is_id(id)).map_or_else(new, str::to_owned);
    let mut response = CURRENT
        .scope(id.clone(), async move { endpoint.call(request).await.map(IntoResponse::into_response) })
        .await?;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    Ok(response)
}

/// The id of the request that was answered so.
pub(super) fn of(response: &Response) -> Option<&str> {
    response.headers().get(HEADER)?.to_str().ok()
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
