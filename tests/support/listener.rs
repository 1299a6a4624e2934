//! A client of server-sent events, which reads what comes by the rules (HTML Living Standard, section 9.2.6).

use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;

/// The longest that an event may be waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// An event as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub id: i64,
    pub kind: String,
    pub data: Value,
}

/// A stream that is open.
pub struct Listener {
    response: Response,
    unread: Vec<u8>,
}

impl Listener {
    /// Opens a stream, which must be granted; after an event that was seen, if one is named.
    pub async fn open(request: RequestBuilder, last: Option<i64>) -> Self {
        Self::try_open(request, last).await.unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// Opens a stream, or gives back the refusal.
    pub async fn try_open(request: RequestBuilder, last: Option<i64>) -> Result<Self, Option<Response>> {
        let request = match last {
            Some(last) => request.header("Last-Event-ID", last.to_string()),
            None => request,
        };
        let response = request.send().await.map_err(|_| None)?;
        if response.status() != 200 {
            return Err(Some(response));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Ok(Self { response, unread: Vec::new() })
    }

    /// The next event; `None` if the stream has ended or broken off.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            while let Some(block) = self.block() {
                if let Some(event) = heard(&block) {
                    return Some(event);
                }
            }
            self.read().await?;
        }
    }

    /// The next event, which must come in time.
    pub async fn event(&mut self) -> Heard {
        let next = tokio::time::timeout(PATIENCE, self.next()).await;
        next.expect("an event should come in time").expect("the stream should go on")
    }

    /// So many events.
    pub async fn events(&mut self, count: usize) -> Vec<Heard> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    /// Bytes that have come with the last event, and belong to later ones.
    pub fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Waits for a comment, before which no event may come.
    pub async fn comment(&mut self) {
        let reading = async {
            loop {
                if let Some(block) = self.block() {
                    return assert_eq!(heard(&block), None);
                }
                self.read().await.expect("the stream should go on");
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("a comment should come in time");
    }

    async fn read(&mut self) -> Option<()> {
        let chunk = self.response.chunk().await.ok().flatten()?;
        self.unread.extend_from_slice(&chunk);
        Some(())
    }

    fn block(&mut self) -> Option<String> {
        let end = self.unread.windows(2).position(|pair| pair == b"\n\n")? + 2;
        Some(String::from_utf8(self.unread.drain(..end).collect()).unwrap())
    }
}

/// What a block says; `None` if it is a comment.
fn heard(block: &str) -> Option<Heard> {
    if block.starts_with(':') {
        assert_eq!(block, ":\n\n");
        return None;
    }
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let (id, kind, data) = (field("id").unwrap(), field("event").unwrap(), field("data").unwrap());
    Some(Heard { id: id.parse().unwrap(), kind: kind.to_owned(), data: serde_json::from_str(data).unwrap() })
}
