//! Every code of the contract, as a caller meets it.

use crate::support::client::{Client, answer};
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use sha2::Digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn uploads_that_are_refused_say_why_and_leave_nothing() {
    let ground = Ground::new(Carrier::InProcess).await;
    let own = [("DARKROOM_LIMITS__MAX_UPLOAD_BYTES", "200000"), ("DARKROOM_LIMITS__MAX_PIXELS", "1000000")];
    let app = ground.start_all(&own).await;
    let client = &app.client;
    let form = |form: Form| answer(client.request(Method::POST, "/api/images").multipart(form));
    let file = |bytes: &[u8]| Part::bytes(bytes.to_vec()).file_name("x.jpg");

    let cases = [
        (form(Form::new().text("other", "x")).await, 400, "no_file", "another part"),
        (form(Form::new().part("file", file(b"").file_name(""))).await, 400, "no_file", "no name"),
        (form(Form::new().part("file", file(b""))).await, 400, "no_file", "no bytes"),
        (
            form(Form::new().part("file", file(b"GIF89a....."))).await,
            415,
            "unsupported_type",
            "a GIF by content",
        ),
        (
            form(Form::new().part("file", file(b"\xff\xd8\xff"))).await,
            422,
            "undecodable",
            "a signature alone",
        ),
        (client.send("x.png", b"\x89PNG\r\n\x1a\ngarbage").await, 422, "undecodable", "no IHDR"),
        (client.send("x.png", &pictures::png_header(40_000, 40_000)).await, 422, "too_many_pixels", "a bomb"),
        (client.send("x.jpg", &pictures::padded(300_000)).await, 413, "payload_too_large", "big"),
        (
            client.send("x.jpg", &pictures::padded(5_000_000)).await,
            413,
            "payload_too_large",
            "too big for any form",
        ),
        (
            answer(client.request(Method::POST, "/api/images").body("x")).await,
            400,
            "malformed_request",
            "no form",
        ),
        (
            answer(
                client.request(Method::POST, "/api/images").header("content-type", "text/plain").body("x"),
            )
            .await,
            400,
            "malformed_request",
            "plain text",
        ),
        (
            answer(
                client
                    .request(Method::POST, "/api/images")
                    .header("content-type", "multipart/form-data; boundary=b")
                    .body("--b\r\nbroken"),
            )
            .await,
            400,
            "malformed_request",
            "a form that ends early",
        ),
    ];
    for (refused, status, code, what) in cases {
        assert_eq!(refused.refusal(), (status, code), "{what}: {refused:?}");
    }
    let mut parts = Form::new();
    for _ in 0..2000 {
        parts = parts.text("field", "x");
    }
    assert_eq!(form(parts).await.refusal(), (400, "malformed_request"), "thousands of parts");
    assert_eq!(ground.database.number("select count(*) from images").await, 0);
    eventually("no file is left", || async { ground.files().is_empty().then_some(()) }).await;
    app.stop().await;
}

#[tokio::test]
async fn parameters_and_paths_that_make_no_sense() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    for (path, expected) in [
        ("/api/images/1", (404, "not_found")),
        ("/api/images/abc", (404, "not_found")),
        ("/api/images/99999999999999999999", (404, "not_found")),
        ("/api/images/1/thumbnails/huge", (404, "not_found")),
        ("/api/images/1/thumbnails/small", (404, "not_found")),
        ("/api/images/1/original", (404, "not_found")),
        ("/nowhere", (404, "not_found")),
        ("/api/images?limit=0", (400, "malformed_request")),
        ("/api/images?limit=201", (400, "malformed_request")),
        ("/api/images?limit=many", (400, "malformed_request")),
        ("/api/images?status=lost", (400, "malformed_request")),
        ("/api/images?cursor=nonsense", (400, "malformed_request")),
        ("/api/images?sha256=zz", (400, "malformed_request")),
        ("/api/images/1?wait=61", (400, "malformed_request")),
        ("/api/images/1?wait=NaN", (400, "malformed_request")),
    ] {
        assert_eq!(app.client.get(path).await.refusal(), expected, "{path}");
    }
    assert_eq!(app.client.get("/api/images?q=%00%25").await.status, 200);
    let refused = answer(app.client.request(Method::PUT, "/api/stats")).await;
    assert_eq!(refused.refusal(), (405, "method_not_allowed"));
    assert_eq!(app.client.retry(1).await.refusal(), (404, "not_found"));
    app.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_stands_for_one_upload() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let client = &app.client;
    let send =
        |bytes: Vec<u8>| answer(client.upload_request("k.jpg", &bytes).header("Idempotency-Key", "order-7"));
    let (one, other) = (pictures::jpeg(90, 60), pictures::jpeg(60, 90));
    // Twins at the same moment, too.
    let (first, second) = tokio::join!(send(one.clone()), send(one.clone()));
    let third = send(one).await;
    let id = &first.data()["image_id"];
    assert_eq!(
        (first.status, second.status, third.status),
        (202, 202, 202),
        "{first:?} {second:?} {third:?}"
    );
    assert_eq!((&second.data()["image_id"], &third.data()["image_id"]), (id, id));
    assert_eq!(send(other).await.refusal(), (422, "idempotency_mismatch"));
    client.settled(id.as_i64().unwrap()).await;
    assert_eq!(ground.database.number("select count(*) from images").await, 1);
    ground.assert_files_match_rows().await;
    app.stop().await;
}

#[tokio::test]
async fn keys_are_asked_for_where_they_are_configured() {
    let ground = Ground::new(Carrier::InProcess).await;
    let hash: String =
        sha2::Sha256::digest(b"open sesame").iter().map(|byte| format!("{byte:02x}")).collect();
    let own = [("DARKROOM_AUTH__MODE", "keys"), ("DARKROOM_AUTH__KEY_HASHES", hash.as_str())];
    let app = ground.start_all(&own).await;
    let client = &app.client;
    let with =
        |name: &str, value: &str| answer(client.request(Method::GET, "/api/images").header(name, value));
    assert_eq!(client.get("/api/images").await.refusal(), (401, "unauthorized"));
    assert_eq!(client.send("x.jpg", &pictures::jpeg(9, 9)).await.refusal(), (401, "unauthorized"));
    assert_eq!(with("authorization", "Bearer wrong").await.refusal(), (401, "unauthorized"));
    assert_eq!(
        with("authorization", &format!("Bearer {hash}")).await.refusal(),
        (401, "unauthorized"),
        "the hash is no key"
    );
    assert_eq!(with("authorization", "Bearer open sesame").await.status, 200);
    assert_eq!(with("x-api-key", "open sesame").await.status, 200);
    assert_eq!(client.get("/livez").await.status, 200);
    assert_eq!(client.get("/readyz").await.data()["checks"]["database"], "ok");
    app.stop().await;
}

/// A raw upload that stops in the middle of the file.
async fn half_an_upload(client: &Client, total: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    let head = format!(
        "POST /api/images HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {total}\r\n\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"slow.jpg\"\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&pictures::padded(sent)).await.unwrap();
    stream
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let stream = half_an_upload(&app.client, 9_000_000, 300_000).await;
    eventually("the upload has a temporary file", || async {
        ground.files().iter().any(|file| file.starts_with("tmp/")).then_some(())
    })
    .await;
    drop(stream);
    eventually("the temporary file is gone", || async { ground.files().is_empty().then_some(()) }).await;
    assert_eq!(ground.database.number("select count(*) from images").await, 0);
    app.stop().await;
}

#[tokio::test]
async fn too_many_uploads_and_stalled_ones_are_told_so() {
    let ground = Ground::new(Carrier::InProcess).await;
    let own = [("DARKROOM_LIMITS__MAX_UPLOADS_IN_HAND", "1"), ("DARKROOM_HTTP__UPLOAD_IDLE_SECONDS", "1")];
    let app = ground.start_all(&own).await;
    let client = &app.client;
    let mut stalled = half_an_upload(client, 9_000_000, 20_000).await;
    let refused = eventually("the stalled upload takes the only place", || async {
        let sent = client.send("x.jpg", &pictures::jpeg(9, 9)).await;
        (sent.status != 202).then_some(sent)
    })
    .await;
    assert_eq!(refused.refusal(), (429, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    let mut told = vec![0; 12];
    stalled.read_exact(&mut told).await.unwrap();
    assert_eq!(told, b"HTTP/1.1 400", "too slow");
    eventually("the place is free again", || async {
        (client.send("x.jpg", &pictures::jpeg(9, 9)).await.status == 202).then_some(())
    })
    .await;
    app.stop().await;
}
