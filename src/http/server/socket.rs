//! The socket of a connection: it tells how far things are, and lends the HTTP library our words.

use super::progress::Progress;
use crate::http::catch;
use bytes::{Buf, Bytes};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket that watches what passes through it.
///
/// The HTTP library answers a head that it cannot read by itself, with a status and nothing else. Such an answer is the only
/// thing that is ever written while no request is in hand; it leaves with our envelope.
pub(super) struct Socket {
    stream: TcpStream,
    progress: Progress,
    refusal: Option<Bytes>,
}

impl Socket {
    pub(super) const fn new(stream: TcpStream, progress: Progress) -> Self {
        Self { stream, progress, refusal: None }
    }

    /// Whether a head could not be read.
    pub(super) const fn has_refused(&self) -> bool {
        self.refusal.is_some()
    }

    fn told(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Ready(Ok(count)) => self.progress.wrote(*count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.progress.blocked(),
        }
        outcome
    }

    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.refusal.as_mut().filter(|rest| rest.has_remaining()) {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            rest.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.progress.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.progress.is_answering() {
            let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
            return self.told(written);
        }
        let head = slices.iter().find(|slice| !slice.is_empty()).map_or(&b""[..], |slice| slice);
        self.refusal.get_or_insert_with(|| catch::unreadable_head(head).into());
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(context))?;
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
