//! Exchange and queues of its own for each test, by a prefix.

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeclareOptions,
    QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

/// A prefix that nobody else uses; what was declared under it is deleted at the end.
pub struct Broker {
    pub url: String,
    pub prefix: String,
}

impl Broker {
    pub fn new() -> Self {
        let url = std::env::var("DARKROOM_TEST_AMQP_URL");
        Self::on(url.unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned()))
    }

    pub fn on(url: String) -> Self {
        Self { url, prefix: format!("darkroom-test-{:016x}", rand::random::<u64>()) }
    }

    /// Host and port of the server, for a proxy before it.
    pub fn address(&self) -> String {
        let uri: lapin::uri::AMQPUri = self.url.parse().unwrap();
        format!("{}:{}", uri.authority.host, uri.authority.port)
    }

    /// The URL, by way of a proxy.
    pub fn url_through(&self, proxy: std::net::SocketAddr) -> String {
        self.url.replace(&self.address(), &proxy.to_string())
    }

    pub fn queue(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Messages that are ready.
    pub async fn ready(&self, name: &str) -> u32 {
        let (_connection, channel) = open(&self.url).await;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue =
            channel.queue_declare(self.queue(name).into(), options, FieldTable::default()).await.unwrap();
        queue.message_count()
    }

    pub async fn purge(&self, name: &str) {
        let (_connection, channel) = open(&self.url).await;
        channel.queue_purge(self.queue(name).into(), QueuePurgeOptions::default()).await.unwrap();
    }

    /// Empties a queue that may have been deleted.
    pub async fn purge_if_there(&self, name: &str) {
        let (_connection, channel) = open(&self.url).await;
        channel.queue_purge(self.queue(name).into(), QueuePurgeOptions::default()).await.ok();
    }

    pub async fn delete_queue(&self, name: &str) {
        let (_connection, channel) = open(&self.url).await;
        channel.queue_delete(self.queue(name).into(), QueueDeleteOptions::default()).await.unwrap();
    }

    pub async fn delete_exchange(&self) {
        let (_connection, channel) = open(&self.url).await;
        channel.exchange_delete(self.prefix.as_str().into(), ExchangeDeleteOptions::default()).await.unwrap();
    }

    /// Declares a queue of ours as somebody else might: classic.
    pub async fn declare_classic(&self, name: &str) {
        let (_connection, channel) = open(&self.url).await;
        let (name, options) = (self.queue(name).into(), QueueDeclareOptions::durable());
        channel.queue_declare(name, options, FieldTable::default()).await.unwrap();
    }

    /// Takes a message in hand and lets go of it with the channel, as a worker does that dies; `None` if none is there.
    pub async fn let_go(&self, name: &str) -> Option<()> {
        let (_connection, channel) = open(&self.url).await;
        let options = BasicGetOptions { no_ack: false };
        channel.basic_get(self.queue(name).into(), options).await.unwrap()?;
        channel.close(200, "let go".into()).await.unwrap();
        Some(())
    }

    /// How often the first message was put back since it was written. RabbitMQ 4 removes it at 20.
    pub async fn times_put_back(&self, name: &str) -> i64 {
        let (_connection, channel) = open(&self.url).await;
        let options = BasicGetOptions { no_ack: false };
        let message = channel.basic_get(self.queue(name).into(), options).await.unwrap().unwrap();
        let headers = message.properties.headers().clone().unwrap_or_default();
        match headers.inner().get("x-delivery-count") {
            Some(AMQPValue::LongLongInt(count)) => *count,
            None => 0,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a message as a stranger would.
    pub async fn publish(&self, kind: &str, bodies: &[Vec<u8>]) {
        let (_connection, channel) = open(&self.url).await;
        // Confirmed, so that nothing is still under way when the channel closes.
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        for body in bodies {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            let exchange = self.prefix.as_str().into();
            channel
                .basic_publish(exchange, kind.into(), options, body, properties)
                .await
                .unwrap()
                .await
                .unwrap();
        }
    }

    /// The same, with headers.
    pub async fn publish_with(&self, kind: &str, body: &[u8], headers: &[(&str, &str)]) {
        let (_connection, channel) = open(&self.url).await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), AMQPValue::LongString((*value).into()));
        }
        let (options, exchange) = (BasicPublishOptions::default(), self.prefix.as_str().into());
        let properties = BasicProperties::default().with_headers(table);
        let sent = channel.basic_publish(exchange, kind.into(), options, body, properties).await.unwrap();
        sent.await.unwrap();
    }

    /// Takes one message out of a queue; the answer is its body and why it died, if it did.
    pub async fn take(&self, name: &str) -> Option<(Vec<u8>, String)> {
        let (_connection, channel) = open(&self.url).await;
        let options = BasicGetOptions { no_ack: true };
        let message = channel.basic_get(self.queue(name).into(), options).await.unwrap()?;
        let headers = message.properties.headers().clone().unwrap_or_default();
        let reason = match headers.inner().get("x-first-death-reason") {
            Some(AMQPValue::LongString(reason)) => reason.to_string(),
            other => format!("{other:?}"),
        };
        Some((message.delivery.data, reason))
    }
}

async fn open(url: &str) -> (Connection, Channel) {
    let connection =
        Connection::connect(url, ConnectionProperties::default()).await.expect("RabbitMQ; see ./dev test");
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

impl Drop for Broker {
    fn drop(&mut self) {
        let url = self.url.clone();
        let queues = ["image", "caption", "webhook", "dead"].map(|name| self.queue(name));
        let exchanges = [self.prefix.clone(), self.queue("dead")];
        // Not within the runtime of the test, which may be ending.
        let deleting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (_connection, channel) = open(&url).await;
                for queue in queues {
                    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
                }
                for exchange in exchanges {
                    channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await.unwrap();
                }
            });
        });
        // After a failure the server may be away, and a second panic would end all that is to be told of the first.
        assert!(
            deleting.join().is_ok() || std::thread::panicking(),
            "the queues of a test cannot be deleted"
        );
    }
}
