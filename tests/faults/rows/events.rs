//! Clients that follow events while the servers behind them come and go: each hears each event once, in the same order.

use crate::caller::Caller;
use crate::ledger::{Fate, Ledger};
use crate::servers::Shutdown;
use crate::site::{PATIENCE, Site};
use crate::support::ground::eventually;
use crate::support::listener::{Heard, Listener};
use crate::trial::{Arena, rows};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

rows! { "events":
    Postgres {
        each_client_hears_each_event_once,
    }
}

/// What a client has heard: the id of each event, and what it said.
type Book = Vec<(i64, String)>;

/// Clients that go on at another replica when they are cut off, and now and then by themselves.
struct Crowd {
    /// The last event that there will be, once it is known.
    end: watch::Sender<Option<i64>>,
    clients: Vec<JoinHandle<Book>>,
    opened: Arc<AtomicUsize>,
}

async fn each_client_hears_each_event_once(arena: Arena) {
    let mut site = arena.site(&[]).await;
    site.start_api(1);
    eventually("both replicas answer", || async {
        let both = site.balanced_caller();
        let ready = [both.get("/readyz").await, both.get("/readyz").await];
        ready.iter().all(|answer| answer.as_ref().is_some_and(|answer| answer.status == 200)).then_some(())
    })
    .await;
    let begin = newest(&site).await;
    let mut crowd = Crowd::gather(arena.dose(100, 500), &site, begin);
    crowd.has_come().await;

    let uploading = upload_until_told(site.ledger.clone(), site.balanced_caller(), &site);
    let pause = || tokio::time::sleep(arena.dose(Duration::from_secs(3), Duration::from_secs(8)));
    pause().await;
    assert!(site.residents.stop("api 1").await, "a stop with {} clients", crowd.clients.len());
    site.start_api(1);
    pause().await;
    site.residents.kill("api 0");
    pause().await;
    site.start_api(0);
    pause().await;
    for how in [Shutdown::Fast, Shutdown::Killed] {
        arena.postgres.stop(how);
        tokio::time::sleep(Duration::from_secs(2)).await;
        arena.postgres.start_again();
        pause().await;
    }
    let uploads = uploading.end().await;
    // The crowd takes the processors from the worker.
    site.quiet_within(Duration::from_secs(600)).await;
    crowd.compare(&site, begin, uploads).await;
    site.verify().await;
}

async fn newest(site: &Site) -> i64 {
    eventually("all events are numbered", || async {
        let waiting = site.ground.database.number("select count(*) from event_outbox").await;
        (waiting == 0).then_some(())
    })
    .await;
    site.ground.database.number("select newest from event_log").await
}

/// Uploads that go on, through all replicas by turns.
struct Uploading {
    stop: watch::Sender<bool>,
    task: JoinHandle<usize>,
}

fn upload_until_told(ledger: Ledger, caller: Caller, site: &Site) -> Uploading {
    let (stop, told) = watch::channel(false);
    let files: Vec<_> = (0..2000).map(|_| site.file()).collect();
    let task = tokio::spawn(async move {
        let mut done = 0;
        for file in files {
            if *told.borrow() {
                break;
            }
            let delivered = ledger.deliver(&caller, &file, Fate::Success, PATIENCE).await;
            assert!(delivered.is_some(), "an upload was never acknowledged");
            done += 1;
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        done
    });
    Uploading { stop, task }
}

impl Uploading {
    async fn end(self) -> usize {
        self.stop.send_replace(true);
        self.task.await.unwrap()
    }
}

impl Crowd {
    fn gather(size: usize, site: &Site, begin: i64) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (end, told) = watch::channel(None);
        let opened = Arc::new(AtomicUsize::new(0));
        let clients = (0..size).map(|_| {
            let client =
                Client { http: http.clone(), ports: site.ports(), opened: opened.clone(), book: Vec::new() };
            tokio::spawn(client.follow(begin, told.clone()))
        });
        Self { end, clients: clients.collect(), opened }
    }

    /// Waits until each client has opened a stream.
    async fn has_come(&self) {
        eventually("all clients listen", || async {
            (self.opened.load(Ordering::Relaxed) >= self.clients.len()).then_some(())
        })
        .await;
    }

    /// Waits until each client has heard the last event, and holds what it heard against the rows.
    async fn compare(&mut self, site: &Site, begin: i64, uploads: usize) {
        let last = newest(site).await;
        self.end.send_replace(Some(last));
        let begun = Instant::now();
        let books = tokio::time::timeout(PATIENCE, join_all(self.clients.drain(..))).await;
        let books = books.expect("each client hears the last event in time");
        let rows = recorded(site, begin).await;
        assert!(rows.iter().zip(begin + 1..).all(|((id, _), expected)| *id == expected), "ids have no gap");
        for book in books {
            let book = book.expect("no client panicked");
            assert!(book == rows, "heard {:?}\nrows {rows:?}", book);
        }
        println!(
            "{uploads} uploads, {} events for each client, {} streams opened, all heard {:?} after the end",
            rows.len(),
            self.opened.load(Ordering::Relaxed),
            begun.elapsed()
        );
        assert!(rows.len() >= uploads * 5, "upload, three stages and the end of each");
        assert_lives_in_order(&rows);
    }
}

/// Each image: its upload, its stages, its end.
fn assert_lives_in_order(rows: &Book) {
    let mut lives = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for (_, said) in rows {
        let (image, what) = said.split_once(' ').unwrap();
        lives.entry(image).or_default().push(what);
    }
    for (image, life) in lives {
        assert_eq!(life.first(), Some(&"status processing"), "image {image}: {life:?}");
        assert_eq!(life.last(), Some(&"status success"), "image {image}: {life:?}");
        assert!(
            life[1..life.len() - 1].iter().all(|what| what.starts_with("stage ")),
            "image {image}: {life:?}"
        );
    }
}

/// The events of the database, as a client would have written them down.
async fn recorded(site: &Site, begin: i64) -> Book {
    let sql = format!(
        "select id, concat_ws(' ', image_id, kind, stage, status) from events where id > {begin} order by id"
    );
    site.ground.database.rows(&sql).await.iter().map(|row| (row.get(0), row.get(1))).collect()
}

struct Client {
    http: reqwest::Client,
    ports: Vec<u16>,
    opened: Arc<AtomicUsize>,
    book: Book,
}

impl Client {
    /// Listens, at one replica after the other, until the last event has been heard.
    async fn follow(mut self, begin: i64, mut end: watch::Receiver<Option<i64>>) -> Book {
        loop {
            let heard = self.book.last().map_or(begin, |(id, _)| *id);
            if *end.borrow_and_update() == Some(heard) {
                return self.book;
            }
            let port = self.ports[rand::random_range(0..self.ports.len())];
            let request = self.http.get(format!("http://127.0.0.1:{port}/api/events"));
            if let Ok(stream) = Listener::try_open(request, Some(heard)).await {
                self.opened.fetch_add(1, Ordering::Relaxed);
                self.listen(stream, &mut end).await;
            }
            tokio::time::sleep(Duration::from_millis(rand::random_range(50..300))).await;
        }
    }

    /// Until the stream ends, it has heard enough of it, or the end becomes known.
    async fn listen(&mut self, mut stream: Listener, end: &mut watch::Receiver<Option<i64>>) {
        for _ in 0..rand::random_range(20..400) {
            let heard = tokio::select! {
                heard = stream.next() => heard,
                // It may have been heard already. The sender outlives us.
                _ = end.changed() => None,
            };
            let Some(heard) = heard else { return };
            self.book.push((heard.id, said(&heard)));
            if *end.borrow() == Some(heard.id) {
                return;
            }
        }
    }
}

fn said(heard: &Heard) -> String {
    let mut words = vec![heard.data["image_id"].to_string(), heard.kind.clone()];
    let more = ["stage", "status"].iter().filter_map(|field| heard.data[field].as_str());
    words.extend(more.map(str::to_owned));
    words.join(" ")
}
