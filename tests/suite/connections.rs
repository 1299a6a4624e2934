//! Connections: many, slow, idle, and more than there are descriptors for.

use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::Process;
use crate::support::raw::{Raw, ask, request, upload_head};
use darkroom::app::Role;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use std::time::{Duration, Instant};
use tokio::net::TcpSocket;

/// A client that the server keeps waiting would make this test fail and not hang.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), future)
        .await
        .unwrap_or_else(|_| panic!("{what} took too long"))
}

/// Sends one byte after the other until the server has had enough.
async fn drip(mut raw: Raw, bytes: &[u8]) -> Raw {
    for byte in bytes.iter().cycle() {
        let answered = tokio::time::timeout(Duration::from_millis(100), raw.0.readable()).await.is_ok();
        if answered || !raw.send([*byte]).await {
            break;
        }
    }
    raw
}

#[tokio::test]
async fn slow_heads_are_cut_and_others_are_served_meanwhile() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start(Role::Standalone, &[("DARKROOM_HTTP__HEADER_SECONDS", "1.5")]).await;
    let address = app.client.address().to_owned();
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move {
                let mut raw =
                    drip(Raw::connect(&address).await, b"GET /livez HTTP/1.1\r\nX-Slow: very ").await;
                raw.closed().await;
            })
        })
        .collect();
    let id = soon("an upload", app.client.upload("x.jpg", &pictures::jpeg(40, 30))).await;
    app.client.settled(id).await;
    for slow in slow {
        soon("a slow head", slow).await.unwrap();
    }
    app.stop().await;
}

#[tokio::test]
async fn slow_bodies_are_cut_and_others_are_served_meanwhile() {
    let ground = Ground::new(Carrier::InProcess).await;
    let own = [("DARKROOM_LIMITS__MAX_UPLOADS_IN_HAND", "20"), ("DARKROOM_HTTP__UPLOAD_IDLE_SECONDS", "1")];
    let app = ground.start_all(&own).await;
    let address = app.client.address().to_owned();
    let head = upload_head("Content-Length: 100000\r\n", b"name=\"file\"; filename=\"slow.jpg\"");
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let (address, head) = (address.clone(), head.clone());
            tokio::spawn(async move {
                let mut raw = Raw::connect(&address).await;
                raw.send(head).await;
                let refused = drip(raw, b"\xff").await.answer().await.unwrap();
                (refused.status, refused.code())
            })
        })
        .collect();
    for path in ["/livez", "/api/images", "/api/stats"] {
        assert_eq!(soon(path, app.client.get(path)).await.status, 200);
    }
    let mut cut = 0;
    for slow in slow {
        match slow.await.unwrap() {
            (400, code) if code == "malformed_request" => cut += 1,
            (status, code) => assert_eq!((status, code.as_str()), (429, "overloaded")),
        }
    }
    assert!(cut >= 20, "{cut} were given a place, and cut");
    let id = app.client.upload("x.jpg", &pictures::jpeg(40, 30)).await;
    app.client.settled(id).await;
    ground.assert_files_match_rows().await;
    app.stop().await;
}

#[tokio::test]
async fn other_requests_end_in_time_whatever_their_body_does() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[("DARKROOM_HTTP__REQUEST_SECONDS", "1")]).await;
    let id = app.client.upload("x.jpg", &pictures::jpeg(40, 30)).await;
    app.client.settled(id).await;
    let path = format!("/api/images/{id}");
    let chunked = "Transfer-Encoding: chunked\r\n";

    let mut raw = Raw::connect(app.client.address()).await;
    raw.send(request("DELETE", &path, "Content-Length: 1000\r\n")).await;
    let refused = soon("a body that drips", async { drip(raw, b"x").await.answer().await.unwrap() }).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "malformed_request"));
    assert_eq!(app.client.image(id).await["status"], "success", "half a request is none");

    let mut raw = Raw::connect(app.client.address()).await;
    raw.send(request("POST", &format!("{path}/retry"), chunked)).await;
    let chunk = [b"8000\r\n", &[b'x'; 0x8000][..], b"\r\n"].concat();
    for _ in 0..40 {
        raw.send(&chunk).await;
    }
    let refused = raw.answer().await.unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (400, "malformed_request"), "a body without end");

    let broken = ask(app.client.address(), request("DELETE", &path, chunked) + "no length\r\n").await;
    assert_eq!((broken.status, broken.code().as_str()), (400, "malformed_request"));
    let small = ask(app.client.address(), request("DELETE", &path, "Content-Length: 2\r\n") + "{}").await;
    assert_eq!(small.status, 204, "what some clients send with everything");
    app.stop().await;
}

#[tokio::test]
async fn connections_without_a_request_are_closed_after_a_time() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[("DARKROOM_HTTP__KEEP_ALIVE_SECONDS", "1")]).await;
    let mut silent = Raw::connect(app.client.address()).await;
    let mut reused = Raw::connect(app.client.address()).await;
    for _ in 0..3 {
        reused.send(request("GET", "/livez", "")).await;
        assert_eq!(reused.answer().await.unwrap().status, 200);
    }
    soon("one that never asked", silent.closed()).await;
    soon("one that asked before", reused.closed()).await;
    app.stop().await;
}

#[tokio::test]
async fn beyond_the_bound_idle_connections_make_room_and_busy_ones_do_not() {
    let ground = Ground::new(Carrier::InProcess).await;
    let own = [("DARKROOM_LIMITS__MAX_CONNECTIONS", "4"), ("DARKROOM_HTTP__UPLOAD_IDLE_SECONDS", "2")];
    let app = ground.start_all(&own).await;
    let address = app.client.address();
    let mut idle = Vec::new();
    for _ in 0..6 {
        let mut raw = Raw::connect(address).await;
        raw.send(request("GET", "/livez", "")).await;
        assert_eq!(soon("a newcomer", raw.answer()).await.unwrap().status, 200);
        idle.push(raw);
    }
    for raw in &mut idle[..2] {
        soon("the longest idle", raw.closed()).await;
    }
    idle[5].send(request("GET", "/livez", "")).await;
    assert_eq!(soon("the last one", idle[5].answer()).await.unwrap().status, 200);

    // All busy: a newcomer waits until one has ended, which a stalled upload does after two seconds.
    let head = upload_head("Content-Length: 1000000\r\n", b"name=\"file\"; filename=\"slow.jpg\"");
    let mut busy = Vec::new();
    for _ in 0..4 {
        let mut raw = Raw::connect(address).await;
        raw.send(&head).await;
        raw.send(&pictures::padded(300_000)).await;
        busy.push(raw);
    }
    eventually("each of them is received", || async {
        (ground.files().iter().filter(|file| file.starts_with("tmp/")).count() == 4).then_some(())
    })
    .await;
    let begun = Instant::now();
    assert_eq!(ask(address, request("GET", "/livez", "Connection: close\r\n")).await.status, 200);
    assert!(begun.elapsed() > Duration::from_millis(500), "no request is cut for another");
    for mut raw in busy {
        assert_eq!(raw.answer().await.unwrap().status, 400, "stalled");
    }
    app.stop().await;
}

#[tokio::test]
async fn who_does_not_take_an_answer_is_cut() {
    let ground = Ground::new(Carrier::InProcess).await;
    let own = [("DARKROOM_LIMITS__MAX_CONNECTIONS", "1"), ("DARKROOM_HTTP__UPLOAD_IDLE_SECONDS", "1")];
    let app = ground.start_all(&own).await;
    // More than the buffers of both sides hold.
    let id = app.client.upload("large.jpg", &pictures::padded(24_000_000)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8192).unwrap();
    let stream = socket.connect(app.client.address().parse().unwrap()).await.unwrap();
    let mut deaf = Raw(stream);
    deaf.send(request("GET", &format!("/api/images/{id}/original"), "")).await;
    deaf.0.readable().await.unwrap();
    // The only place is taken until the server gives up on it.
    assert_eq!(soon("the next", ask(app.client.address(), request("GET", "/livez", ""))).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn a_stop_closes_what_is_idle_at_once() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[("DARKROOM_HTTP__GRACE_SECONDS", "25")]).await;
    let mut raws = Vec::new();
    for bytes in ["", "GET /li", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut raw = Raw::connect(app.client.address()).await;
        raw.send(bytes).await;
        raws.push(raw);
    }
    assert_eq!(raws[2].answer().await.unwrap().status, 200);
    let begun = Instant::now();
    app.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "nobody had a request in hand");
    for mut raw in raws {
        raw.closed().await;
    }
}

#[tokio::test]
async fn a_lack_of_descriptors_is_borne_and_does_not_spin() {
    let ground = Ground::new(Carrier::InProcess).await;
    let process = Process::start(&ground, &["--standalone"], &[]);
    let client = process.client().await;
    let address = client.address().to_owned();
    assert_eq!(client.get("/livez").await.status, 200);
    // As if everything else of the process had taken what there was.
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.id())).unwrap().count() as u64;
    let pid = Pid::from_raw(process.id().cast_signed());
    let limit = |count| Rlimit { current: Some(count), maximum: getrlimit(Resource::Nofile).maximum };
    let before = prlimit(pid, Resource::Nofile, limit(open + 5)).unwrap();
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(Raw::connect(&address).await);
    }
    let complaint = "connections cannot be accepted";
    eventually("it says so", || async { process.log().contains(complaint).then_some(()) }).await;
    let (spent, begun) = (process.processor_time(), Instant::now());
    // Those that wait make room for those that ask.
    let mut raw = Raw::connect(&address).await;
    raw.send(request("GET", "/livez", "")).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
    let spent = Duration::from_millis(10 * (process.processor_time() - spent));
    assert!(spent < begun.elapsed() / 2 + Duration::from_millis(300), "{spent:?} of {:?}", begun.elapsed());
    prlimit(pid, Resource::Nofile, before).unwrap();
    drop(crowd);
    let id = client.upload("x.jpg", &pictures::jpeg(40, 30)).await;
    client.settled(id).await;
    assert_eq!(process.log().matches(complaint).count(), 1, "said once");
}
