//! Each request is counted, and told of in a trace, under the pattern of its path, so that nobody makes labels by asking for
//! what is not there.

use super::allowed::fits;
use super::{request_id, scopes};
use crate::domain::TraceContext;
use crate::metrics::{Metrics, OTHER};
use crate::traces;
use poem::http::{HeaderMap, Method};
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use std::time::Instant;
use tracing::{Instrument, Span};

/// Paths for which no key is asked.
const OPEN: [&str; 7] =
    ["/", "/livez", "/readyz", "/docs", "/openapi.json", "/openapi.yaml", "/gallery/{name}"];

/// Answers without an end of their own.
const STREAMS: [&str; 2] = ["/api/events", "/api/images/{id}/events"];

const IMAGE: &str = "/api/images/{id}";

/// Someone who waits up to a minute for an image to be done would make the others look slow.
const IMAGE_WAIT: &str = "/api/images/{id}?wait";

/// Counts a request when the head of its answer is there. One whose client goes away before has no answer, and is not
/// counted.
pub(super) async fn with_count<E: Endpoint>(
    metrics: Metrics,
    endpoint: E,
    request: Request,
) -> Result<Response> {
    let begun = Instant::now();
    let (route, method) = (route(request.uri().path(), request.uri().query()), method(request.method()));
    let span = span(&request, route, method);
    let answering = endpoint.call(request).instrument(span.clone());
    let response = answering.await.map(IntoResponse::into_response)?;
    let status = response.status().as_u16();
    metrics.request_answered(route, method, status, begun.elapsed());
    traces::answered(&span, status, 500);
    if let Some(id) = request_id::of(&response) {
        traces::logged_as(&span, id);
    }
    Ok(response)
}

/// Who asks for signs of life, for pages or for what is not there makes no trace, and a stream would make one without end.
fn span(request: &Request, route: &'static str, method: &'static str) -> Span {
    let route = if route == IMAGE_WAIT { IMAGE } else { route };
    if !route.starts_with("/api/") || STREAMS.contains(&route) {
        return Span::none();
    }
    let method = if method == OTHER { "_OTHER" } else { method };
    traces::request(method, route, trace_of(request.headers()).as_ref())
}

/// The trace that the client says the request belongs to (W3C Trace Context, section 3): what cannot be understood, or is said
/// twice, is as if it were not there.
fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all("traceparent").iter();
    let (parent, None) = (parents.next()?, parents.next()) else { return None };
    let context: TraceContext = parent.to_str().ok()?.trim().parse().ok()?;
    let states = headers.get_all("tracestate").iter().filter_map(|value| value.to_str().ok());
    let state = states.map(str::trim).collect::<Vec<_>>().join(",");
    Some(context.with_state(&state))
}

fn route(path: &str, query: Option<&str>) -> &'static str {
    let path = if path == "/" { path } else { path.trim_end_matches('/') };
    let open = || OPEN.into_iter().find(|template| fits(template, path));
    match scopes::template(path).or_else(open).unwrap_or(OTHER) {
        IMAGE if query.is_some_and(|query| query.contains("wait=")) => IMAGE_WAIT,
        known => known,
    }
}

/// Methods can be made up, too.
const fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    #[test]
    fn every_path_of_the_document_is_counted_under_its_own_name() {
        let document: serde_json::Value = serde_json::from_str(&document::json()).unwrap();
        for path in document["paths"].as_object().unwrap().keys() {
            let asked = path.replace("{id}", "7").replace("{size}", "small").replace("{delivery_id}", "9");
            assert_eq!(route(&asked, Some("limit=1")), path.trim_end_matches('/'), "{path}");
        }
    }

    #[test]
    fn a_trace_is_gone_on_with_if_it_is_named_once_and_well() {
        let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = |parents: &[&str], states: &[&str]| {
            let mut headers = HeaderMap::new();
            let all = parents.iter().map(|parent| ("traceparent", parent));
            for (name, value) in all.chain(states.iter().map(|state| ("tracestate", state))) {
                headers.append(name, value.parse().unwrap());
            }
            trace_of(&headers).map(|context| (context.traceparent(), context.tracestate().map(str::to_owned)))
        };
        assert_eq!(read(&[sent], &[]), Some((sent.to_owned(), None)));
        assert_eq!(read(&[sent], &["a=1", "b=2"]), Some((sent.to_owned(), Some("a=1,b=2".to_owned()))));
        assert_eq!(read(&[], &["a=1"]), None);
        assert_eq!(read(&[sent, sent], &[]), None);
        assert_eq!(read(&["nonsense"], &["a=1"]), None);
    }

    #[test]
    fn what_is_made_up_shares_one_name() {
        for (path, query, counted) in [
            ("/", None, "/"),
            ("/gallery/page.css", None, "/gallery/{name}"),
            ("/api/images/7", Some("wait=3"), "/api/images/{id}?wait"),
            ("/api/images/anything", Some("a=1"), "/api/images/{id}"),
            ("/api/images/7/", None, "/api/images/{id}"),
            ("/wp-login.php", None, "other"),
            ("/api/images/7/made/up", None, "other"),
            ("//", None, "other"),
            ("*", None, "other"),
        ] {
            assert_eq!(route(path, query), counted, "{path}");
        }
        assert_eq!(method(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
