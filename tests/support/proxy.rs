//! A TCP proxy that can cut connections, lose what flows in one direction, delay it or let it drip.

use crate::support::ground::eventually;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Flow {
    /// They pass.
    Open,
    /// They wait until this changes, as behind a network that loses every packet.
    Lost,
    /// They pass later.
    Late(Duration),
    /// So many pass in a second.
    Dripping(usize),
}

/// What the proxy does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Open {
        to_server: Flow,
        to_client: Flow,
    },
    /// All connections are cut, and whoever connects is hung up on.
    Cut,
}

const OPEN: State = State::Open { to_server: Flow::Open, to_client: Flow::Open };

/// Stands before a server; ends with its owner.
pub struct Proxy {
    pub address: SocketAddr,
    state: watch::Sender<State>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, watched) = watch::channel(OPEN);
        let connections = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(accept(listener, server, watched, connections.clone()));
        Self { address, state, connections, task }
    }

    /// Cuts all connections, and refuses new ones until [`Proxy::heal`]. To heal it before it has got round to cutting is to
    /// cut nothing: [`Proxy::cut_off`] waits.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// [`Proxy::cut`], and waits until nothing is left that held on to bytes.
    pub async fn cut_off(&self) {
        self.cut();
        eventually("all connections are cut", || async {
            (self.connections.load(Ordering::Acquire) == 0).then_some(())
        })
        .await;
    }

    pub fn heal(&self) {
        self.state.send_replace(OPEN);
    }

    /// Lets connections stand, and does this to what flows through them.
    pub fn flow(&self, to_server: Flow, to_client: Flow) {
        self.state.send_replace(State::Open { to_server, to_client });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    mut state: watch::Receiver<State>,
    count: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    loop {
        count.store(connections.len(), Ordering::Release);
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.unwrap();
                if *state.borrow() != State::Cut {
                    connections.spawn(connect(client, server.clone(), state.clone()));
                }
            }
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
                if *state.borrow_and_update() == State::Cut {
                    connections.abort_all();
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connect(client: TcpStream, server: String, state: watch::Receiver<State>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((client_reads, client_writes), (server_reads, server_writes)) =
        (client.into_split(), server.into_split());
    let other = state.clone();
    // The end of one direction is passed on, and the other may go on after it.
    tokio::join!(
        pump(client_reads, server_writes, state, |state| match state {
            State::Open { to_server, .. } => to_server,
            State::Cut => Flow::Lost,
        }),
        pump(server_reads, client_writes, other, |state| match state {
            State::Open { to_client, .. } => to_client,
            State::Cut => Flow::Lost,
        }),
    );
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    flow: fn(State) -> Flow,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        // What was read before the flow stopped is lost with the rest, until it goes on.
        let Ok(now) = state.wait_for(|state| flow(*state) != Flow::Lost).await.map(|state| flow(*state))
        else {
            return;
        };
        match now {
            Flow::Late(delay) => tokio::time::sleep(delay).await,
            Flow::Dripping(rate) => {
                tokio::time::sleep(Duration::from_secs_f64(read as f64 / rate as f64)).await;
            }
            Flow::Open | Flow::Lost => {}
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    to.shutdown().await.ok();
}
