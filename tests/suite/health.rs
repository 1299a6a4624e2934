//! `/livez` depends on nothing; `/readyz` tells which dependency is away and why, and shows no secret.

use crate::support::client::Client;
use crate::support::ground::{Carrier, Ground, eventually};
use crate::support::pictures;
use crate::support::process::Process;
use futures_util::future::join_all;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stands before a server, and can fall silent: it accepts, and passes nothing on.
struct Mute {
    address: SocketAddr,
    silent: watch::Sender<bool>,
    accepted: Arc<AtomicUsize>,
}

impl Mute {
    async fn before(server: String, silent: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (silent, state) = watch::channel(silent);
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(pass(client, server.clone(), state.clone()));
            }
        });
        Self { address, silent, accepted }
    }
}

async fn pass(client: TcpStream, server: String, mut silent: watch::Receiver<bool>) -> Option<()> {
    silent.wait_for(|silent| !silent).await.ok()?;
    let server = TcpStream::connect(server).await.ok()?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        silent.wait_for(|silent| !silent).await.ok()?;
        tokio::select! {
            read = from_client.read(&mut up) => match read.ok()? {
                0 => return None,
                n => to_server.write_all(&up[..n]).await.ok()?,
            },
            read = from_server.read(&mut down) => match read.ok()? {
                0 => return None,
                n => to_client.write_all(&down[..n]).await.ok()?,
            },
            _ = silent.changed() => {}
        }
    }
}

/// An address that was free a moment ago, for a process that cannot say yet where it listens.
async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A server and a worker, and a client of each, who may still be starting.
async fn both(ground: &Ground, own: &[(&str, &str)]) -> [(Process, Client); 2] {
    let (server, worker) = (free_address().await, free_address().await);
    let (listen, health) = (server.to_string(), worker.to_string());
    let own = [own, &[("DARKROOM_HTTP__LISTEN", &listen), ("DARKROOM_WORKER__LISTEN", &health)]].concat();
    let pair = [(&[][..], server), (&["--worker"][..], worker)];
    pair.map(|(role, address)| (Process::start(ground, role, &own), Client::new(Some(address))))
}

/// What is said of a dependency, once there is an answer at all and it is the one waited for.
async fn said(client: &Client, status: u16, dependency: &str, part: &str) -> Value {
    eventually(&format!("/readyz says {part:?} of the {dependency}"), || async {
        let begun = Instant::now();
        let answer = client.request(reqwest::Method::GET, "/readyz").send().await.ok()?;
        assert!(begun.elapsed() < Duration::from_secs(5), "it answers in time");
        let found = answer.status().as_u16();
        let body: Value = answer.json().await.ok()?;
        let reason = body["data"]["checks"][dependency].as_str()?.to_owned();
        (found == status && reason.contains(part)).then_some(body)
    })
    .await
}

/// How many lines of a log hold this.
fn lines(process: &Process, part: &str) -> usize {
    process.log().lines().filter(|line| line.contains(part)).count()
}

async fn live(client: &Client) {
    assert_eq!(client.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_database_that_lets_nobody_in_is_waited_for_and_told() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let nobody = ground.database.url().replace("postgres@", "nobody-of-darkroom:s3cret@");
    for (process, client) in both(&ground, &[("DARKROOM_DATABASE__URL", &nobody)]).await {
        let answer = said(&client, 503, "database", "role \"nobody-of-darkroom\" does not exist").await;
        assert!(!answer.to_string().contains("s3cret"), "{answer}");
        live(&client).await;
        // The answer may be faster than the log.
        let waits = || lines(&process, "waiting for the");
        eventually("it says what it waits for", || async { (waits() > 0).then_some(()) }).await;
        assert_eq!(waits(), 1, "once: {}", process.log());
        assert!(!process.log().contains("s3cret"), "{}", process.log());
    }

    ground.database.admit(false).await;
    let [(server, api), (worker, health)] = both(&ground, &[]).await;
    for client in [&api, &health] {
        said(client, 503, "database", "not currently accepting connections").await;
        live(client).await;
    }
    assert_eq!(api.send("a.jpg", &pictures::jpeg(8, 8)).await.refusal(), (503, "overloaded"));
    ground.database.admit(true).await;
    for (process, client) in [(&server, &api), (&worker, &health)] {
        said(client, 200, "broker", "ok").await;
        eventually("it says that it starts", || async { (lines(process, "it is there") == 1).then_some(()) })
            .await;
    }
    let id = api.upload("a.jpg", &pictures::jpeg(8, 8)).await;
    assert_eq!(api.settled(id).await["status"], "success");

    // Later, too.
    ground.database.admit(false).await;
    ground.database.terminate_connections().await;
    for client in [&api, &health] {
        said(client, 503, "database", "not currently accepting connections").await;
        live(client).await;
    }
    ground.database.admit(true).await;
    for client in [&api, &health] {
        said(client, 200, "database", "ok").await;
    }
}

#[tokio::test]
async fn a_database_that_hangs_takes_no_connection_for_each_question() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let mute = Mute::before(ground.database.address(), true).await;
    let url = ground.database.url_through(mute.address);
    let [(_server, api), (_worker, health)] = both(&ground, &[("DARKROOM_DATABASE__URL", &url)]).await;
    for client in [&api, &health] {
        said(client, 503, "database", "").await;
        live(client).await;
    }
    mute.silent.send_replace(false);
    for client in [&api, &health] {
        said(client, 200, "database", "ok").await;
    }
    mute.silent.send_replace(true);
    for client in [&api, &health] {
        said(client, 503, "database", "").await;
    }
    let before = mute.accepted.load(Ordering::Relaxed);
    for client in [&api, &health] {
        let begun = Instant::now();
        let answers = join_all((0..300).map(|_| client.get("/readyz"))).await;
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        for answer in answers {
            let reason = answer.data()["checks"]["database"].as_str().unwrap();
            assert!(answer.status == 503 && reason != "ok", "{answer:?}");
        }
        live(client).await;
    }
    // One at a time for the question; the others are those of the relay and of the notifications.
    let asked = mute.accepted.load(Ordering::Relaxed) - before;
    assert!(asked < 20, "{asked} connections for 600 questions");
    mute.silent.send_replace(false);
    for client in [&api, &health] {
        said(client, 200, "database", "ok").await;
    }
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_told_once_and_tried_until_it_is_gone() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    ground.broker().declare_classic("image").await;
    let [(server, api), (worker, health)] = both(&ground, &[]).await;
    let part = "inequivalent arg";
    said(&api, 200, "broker", part).await;
    said(&health, 503, "broker", part).await;
    live(&health).await;
    let id = api.upload("a.jpg", &pictures::jpeg(8, 8)).await;
    eventually("the relay says so", || async { (lines(&server, part) > 0).then_some(()) }).await;
    // Each of several tries fails.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(lines(&server, "cannot be announced"), 1, "{}", server.log());
    for kind in ["queue=image", "queue=caption"] {
        assert_eq!(
            lines(&worker, &format!("cannot consume; trying until it works {kind}")),
            1,
            "{}",
            worker.log()
        );
    }
    ground.broker().delete_queue("image").await;
    said(&api, 200, "broker", "ok").await;
    said(&health, 200, "broker", "ok").await;
    assert_eq!(api.settled(id).await["status"], "success");
    assert_eq!(lines(&server, "announcing jobs again"), 1, "{}", server.log());
}

#[tokio::test]
async fn a_broker_that_lets_nobody_in_is_told() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let url = &ground.broker().url;
    let (host, guest) = (ground.broker().address(), "guest:guest@");
    assert!(url.contains(guest), "this test knows the password");
    let wrong = url.replace(guest, "guest:s3cret@");
    let nowhere = format!("amqp://{guest}{host}/no-such-vhost");
    for (url, part) in [(wrong.as_str(), "ACCESS_REFUSED"), (&nowhere, "no-such-vhost")] {
        for (number, (process, client)) in
            both(&ground, &[("DARKROOM_AMQP__URL", url)]).await.into_iter().enumerate()
        {
            let status = [200, 503][number];
            let answer = said(&client, status, "broker", part).await;
            assert!(!answer.to_string().contains("s3cret"), "{answer}");
            live(&client).await;
            assert!(!process.log().contains("s3cret"), "{}", process.log());
        }
    }
    // What was declared is deleted at the end.
    ground.broker().declare_classic("image").await;
}

#[tokio::test]
async fn a_volume_that_is_away_is_told_without_its_path() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let [(server, api), (worker, health)] = both(&ground, &[]).await;
    for client in [&api, &health] {
        said(client, 200, "volume", "ok").await;
    }
    let id = api.upload("a.jpg", &pictures::jpeg(8, 8)).await;
    api.settled(id).await;
    let (volume, elsewhere) = (ground.volume(), ground.volume().with_extension("unmounted"));
    std::fs::rename(&volume, &elsewhere).unwrap();
    for client in [&api, &health] {
        let answer = said(client, 503, "volume", "No such file or directory").await;
        assert!(!answer.to_string().contains(volume.to_str().unwrap()), "{answer}");
        live(client).await;
    }
    std::fs::rename(&elsewhere, &volume).unwrap();
    for client in [&api, &health] {
        said(client, 200, "volume", "ok").await;
    }
    drop((server, worker));
    // At start: an empty folder in place of the volume.
    std::fs::rename(&volume, &elsewhere).unwrap();
    for (process, client) in both(&ground, &[]).await {
        let answer = said(&client, 503, "volume", "looking for the mark of this installation").await;
        assert!(!answer.to_string().contains(volume.to_str().unwrap()), "{answer}");
        live(&client).await;
        assert_eq!(lines(&process, "waiting for the"), 1, "{}", process.log());
    }
}
