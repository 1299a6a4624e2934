//! The connection that a process shares.

use super::super::QueueError;
use super::answered;
use super::topology::Names;
use crate::domain::{JobKind, reason};
use crate::settings;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use secrecy::{ExposeSecret, SecretString};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// The largest frame (AMQP 0-9-1, 4.2.3). The library keeps room for 64 of them; at RabbitMQ's own 128 KiB that is more
/// than all else that a process holds. An announcement has about a hundred bytes.
const FRAME_BYTES: u32 = 16 * 1024;

/// How to reach the broker, and the connection once there is one.
#[derive(Clone)]
pub(in crate::queue) struct Broker {
    uri: AMQPUri,
    /// Wait for any one answer.
    pub(super) patience: Duration,
    /// How long a queue may take nothing while the broker answers.
    pub(super) revive_after: Duration,
    /// Names of exchange and queues.
    pub(super) names: Arc<Names>,
    link: Arc<Mutex<Link>>,
}

#[derive(Default)]
struct Link {
    up: Option<Arc<Connection>>,
    connecting: Option<JoinHandle<lapin::Result<Connection>>>,
}

async fn connect(uri: AMQPUri) -> lapin::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name("darkroom".into());
    Connection::connect_uri(uri, properties).await
}

impl Broker {
    pub(in crate::queue) fn new(url: &SecretString, settings: &settings::Amqp) -> Result<Self, QueueError> {
        let mut uri: AMQPUri = url.expose_secret().parse().map_err(|_: String| QueueError::Url)?;
        let heartbeat = u16::try_from(settings.heartbeat.as_secs().max(1)).unwrap_or(u16::MAX);
        uri.query.heartbeat.get_or_insert(heartbeat);
        uri.query.frame_max.get_or_insert(FRAME_BYTES);
        uri.query
            .connection_timeout
            .get_or_insert(u64::try_from(settings.publish.as_millis()).unwrap_or(u64::MAX));
        Ok(Self {
            uri,
            patience: settings.publish,
            revive_after: settings.revive,
            names: Arc::new(Names::new(&settings.prefix)),
            link: Arc::default(),
        })
    }

    /// The name of the exchange.
    pub(in crate::queue) fn exchange(&self) -> &str {
        self.names.exchange.as_str()
    }

    /// The connection; made anew if it is gone. Whoever comes first connects, the others wait for it, and nobody waits
    /// longer than for any answer.
    pub(in crate::queue) async fn connection(&self) -> Result<Arc<Connection>, QueueError> {
        answered("connecting", self.patience, self.connected()).await
    }

    async fn connected(&self) -> lapin::Result<Arc<Connection>> {
        let mut link = self.link.lock().await;
        if let Some(connection) = link.up.as_ref().filter(|connection| connection.status().connected()) {
            return Ok(connection.clone());
        }
        link.up = None;
        // If whoever waits here gives up, the attempt stays where it is: one that was dropped would hold its thread and
        // socket for as long as a silent broker likes, and the next one likewise.
        let connected = link.connecting.get_or_insert_with(|| tokio::spawn(connect(self.uri.clone()))).await;
        link.connecting = None;
        let connection = Arc::new(connected.map_err(io::Error::other)??);
        link.up = Some(connection.clone());
        Ok(connection)
    }

    /// A channel with everything declared.
    pub(super) async fn channel(&self) -> Result<Channel, QueueError> {
        let connection = self.connection().await?;
        let channel = answered("opening a channel", self.patience, connection.create_channel()).await?;
        self.names.declare(&channel, self.patience).await?;
        Ok(channel)
    }

    /// Messages that are ready in the queue of `kind`.
    pub(in crate::queue) async fn waiting(&self, kind: JobKind) -> Result<u64, QueueError> {
        let connection = self.connection().await?;
        let channel = answered("opening a channel", self.patience, connection.create_channel()).await?;
        let ready = self.names.measure(&channel, self.patience, kind).await?;
        answered("closing a channel", self.patience, channel.close(200, "measured".into())).await?;
        Ok(u64::from(ready))
    }

    /// Opens a channel and declares everything, as every use of the broker begins.
    pub(in crate::queue) async fn check(&self) -> Result<(), QueueError> {
        let channel = self.channel().await?;
        answered("closing a channel", self.patience, channel.close(200, "checked".into())).await
    }

    /// Asks what no queue has to answer for.
    pub(super) async fn vouch(&self) -> Result<(), QueueError> {
        let connection = self.connection().await?;
        let channel = answered("opening a channel", self.patience, connection.create_channel()).await?;
        self.names.check(&channel, self.patience).await?;
        answered("closing a channel", self.patience, channel.close(200, "vouched".into())).await
    }

    /// Deletes the queue of `kind` and declares it anew, unless it holds messages: then somebody else has just done so, or it
    /// is slow and works all the same.
    ///
    /// A quorum queue that has lost its leader for good is there, and takes nothing: one whose node is killed within seconds
    /// of its declaration can come back so (seen with RabbitMQ 3.10). What was in it is announced again by the relay, which
    /// looks for what a queue does not hold any more.
    pub(super) async fn revive(&self, kind: JobKind) {
        let reviving = async {
            let connection = self.connection().await?;
            let channel = answered("opening a channel", self.patience, connection.create_channel()).await?;
            if self.names.measure(&channel, self.patience, kind).await? > 0 {
                return Ok(());
            }
            tracing::warn!(
                queue = %kind,
                "a queue took nothing for {:?}; it is made anew, and its jobs are announced again",
                self.revive_after
            );
            self.names.delete(&channel, kind).await?;
            self.names.declare(&channel, self.patience).await
        };
        // A queue that ends in disorder can take the connection along: whoever publishes next declares it.
        if let Err(error) = reviving.await {
            tracing::debug!(queue = %kind, error = reason(&error), "a queue was not made anew in order");
        }
    }

    pub(in crate::queue) async fn close(&self) {
        // What cannot be closed in order is closed by the end of the process.
        let closing = async {
            if let Some(connection) = self.link.lock().await.up.take() {
                connection.close(200, "done".into()).await?;
            }
            Ok(())
        };
        answered("closing the connection", self.patience, closing).await.ok();
    }
}
