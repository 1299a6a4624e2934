//! The gallery as it is served. What it does in a browser, `tests/browser/run` looks at.

use crate::support::client::answer;
use crate::support::ground::{Carrier, Ground};
use reqwest::Method;
use reqwest::header::HeaderMap;

#[tokio::test]
async fn the_page_and_all_that_it_names_are_served_under_a_strict_policy() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let page = app.client.raw("/").await;
    assert_eq!(page.status(), 200);
    hold_the_policy(page.headers(), "text/html; charset=utf-8");
    let mut due = named(&page.text().await.unwrap());
    let mut seen = vec!["/".to_owned()];
    while let Some(path) = due.pop() {
        if seen.contains(&path) {
            continue;
        }
        let part = app.client.raw(&path).await;
        assert_eq!(part.status(), 200, "{path}");
        let media_type = match path.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        hold_the_policy(part.headers(), media_type);
        due.extend(named(&part.text().await.unwrap()));
        seen.push(path);
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/gallery");
    assert_eq!(seen.len(), std::fs::read_dir(folder).unwrap().count(), "each file has a use: {seen:?}");
    app.stop().await;
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again_and_other_methods_and_names_are_refused_in_the_envelope() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    for path in ["/", "/gallery/main.js"] {
        let tag = app.client.raw(path).await.headers()["etag"].clone();
        let again = app.client.request(Method::GET, path).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag), "{path}");
        assert!(again.bytes().await.unwrap().is_empty(), "{path}");
        let head = app.client.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!((head.status().as_u16(), &head.headers()["etag"]), (200, &tag), "{path}");
        let refused = answer(app.client.request(Method::POST, path)).await;
        assert_eq!(refused.refusal(), (405, "method_not_allowed"), "{path}");
        assert_eq!(refused.header("allow"), Some("GET, HEAD"), "{path}");
    }
    for path in
        ["/gallery/", "/gallery/none.js", "/gallery/main.js/", "/gallery/..%2fserve.rs", "/gallery/%00"]
    {
        assert_eq!(app.client.get(path).await.refusal(), (404, "not_found"), "{path}");
    }
    app.stop().await;
}

fn hold_the_policy(headers: &HeaderMap, media_type: &str) {
    assert_eq!(headers["content-type"], media_type);
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(headers["cache-control"], "no-cache");
    let policy = headers["content-security-policy"].to_str().unwrap();
    for rule in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.split("; ").any(|part| part == rule), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

/// The parts of the gallery that a text names: `/gallery/NAME` in the page, `from "./NAME"` in a module.
fn named(text: &str) -> Vec<String> {
    let quoted = text.split('"').skip(1).step_by(2);
    let names = quoted.filter_map(|name| name.strip_prefix("/gallery/").or_else(|| name.strip_prefix("./")));
    names.map(|name| format!("/gallery/{name}")).collect()
}
