//! Which methods a path knows, for those who tried another (RFC 9110, 15.5.6).

use super::document;
use poem::http::header::ALLOW;
use poem::http::{HeaderValue, StatusCode};
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use std::sync::Arc;

/// The paths of the document, with their methods in the form of the header.
#[derive(Clone)]
pub(super) struct Allowed(Arc<Vec<(String, HeaderValue)>>);

impl Allowed {
    pub(super) fn new() -> Self {
        let document: serde_json::Value = serde_json::from_str(&document::json()).unwrap_or_default();
        let paths = document.get("paths").and_then(|paths| paths.as_object()).into_iter().flatten();
        let known = paths.filter_map(|(path, operations)| {
            let mut methods: Vec<String> = operations.as_object()?.keys().map(|m| m.to_uppercase()).collect();
            if methods.iter().any(|method| method == "GET") {
                methods.push("HEAD".to_owned());
            }
            Some((path.clone(), HeaderValue::from_str(&methods.join(", ")).ok()?))
        });
        Self(Arc::new(known.collect()))
    }

    /// What is not in the document (the document itself, and how it is shown) can be got, and nothing else.
    fn methods(&self, path: &str) -> HeaderValue {
        let known = self.0.iter().find(|(template, _)| fits(template, path));
        known.map_or(HeaderValue::from_static("GET, HEAD"), |(_, methods)| methods.clone())
    }
}

/// Whether a path is one of those that a template of the document, such as `/api/images/{id}`, stands for.
pub(super) fn fits(template: &str, path: &str) -> bool {
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(|(t, part)| t.starts_with('{') || t == part)
}

/// Adds the methods to an answer that refuses one.
pub(super) async fn with_allowed<E: Endpoint>(
    allowed: Allowed,
    endpoint: E,
    request: Request,
) -> Result<Response> {
    let path = request.uri().path().to_owned();
    let mut response = endpoint.call(request).await?.into_response();
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, allowed.methods(&path));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_paths() {
        let allowed = Allowed::new();
        for (path, methods) in [
            ("/api/images", "POST, GET, HEAD"),
            ("/api/images/7", "GET, DELETE, HEAD"),
            ("/api/images/7/retry", "POST"),
            ("/api/images/7/thumbnails/small", "GET, HEAD"),
            ("/livez", "GET, HEAD"),
            ("/docs", "GET, HEAD"),
        ] {
            let mut shown: Vec<_> =
                allowed.methods(path).to_str().unwrap().split(", ").map(str::to_owned).collect();
            let mut expected: Vec<_> = methods.split(", ").map(str::to_owned).collect();
            shown.sort();
            expected.sort();
            assert_eq!(shown, expected, "{path}");
        }
    }
}
