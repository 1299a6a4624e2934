//! A TCP proxy that can cut connections and refuse new ones.

use std::net::SocketAddr;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Stands before a server; ends with its owner.
pub struct Proxy {
    pub address: SocketAddr,
    open: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, mut state) = watch::channel(true);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (mut client, _) = accepted.unwrap();
                        let server = server.clone();
                        // While it is cut, whoever connects is hung up on.
                        if *state.borrow() {
                            connections.spawn(async move {
                                if let Ok(mut server) = TcpStream::connect(server).await {
                                    copy_bidirectional(&mut client, &mut server).await.ok();
                                }
                            });
                        }
                    }
                    changed = state.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        connections.abort_all();
                    }
                }
            }
        });
        Self { address, open, task }
    }

    /// Cuts all connections, and refuses new ones until [`Proxy::heal`].
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    pub fn heal(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
