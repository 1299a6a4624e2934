//! Exchange and queues, declared by whoever connects; declaring what is there already changes nothing.

use super::super::QueueError;
use super::answered;
use crate::domain::JobKind;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use std::time::Duration;

/// The names that operators see, all from one prefix.
pub(in crate::queue) struct Names {
    /// The direct exchange; the routing key is the kind of job.
    pub(super) exchange: ShortString,
    image: ShortString,
    caption: ShortString,
    webhook: ShortString,
    /// Exchange and queue of what could not be understood, or was delivered too often.
    dead: ShortString,
}

/// A backstop only: attempts are counted in Postgres, and a delivery that is refused there is acknowledged. Without a
/// limit of ours, RabbitMQ 4 would apply its own and 3.x none.
const DELIVERY_LIMIT: i32 = 50;

/// The broker waits five seconds for a queue to end itself before it does so.
const DELETION: Duration = Duration::from_secs(15);

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        let name = |suffix| format!("{prefix}.{suffix}").into();
        Self {
            exchange: prefix.into(),
            image: name("image"),
            caption: name("caption"),
            webhook: name("webhook"),
            dead: name("dead"),
        }
    }

    pub(super) fn queue(&self, kind: JobKind) -> ShortString {
        match kind {
            JobKind::Image => self.image.clone(),
            JobKind::Caption => self.caption.clone(),
            JobKind::Webhook => self.webhook.clone(),
        }
    }

    pub(super) fn dead(&self) -> ShortString {
        self.dead.clone()
    }

    pub(super) async fn declare(&self, channel: &Channel, patience: Duration) -> Result<(), QueueError> {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        for (name, kind) in [(&self.exchange, ExchangeKind::Direct), (&self.dead, ExchangeKind::Fanout)] {
            let declaring = channel.exchange_declare(name.clone(), kind, durable, FieldTable::default());
            answered("declaring an exchange", patience, declaring).await?;
        }
        declare_queue(channel, patience, &self.dead, FieldTable::default()).await?;
        bind(channel, patience, &self.dead, &self.dead, "").await?;
        for kind in JobKind::ALL {
            self.measure(channel, patience, *kind).await?;
            bind(channel, patience, &self.queue(*kind), &self.exchange, kind.as_str()).await?;
        }
        Ok(())
    }

    /// Asks for the exchange, which no queue has to answer for.
    pub(super) async fn check(&self, channel: &Channel, patience: Duration) -> Result<(), QueueError> {
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let name = self.exchange.clone();
        let asking = channel.exchange_declare(name, ExchangeKind::Direct, passive, FieldTable::default());
        answered("looking for the exchange", patience, asking).await
    }

    /// Deletes the queue of `kind`, with all that is in it.
    pub(super) async fn delete(&self, channel: &Channel, kind: JobKind) -> Result<(), QueueError> {
        let deleting = channel.queue_delete(self.queue(kind), QueueDeleteOptions::default());
        answered("deleting a queue", DELETION, deleting).await.map(drop)
    }

    /// Declares the queue of `kind`; the answer is how many messages are ready in it.
    pub(super) async fn measure(
        &self,
        channel: &Channel,
        patience: Duration,
        kind: JobKind,
    ) -> Result<u32, QueueError> {
        let mut arguments = FieldTable::default();
        arguments.insert("x-dead-letter-exchange".into(), text(self.dead.as_str()));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
        declare_queue(channel, patience, &self.queue(kind), arguments).await
    }
}

async fn declare_queue(
    channel: &Channel,
    patience: Duration,
    queue: &ShortString,
    mut arguments: FieldTable,
) -> Result<u32, QueueError> {
    // Quorum queues survive the loss of a node, and of a broker that is killed: every message is on disk.
    arguments.insert("x-queue-type".into(), text("quorum"));
    let declaring = channel.queue_declare(queue.clone(), QueueDeclareOptions::durable(), arguments);
    answered("declaring a queue", patience, declaring).await.map(|queue| queue.message_count())
}

async fn bind(
    channel: &Channel,
    patience: Duration,
    queue: &ShortString,
    exchange: &ShortString,
    routing_key: &str,
) -> Result<(), QueueError> {
    let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
    let binding = channel.queue_bind(queue.clone(), exchange.clone(), routing_key.into(), options, arguments);
    answered("binding a queue", patience, binding).await
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
