//! Each request is counted under the pattern of its path, so that nobody makes labels by asking for what is not there.

use super::allowed::fits;
use super::scopes;
use crate::metrics::{Metrics, OTHER};
use poem::http::Method;
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use std::time::Instant;

/// Paths for which no key is asked.
const OPEN: [&str; 7] =
    ["/", "/livez", "/readyz", "/docs", "/openapi.json", "/openapi.yaml", "/gallery/{name}"];

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
    let response = endpoint.call(request).await.map(IntoResponse::into_response)?;
    metrics.request_answered(route, method, response.status().as_u16(), begun.elapsed());
    Ok(response)
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
