//! No request but an upload brings more than a little, or takes longer than it may.

use super::catch::answer;
use super::incoming::Incoming;
use super::refusal::Refusal;
use futures_util::StreamExt;
use poem::http::Method;
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// A caption takes a few kilobytes at the most. What some clients send without need, such as `{}`, takes less.
const BODY_BYTES: usize = 64 * 1024;

/// The longest `wait`, which comes on top of what a request may take.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Bounds a request, unless it is an upload: that has bounds of its own.
pub(super) async fn with_bounds<E: Endpoint>(
    limit: Duration,
    endpoint: E,
    mut request: Request,
) -> Result<Response> {
    if request.method() == Method::POST && request.uri().path().trim_end_matches('/') == "/api/images" {
        return endpoint.call(request).await.map(IntoResponse::into_response);
    }
    let begun = Instant::now();
    let body = Incoming::new(request.take_body(), request.headers());
    match timeout(limit, read_whole(&body)).await {
        Ok(Ok(bytes)) => request.set_body(bytes),
        Ok(Err(refusal)) => {
            body.drain().await;
            return Ok(answer(&refusal));
        }
        Err(_) => return Ok(answer(&malformed(format!("No whole body came within {limit:?}")))),
    }
    let waits = request.uri().query().is_some_and(|query| query.contains("wait="));
    let longest = if waits { limit + LONGEST_WAIT } else { limit };
    match timeout_at(begun + longest, endpoint.call(request)).await {
        Ok(answered) => answered.map(IntoResponse::into_response),
        Err(_) => Ok(answer(&Refusal::TimedOut)),
    }
}

/// Before the request is acted upon: who does not bring it to its end does not mean it.
async fn read_whole(body: &Incoming) -> Result<Vec<u8>, Refusal> {
    let (mut chunks, mut whole) = (pin!(body.chunks()), Vec::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| malformed("The body ended too early"))?;
        if whole.len() + chunk.len() > BODY_BYTES {
            return Err(malformed(format!("The body is longer than {BODY_BYTES} bytes")));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

fn malformed(sentence: impl Into<String>) -> Refusal {
    Refusal::Malformed(sentence.into())
}
