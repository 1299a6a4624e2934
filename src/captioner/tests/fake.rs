//! A captioner that really listens, and answers as it is told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the fake answers each request.
#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes, then the end of the connection.
    Whole(String),
    /// These bytes, then nothing more, and the connection stays open.
    Stall(String),
    /// These bytes, then one more every 20 ms.
    Drip(String),
    /// These bytes, then more and more of them.
    Flood(String),
    /// These bytes, then a reset of the connection.
    Reset(String),
}

/// What the fake was asked.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) line: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// The fake; it ends with its owner.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    written: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Fake {
    pub(super) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::new(AtomicU64::new(0));
        let (seen, count) = (Arc::clone(&requests), Arc::clone(&written));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, reply.clone(), Arc::clone(&seen), Arc::clone(&count)));
            }
        });
        Self { address, requests, written, task }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Bytes of a flood that went out.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An HTTP answer with a Content-Length.
pub(super) fn http(status: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Reply::Whole(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
        body.len()
    ))
}

async fn serve(
    mut stream: TcpStream,
    reply: Reply,
    requests: Arc<Mutex<Vec<Request>>>,
    written: Arc<AtomicU64>,
) {
    let Some(request) = read_request(&mut stream).await else { return };
    requests.lock().unwrap().push(request);
    let (Reply::Whole(first)
    | Reply::Stall(first)
    | Reply::Drip(first)
    | Reply::Flood(first)
    | Reply::Reset(first)) = &reply;
    stream.write_all(first.as_bytes()).await.unwrap();
    match reply {
        Reply::Whole(_) => stream.shutdown().await.unwrap_or_default(),
        Reply::Stall(_) => std::future::pending().await,
        Reply::Drip(_) => {
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Reply::Flood(_) => {
            let block = [b'a'; 16 * 1024];
            while stream.write_all(&block).await.is_ok() {
                written.fetch_add(block.len() as u64, Ordering::SeqCst);
            }
        }
        Reply::Reset(_) => stream.set_zero_linger().unwrap(),
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    let line = lines.next().unwrap();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { line, headers, body })
}
