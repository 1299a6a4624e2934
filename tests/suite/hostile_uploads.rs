//! Uploads that mean no good: each is answered as the contract says, and nothing is left of it.

use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::Process;
use crate::support::raw::{Raw, ask, request, upload_head};

#[tokio::test]
async fn who_asks_before_sending_is_told_before_sending() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[("DARKROOM_LIMITS__MAX_UPLOAD_BYTES", "100000")]).await;
    let expect = |length| {
        let headers = format!(
            "Content-Length: {length}\r\nExpect: 100-continue\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        );
        request("POST", "/api/images", &headers)
    };
    let refused = ask(app.client.address(), expect(50_000_000)).await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "payload_too_large"));
    let form = [
        &upload_head("", b"name=\"file\"; filename=\"x.jpg\"")[..],
        &pictures::jpeg(40, 30),
        b"\r\n--b--\r\n",
    ]
    .concat();
    let at = form.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let form = &form[at + 4..];
    let mut raw = Raw::connect(app.client.address()).await;
    raw.send(expect(form.len())).await;
    assert_eq!(raw.answer().await.unwrap().status, 100);
    raw.send(form).await;
    assert_eq!(raw.answer().await.unwrap().status, 202);
    app.stop().await;
}

#[tokio::test]
async fn a_name_is_data_whatever_it_is() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let (slashes, long) = ("../".repeat(50) + "etc/passwd", "n".repeat(64 * 1024));
    let names: [&[u8]; 14] = [
        b"../../../../etc/cron.d/x.jpg",
        slashes.as_bytes(),
        b"/etc/passwd",
        b"..\\..\\windows\\system.ini",
        b"a\0b.jpg",
        b"a\tb\x07\x1b[2J.jpg",
        "photo\u{202e}gpj.exe".as_bytes(),
        b"\xff\xfe\x80.jpg",
        "\u{feff}\u{200b}x.jpg".as_bytes(),
        b"x.jpg\\\"; name=\\\"other",
        b"%00%0d%0aSet-Cookie: a=b.jpg",
        b"'; drop table images; --.jpg",
        long.as_bytes(),
        "\u{1f5fb}".as_bytes(),
    ];
    for name in names {
        let disposition = [b"name=\"file\"; filename=\"", name, b"\""].concat();
        let picture = pictures::jpeg(40, 30);
        let form = [
            &b"--b\r\nContent-Disposition: form-data; "[..],
            &disposition,
            b"\r\n\r\n",
            &picture,
            b"\r\n--b--\r\n",
        ]
        .concat();
        let headers =
            format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n", form.len());
        let sent = [request("POST", "/api/images", &headers).as_bytes(), &form].concat();
        let answered = ask(app.client.address(), sent).await;
        let shown = String::from_utf8_lossy(&name[..name.len().min(60)]).into_owned();
        if answered.status == 400 {
            assert!(["no_file", "malformed_request"].contains(&answered.code().as_str()), "{shown:?}");
            continue;
        }
        let body: serde_json::Value = serde_json::from_slice(&answered.body).unwrap();
        assert_eq!(answered.status, 202, "{shown:?}: {body}");
        let kept = body["data"]["original_name"].as_str().unwrap();
        assert!(
            kept.len() <= 1024 && !kept.contains(['/', '\\', '\0', '\r', '\n', '\u{1b}', '\u{202e}']),
            "{kept:?}"
        );
        let id = body["data"]["image_id"].as_i64().unwrap();
        app.client.settled(id).await;
        let original = app.client.raw(&format!("/api/images/{id}/original")).await;
        let disposition = original.headers()["content-disposition"].to_str().unwrap();
        assert!(
            disposition.starts_with("attachment; filename=\"") && disposition.matches('"').count() == 2,
            "{disposition}"
        );
    }
    ground.assert_files_match_rows().await;
    for key in ground.files() {
        assert!(key.starts_with("originals/") || key.starts_with("thumbnails/"), "{key}");
    }
    app.stop().await;
}

#[tokio::test]
async fn forms_that_are_none_are_refused() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    for (content_type, body) in [
        ("", "x"),
        ("Content-Type: \r\n", "x"),
        ("Content-Type: image/jpeg\r\n", "\u{ff}"),
        ("Content-Type: application/json\r\n", "{\"file\":1}"),
        ("Content-Type: application/x-www-form-urlencoded\r\n", "file=x"),
        ("Content-Type: multipart/form-data\r\n", "--b\r\n\r\n--b--\r\n"),
        ("Content-Type: multipart/form-data; boundary=\r\n", "--\r\n\r\n----\r\n"),
        ("Content-Type: multipart/mixed; boundary=b\r\n", "--b\r\n\r\n--b--\r\n"),
        ("Content-Type: multipart/form-data; boundary=b\r\nContent-Type: text/plain\r\n", "--b--\r\n"),
        ("Content-Type: multipart/form-data; boundary=b\r\n", ""),
        ("Content-Type: multipart/form-data; boundary=b\r\n", "--c\r\n\r\nx\r\n--c--\r\n"),
        (
            "Content-Type: multipart/form-data; boundary=b\r\n",
            "--b\r\nContent-Disposition\r\n\r\nx\r\n--b--\r\n",
        ),
        ("Content-Type: multipart/form-data; boundary=b\r\n", "--b\r\n\r\nx\r\n--b--\r\n"),
    ] {
        let headers = format!("{content_type}Content-Length: {}\r\n", body.len());
        let refused = ask(app.client.address(), request("POST", "/api/images", &headers) + body).await;
        let code = refused.code();
        assert!(
            refused.status == 400 && ["malformed_request", "no_file"].contains(&code.as_str()),
            "{content_type}: {refused:?}"
        );
    }
    let long_boundary = format!(
        "Content-Type: multipart/form-data; boundary={}\r\nContent-Length: 1\r\n",
        "b".repeat(20_000)
    );
    assert_eq!(
        ask(app.client.address(), request("POST", "/api/images", &long_boundary) + "x").await.code(),
        "malformed_request"
    );
    // The head of a part has no end.
    let mut endless = upload_head("Content-Length: 8000000\r\n", b"name=\"file\"; filename=\"");
    endless.truncate(endless.len() - 4);
    endless.extend(vec![b'a'; 4_000_000]);
    let mut raw = Raw::connect(app.client.address()).await;
    raw.send(&endless).await;
    assert_eq!(raw.answer().await.unwrap().code(), "malformed_request");
    assert!(ground.files().is_empty());
    app.stop().await;
}

#[tokio::test]
async fn bodies_without_end_are_cut_and_take_no_memory() {
    let ground = Ground::new(Carrier::InProcess).await;
    let process =
        Process::start(&ground, &["--standalone"], &[("DARKROOM_LIMITS__MAX_UPLOAD_BYTES", "4000000")]);
    let client = process.client().await;
    client.settled(client.upload("warm.jpg", &pictures::jpeg(400, 300)).await).await;
    let before = process.kibibytes("VmHWM");
    let endless = (0..6).map(|number| {
        let address = client.address().to_owned();
        tokio::spawn(async move {
            let mut raw = Raw::connect(&address).await;
            let headers = "Transfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=b\r\n";
            raw.send(request("POST", "/api/images", headers)).await;
            let name = if number % 2 == 0 { "file" } else { "other" };
            let part =
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x.jpg\"\r\n\r\n");
            let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            raw.send(chunk(part.as_bytes())).await;
            raw.send(chunk(&pictures::padded(60_000))).await;
            let more = chunk(&[0; 64 * 1024]);
            // 200 MB at the most: the server has heard enough long before.
            let mut sent = 0;
            while sent < 3200 && raw.send(&more).await {
                sent += 1;
            }
            assert!(sent < 3200, "it took everything");
            raw.answer().await.map(|refused| (refused.status, refused.code()))
        })
    });
    for outcome in endless.collect::<Vec<_>>() {
        // Who sends on for long after the answer may lose it with the connection.
        if let Some((status, code)) = outcome.await.unwrap() {
            assert!(
                matches!((status, code.as_str()), (413, "payload_too_large") | (400, "malformed_request")),
                "{status} {code}"
            );
        }
    }
    let grown = process.kibibytes("VmHWM") - before;
    assert!(grown < 48 * 1024, "{grown} KiB more at the peak");
    eventually("no temporary file is left", || async {
        (!ground.files().iter().any(|file| file.starts_with("tmp/"))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn uploads_that_break_off_leave_nothing() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let picture = pictures::jpeg(400, 300);
    let whole = [
        &upload_head(
            &format!("Content-Length: {}\r\n", picture.len() + 200),
            b"name=\"file\"; filename=\"x.jpg\"",
        )[..],
        &picture,
    ]
    .concat();
    for number in 1..=40 {
        let mut raw = Raw::connect(app.client.address()).await;
        raw.send(&whole[..whole.len() * number / 40]).await;
    }
    eventually("nothing is left", || async { ground.files().is_empty().then_some(()) }).await;
    assert_eq!(ground.database.number("select count(*) from images").await, 0);
    app.client.settled(app.client.upload("x.jpg", &picture).await).await;
    app.stop().await;
}
