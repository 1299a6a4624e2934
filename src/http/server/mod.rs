//! The loop that accepts connections: bounded in number and time, unhurt by a lack of descriptors, stopped in order.

mod connection;
mod progress;
mod socket;
mod vanished;
mod waiting;

use crate::settings::Settings;
use connection::Connection;
use poem::{EndpointExt, IntoEndpoint};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use waiting::Waiting;

/// Connections that the system completes before they are accepted. The system has a limit of its own; what is above both
/// is tried again by the client's system, after a second.
const BACKLOG: u32 = 4096;

/// What a server grants its clients.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at the same time.
    pub connections: usize,
    /// From the first byte of a head to its last.
    header: Duration,
    /// Without a request.
    keep_alive: Duration,
    /// For a client that does not take its answer.
    stalled: Duration,
    /// For open requests after the stop.
    grace: Duration,
}

impl Bounds {
    /// As the settings say, with at most `connections` at the same time.
    #[must_use]
    pub const fn new(settings: &Settings, connections: usize) -> Self {
        let http = &settings.http;
        Self {
            connections,
            header: http.header,
            keep_alive: http.keep_alive,
            stalled: http.upload_idle,
            grace: http.grace,
        }
    }
}

/// A bound socket that does not serve yet.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// If it is taken or not ours.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A server that was just stopped leaves connections behind that would keep the address for a minute.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// The address in fact.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. Connections without a request are closed then, and requests that are open have a time of grace.
    pub async fn serve(
        self,
        routes: impl IntoEndpoint<Endpoint: 'static>,
        bounds: Bounds,
        stop: CancellationToken,
    ) {
        // Boxed, or each connection would reserve as much memory as the largest request needs, also while it is idle.
        let endpoint = Arc::new(routes.into_endpoint().map_to_response().boxed());
        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        let places = Arc::new(Semaphore::new(bounds.connections));
        let waiting = Waiting::default();
        let mut accepting = Accepting { listener: self.listener, waiting: waiting.clone(), failed: None };
        let mut next = async || {
            let (stream, peer) = accepting.next().await;
            (stream, peer, place(&places, &waiting).await)
        };
        while let Some((stream, peer, place)) = stop.run_until_cancelled(next()).await {
            let close = stop.child_token();
            let connection = Connection::new(stream, self.address, peer, bounds, &waiting, close);
            let (endpoint, cut) = (endpoint.clone(), cut.clone());
            connections.spawn(async move {
                cut.run_until_cancelled(connection.serve(endpoint)).await;
                drop(place);
            });
        }
        // Whoever comes now is told by the system that nobody listens.
        drop(accepting);
        connections.close();
        if tokio::time::timeout(bounds.grace, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "the grace time is over; open requests are cut");
            cut.cancel();
            connections.wait().await;
        }
    }
}

/// A place for a connection. If all are taken, those that wait without a request make room, the longest-waiting first; a
/// request in hand is never cut for another.
async fn place(places: &Arc<Semaphore>, waiting: &Waiting) -> Option<OwnedSemaphorePermit> {
    const LOOK_AGAIN: Duration = Duration::from_millis(50);
    if let Ok(place) = places.clone().try_acquire_owned() {
        return Some(place);
    }
    loop {
        waiting.close_longest(Instant::now());
        // Again after a while: that one may have got a request at this moment, and another may wait by now.
        if let Ok(place) = tokio::time::timeout(LOOK_AGAIN, places.clone().acquire_owned()).await {
            return place.ok();
        }
    }
}

/// Accepts, and bears with a system that cannot.
struct Accepting {
    listener: TcpListener,
    waiting: Waiting,
    failed: Option<Instant>,
}

impl Accepting {
    const FIRST_PAUSE: Duration = Duration::from_millis(10);
    const LONGEST_PAUSE: Duration = Duration::from_secs(1);
    /// A failure after so long without one is news.
    const QUIET: Duration = Duration::from_secs(60);

    async fn next(&mut self) -> (TcpStream, SocketAddr) {
        let mut pause = Self::FIRST_PAUSE;
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_the_clients(&error) => tracing::debug!(%error, "a connection ended early"),
                // Mostly: no descriptors or no memory left (EMFILE, ENFILE, ENOBUFS, ENOMEM). The connection stays in the
                // backlog, so that without a pause this would be a busy loop.
                Err(error) => {
                    if self.failed.is_none_or(|at| at.elapsed() > Self::QUIET) {
                        tracing::error!(%error, "connections cannot be accepted; those that wait without a request are closed");
                    }
                    self.failed = Some(Instant::now());
                    self.waiting.close_longest(Instant::now());
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Self::LONGEST_PAUSE);
                }
            }
        }
    }
}

/// Whether accepting failed for this one connection alone (accept(2): such errors are to be taken for a retry).
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::ConnectionRefused | Kind::Interrupted
    )
}
