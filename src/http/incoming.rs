//! The body of a request that may be refused before its end.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use poem::Body;
use poem::http::HeaderMap;
use poem::http::header::EXPECT;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Mutex;

type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// After a refusal, this much is still read so that a client that does not listen while it sends gets its answer and not
/// a reset connection (RFC 9112, 9.6). What is longer is cut, and so is a client that has fallen silent.
const DRAINED_BYTES: u64 = 64 * 1024 * 1024;
const DRAINED_FOR: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(1);

/// A body that two can hold: the parser that reads it, and the handler that reads on where the parser stopped.
#[derive(Clone)]
pub(super) struct Incoming {
    chunks: Arc<Mutex<Chunks>>,
    /// Whether the client sends nothing before it is told to go on (RFC 9110, 10.1.1), which the first look at the chunks does.
    waits: Arc<AtomicBool>,
}

impl Incoming {
    pub(super) fn new(body: Body, headers: &HeaderMap) -> Self {
        let expects =
            headers.get(EXPECT).is_some_and(|what| what.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self {
            chunks: Arc::new(Mutex::new(Box::pin(body.into_bytes_stream()))),
            waits: Arc::new(AtomicBool::new(expects)),
        }
    }

    /// The chunks as they arrive, for the parser.
    pub(super) fn chunks(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let this = self.clone();
        stream::poll_fn(move |context| {
            // Never contended: the handler reads on only when the parser is gone.
            let Ok(mut chunks) = this.chunks.try_lock() else { return Poll::Ready(None) };
            this.waits.store(false, Ordering::Relaxed);
            chunks.poll_next_unpin(context)
        })
    }

    /// Reads and forgets the rest, within bounds. A client that waits for leave to send is answered instead.
    pub(super) async fn drain(&self) {
        if self.waits.load(Ordering::Relaxed) {
            return;
        }
        let mut chunks = self.chunks.lock().await;
        let reading = async {
            let mut read = 0;
            while let Ok(Some(Ok(chunk))) = tokio::time::timeout(SILENCE, chunks.next()).await {
                read += chunk.len() as u64;
                if read > DRAINED_BYTES {
                    break;
                }
            }
        };
        // Out of time: the connection is cut, and there is nobody to tell.
        tokio::time::timeout(DRAINED_FOR, reading).await.ok();
    }
}
