//! Requests that mean no good: each is answered as the contract says.

use crate::support::ground::{Carrier, Ground};
use crate::support::pictures;
use crate::support::raw::{Raw, ask, request};
use sha2::Digest;

#[tokio::test]
async fn heads_that_cannot_be_read_are_refused_in_the_envelope() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let get = |headers: &str| request("GET", "/livez", headers);
    let post = |headers: &str| request("POST", "/api/images", headers);
    let long = "x".repeat(64 * 1024);
    for (sent, status, what) in [
        ("GARBAGE\r\n\r\n".to_owned(), 400, "no request line"),
        ("GET /livez HTTP/0.9\r\n\r\n".to_owned(), 400, "no such version"),
        ("GET /li vez HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400, "a space in the path"),
        (get(&format!("X-Long: {long}\r\n")), 431, "one long field"),
        (get(&"X-Many: x\r\n".repeat(5000)), 431, "many fields"),
        (get(&format!("Authorization: Bearer {long}\r\n")), 431, "a long key"),
        (request("GET", &format!("/{long}"), ""), 431, "a long path"),
        (request("GET", &format!("/api/images?q={long}"), ""), 431, "a long query"),
        (get("X-Nul: a\0b\r\n"), 400, "a NUL"),
        (get("X Y: z\r\n"), 400, "a space in a name"),
        (post("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello", 400, "two lengths"),
        (post("Content-Length: 5, 6\r\n") + "hello", 400, "two lengths in one"),
        (post("Content-Length: -5\r\n") + "hello", 400, "a negative length"),
        (post("Content-Length: +5\r\n") + "hello", 400, "a signed length"),
        (post("Transfer-Encoding: chunked, identity\r\n") + "0\r\n\r\n", 400, "chunks inside of something"),
        (post("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n", 400, "a space before the colon"),
        (post("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n", 400, "an unknown coding"),
    ] {
        let mut raw = Raw::connect(app.client.address()).await;
        raw.send(sent).await;
        let refused = raw.answer().await.unwrap_or_else(|| panic!("no answer: {what}"));
        assert_eq!((refused.status, refused.code().as_str()), (status, "malformed_request"), "{what}");
        raw.closed().await;
    }
    let mut raw = Raw::connect(app.client.address()).await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.closed().await;
    app.stop().await;
}

#[tokio::test]
async fn nothing_is_smuggled_behind_a_request() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let hidden = request("DELETE", "/api/images/1", "");
    app.client.upload("x.jpg", &pictures::jpeg(40, 30)).await;
    let length = format!("Content-Length: {}\r\n", hidden.len() + 5);
    // A body is a body: what is in it is no request. And who sends two lengths does not keep the connection.
    for (headers, body, closes) in [
        ("Transfer-Encoding: chunked\r\n".to_owned() + &length, format!("0\r\n\r\n{hidden}"), true),
        (length.clone() + "Transfer-Encoding: chunked\r\n", format!("0\r\n\r\n{hidden}"), true),
        (length, format!("0\r\n\r\n{hidden}"), false),
    ] {
        let mut raw = Raw::connect(app.client.address()).await;
        raw.send(request("POST", "/api/images/7/retry", &headers) + &body).await;
        assert_eq!(raw.answer().await.unwrap().status, 404);
        if closes {
            raw.closed().await;
        } else {
            raw.send(request("GET", "/livez", "")).await;
            assert_eq!(raw.answer().await.unwrap().status, 200, "the next answer is to the next request");
        }
    }
    app.client.settled(1).await;
    app.stop().await;
}

#[tokio::test]
async fn old_hasty_and_curious_clients_are_answered() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let address = app.client.address();
    let id = app.client.upload("x.jpg", &pictures::jpeg(40, 30)).await;
    app.client.settled(id).await;
    let mut old = Raw::connect(address).await;
    old.send("GET /livez HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.answer().await.unwrap().status, 200);
    old.closed().await;

    let mut hasty = Raw::connect(address).await;
    hasty.send(request("GET", "/livez", "").repeat(50) + "NONSENSE\r\n\r\n").await;
    for _ in 0..50 {
        assert_eq!(hasty.answer().await.unwrap().status, 200);
    }
    let refused = hasty.answer().await.unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (400, "malformed_request"));

    let thumbnail = format!("/api/images/{id}/thumbnails/small");
    let original = format!("/api/images/{id}/original");
    for (path, status) in [
        ("/", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/api/stats", 200),
        ("/api/images", 200),
        (&format!("/api/images/{id}"), 200),
        (&thumbnail, 200),
        (&original, 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/openapi.yaml", 200),
        ("/api/images/999", 404),
        ("/nowhere", 404),
    ] {
        // HEAD, and what follows on the same connection: were a body sent, it would be taken for the next answer.
        let mut raw = Raw::connect(address).await;
        raw.send(request("HEAD", path, "") + &request("GET", "/livez", "")).await;
        assert_eq!(raw.head().await.status, status, "{path}");
        assert_eq!(raw.answer().await.unwrap().status, 200, "after {path}");
    }
    for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let refused = ask(address, request(method, "/api/images", "")).await;
        assert_eq!((refused.status, refused.code().as_str()), (405, "method_not_allowed"), "{method}");
        assert!(refused.header("allow").is_some_and(|allow| allow.contains("POST")), "{refused:?}");
    }
    app.stop().await;
}

#[tokio::test]
async fn thousands_of_wrong_keys_open_nothing() {
    let ground = Ground::new(Carrier::InProcess).await;
    let hash: String = sha2::Sha256::digest(b"sesame").iter().map(|byte| format!("{byte:02x}")).collect();
    let own = [("DARKROOM_AUTH__MODE", "keys"), ("DARKROOM_AUTH__KEY_HASHES", hash.as_str())];
    let app = ground.start_all(&own).await;
    let mut raw = Raw::connect(app.client.address()).await;
    for number in 0..3000 {
        raw.send(request("GET", "/api/stats", &format!("Authorization: Bearer sesame{number}\r\n"))).await;
        let refused = raw.answer().await.unwrap();
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    }
    let long = "s".repeat(16 * 1024);
    for headers in [
        String::new(),
        "Authorization: \r\n".to_owned(),
        "Authorization: Bearer\r\n".to_owned(),
        "Authorization: Bearer \r\n".to_owned(),
        "Authorization: Basic c2VzYW1l\r\n".to_owned(),
        "Authorization: Bearer s\u{e9}same\r\n".to_owned(),
        "X-API-Key: \u{202e}emases\r\n".to_owned(),
        format!("X-API-Key: {long}\r\n"),
    ] {
        let refused = ask(app.client.address(), request("GET", "/api/stats", &headers)).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "unauthorized"), "{headers:?}");
    }
    // The right key beside a wrong one is no key.
    for headers in [
        "X-API-Key: wrong\r\nX-API-Key: sesame\r\n",
        "X-API-Key: sesame\r\nX-API-Key: wrong\r\n",
        "Authorization: Bearer wrong\r\nX-API-Key: sesame\r\n",
        "Authorization: Bearer sesame\r\nX-API-Key: wrong\r\n",
    ] {
        let refused = ask(app.client.address(), request("GET", "/api/stats", headers)).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "malformed_request"), "{headers:?}");
    }
    // No other spelling of a path leads around the question.
    for path in [
        "//api/stats",
        "/api//stats",
        "/%61pi/stats",
        "/API/stats",
        "/x/../api/stats",
        "/api/stats/",
        "http://x/api/stats",
    ] {
        let refused = ask(app.client.address(), request("GET", path, "")).await;
        assert!(matches!(refused.status, 401 | 404), "{path}: {refused:?}");
    }
    let granted = ask(app.client.address(), request("GET", "/api/stats", "x-api-key: sesame\r\n")).await;
    assert_eq!(granted.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn absurd_paths_and_queries_are_no_trouble() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let long = "x".repeat(30_000);
    for path in [
        "/%00",
        "/%ff%fe",
        "/%",
        "/%zz",
        "/api/images/%00",
        "/api/images/%ff",
        "/api/images/%2e%2e%2fstats",
        "/api/images/-1",
        "/api/images/0",
        "/api/images/9223372036854775807",
        "/api/images/1e3",
        "/api/images/+1",
        "/api/images/1/thumbnails/%00",
        "/api/images/1/thumbnails/..%2f..%2f",
        "/api/images?limit=%00",
        "/api/images?limit=1&limit=2",
        "/api/images?cursor=%00",
        "/api/images?cursor=b-1",
        "/api/images?q=%ff",
        "/api/images?q=%00&q=%25_%5c",
        "/api/images?%ff=%00",
        "/api/images?&&&=&=",
        "/api/images?sha256=%00",
        "/api/images?cursor=b7fffffffffffffff",
        "/api/images?status=",
        "/api/images/1?wait=-1",
        "/api/images/1?wait=1e999",
        "/api/images/1?wait=",
        "/docs/%00",
        "/docs/../../etc/passwd",
        "/openapi.json/x",
        &format!("/{long}"),
        &format!("/api/images/{long}"),
        &format!("/api/images?q={long}"),
        &format!("/api/images?{long}"),
    ] {
        let answered = ask(app.client.address(), request("GET", path, "")).await;
        let shown = &path[..path.len().min(60)];
        match answered.status {
            200 => {}
            400 => assert_eq!(answered.code(), "malformed_request", "{shown}"),
            404 => assert_eq!(answered.code(), "not_found", "{shown}"),
            other => panic!("{shown}: {other} {answered:?}"),
        }
    }
    app.stop().await;
}
