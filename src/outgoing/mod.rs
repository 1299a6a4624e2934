//! How others are called: once, within bounds, and nowhere else than where they were said to be.

mod retry_after;

pub use retry_after::retry_after;

use crate::domain::TraceContext;
use crate::traces;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Request, RequestBuilder, Response};
use std::error::Error;
use std::time::Duration;
use tracing::Instrument;

/// The longest that connecting (name, TCP and TLS together) may take, within the time of a whole call.
const CONNECT: Duration = Duration::from_secs(10);

/// A client whose calls take no longer than `call`: no redirects (they would carry what is sent elsewhere), no proxy that
/// happens to stand in the environment, no retries of its own (attempts are counted by the job), no cookies.
pub fn client(call: Duration) -> ClientBuilder {
    // reqwest takes the process-wide provider and panics if there is none. Another room may have installed the same one
    // before: then this does nothing, which is just as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("Darkroom/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(CONNECT.min(call))
        .timeout(call)
}

/// Whether who is called learns which trace the call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callee {
    /// Named by the operator: it may go on with the trace.
    Trusted,
    /// Named by whoever uploads.
    Stranger,
}

/// Sends a request; the trace that it belongs to tells of it, until the head of the answer is there.
///
/// # Errors
/// As `RequestBuilder::send`.
pub async fn send(request: RequestBuilder, callee: Callee) -> Result<Response, reqwest::Error> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let url = request.url();
    let port = url.port_or_known_default().unwrap_or_default();
    let span =
        traces::call(request.method().as_str(), url.scheme(), url.host_str().unwrap_or_default(), port);
    if let Some(trace) = traces::of(&span).filter(|_| callee == Callee::Trusted) {
        hand_on(&trace, &mut request);
    }
    let answer = client.execute(request).instrument(span.clone()).await;
    match &answer {
        Ok(response) => traces::answered(&span, response.status().as_u16(), 400),
        Err(error) => {
            let kind = if error.is_timeout() { "timeout" } else { "connection" };
            traces::fails(&span, kind);
        }
    }
    answer
}

fn hand_on(trace: &TraceContext, request: &mut Request) {
    let headers =
        [("traceparent", Some(trace.traceparent())), ("tracestate", trace.tracestate().map(str::to_owned))];
    for (name, text) in headers {
        let value = text.and_then(|text| HeaderValue::try_from(text).ok());
        request.headers_mut().extend(value.map(|value| (HeaderName::from_static(name), value)));
    }
}

/// Reads a body into `bytes` until its end (`true`) or `limit` (`false`). A Content-Length is a claim, so it is not asked.
///
/// # Errors
/// If the connection breaks or the time of the call is up; what was read before stays in `bytes`.
pub async fn read_bounded(
    response: &mut Response,
    limit: usize,
    bytes: &mut Vec<u8>,
) -> Result<bool, reqwest::Error> {
    while let Some(chunk) = response.chunk().await? {
        let room = limit.saturating_sub(bytes.len());
        bytes.extend(chunk.iter().take(room));
        if chunk.len() > room {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The innermost error: the outer ones only repeat that sending failed.
#[must_use]
pub fn root_cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
