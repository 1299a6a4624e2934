//! One connection, from its first byte to its end.

use super::Bounds;
use super::progress::{Answer, Progress};
use super::socket::Socket;
use super::vanished;
use super::waiting::Waiting;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Response};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// The largest head of a request, and how many fields it may have. The buffer also carries bodies.
const HEAD_BYTES: usize = 32 * 1024;
const HEAD_FIELDS: usize = 100;

/// A client that is told that its head cannot be read may still be sending it; what it sends is thrown away for a moment,
/// because to close on it would take the answer from it (RFC 9112, 9.6).
const LINGERING: Duration = Duration::from_secs(1);

/// A connection that was accepted.
pub(super) struct Connection {
    socket: Socket,
    progress: Progress,
    local: SocketAddr,
    peer: SocketAddr,
    close: CancellationToken,
}

enum End {
    /// By one of both sides, in order.
    Ended,
    /// It took too long, or is to go and has no request in hand.
    Cut,
}

impl Connection {
    /// Once `close` is cancelled it takes no further request.
    pub(super) fn new(
        stream: TcpStream,
        local: SocketAddr,
        peer: SocketAddr,
        bounds: Bounds,
        waiting: &Waiting,
        close: CancellationToken,
    ) -> Self {
        // Answers leave as they are written; without it some would wait for an acknowledgement.
        stream.set_nodelay(true).ok();
        // If the system refuses, a vanished client is noticed later.
        vanished::notice(&stream, bounds.stalled).ok();
        let progress = Progress::new(bounds, waiting, close.clone());
        Self { socket: Socket::new(stream, progress.clone()), progress, local, peer, close }
    }

    /// Answers its requests, HTTP/1.1 or 1.0, one after the other.
    pub(super) async fn serve<E>(self, endpoint: Arc<E>)
    where
        E: Endpoint<Output = Response> + 'static,
    {
        let Self { socket, progress, local, peer, close } = self;
        let addresses = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(peer)));
        let answering = progress.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let (endpoint, (local, remote)) = (endpoint.clone(), addresses.clone());
            let answer = answering.answer();
            async move {
                let request = poem::Request::from((request, local, remote, Scheme::HTTP));
                let response: hyper::Response<_> = endpoint.get_response(request).await.into();
                Ok::<_, Infallible>(response.map(|body| Answered { body, _answer: answer }))
            }
        });
        let mut http = http1::Builder::new();
        http.max_buf_size(HEAD_BYTES).max_headers(HEAD_FIELDS).header_read_timeout(None);
        let mut connection = http.serve_connection(TokioIo::new(socket), service);

        let mut closing = pin!(close.cancelled());
        let (mut is_closing, mut alarm, mut armed) = (false, pin!(sleep_until(Instant::now())), None);
        let end = poll_fn(|context| {
            if Pin::new(&mut connection).poll(context).is_ready() {
                return Poll::Ready(End::Ended);
            }
            if !is_closing && closing.as_mut().poll(context).is_ready() {
                is_closing = true;
                if !progress.is_answering() {
                    return Poll::Ready(End::Cut);
                }
                Pin::new(&mut connection).graceful_shutdown();
                // It may have to be told to the client by an answer that is about to leave.
                context.waker().wake_by_ref();
            }
            let deadline = progress.deadline();
            if let Some(at) = deadline.filter(|_| deadline != armed) {
                alarm.as_mut().reset(at);
            }
            armed = deadline;
            match deadline {
                Some(_) => alarm.as_mut().poll(context).map(|()| End::Cut),
                None => Poll::Pending,
            }
        });
        match end.await {
            End::Ended => {
                let socket = connection.into_parts().io.into_inner();
                linger(socket).await;
            }
            End::Cut => tracing::debug!(%peer, "a connection was cut that waited, or took too long"),
        }
    }
}

async fn linger(mut socket: Socket) {
    if !socket.has_refused() {
        return;
    }
    let listening = async {
        let mut rest = [0; 4096];
        while socket.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    };
    // Out of time: it has been told, and whether it heard is its own affair.
    timeout(LINGERING, listening).await.ok();
}

/// The body of an answer, which is open for as long as this exists.
struct Answered<B> {
    body: B,
    _answer: Answer,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
