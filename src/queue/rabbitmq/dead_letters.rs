//! Looking at dead letters: taken without an acknowledgement, and then put back or dropped.

use super::super::announcement::{Announcement, Malformed};
use super::super::{DeadLetter, DeadLetters, QueueError};
use super::publisher::is_stored;
use super::{Broker, answered};
use crate::domain::JobKind;
use lapin::Channel;
use lapin::message::Delivery as Message;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use time::OffsetDateTime;

/// A letter that was put back this often is put back as a new one: RabbitMQ 4 counts, and removes at 20.
const PUT_BACK_LIMIT: i64 = 10;

/// The letters that were taken, without their bodies where these are not needed any more.
pub(in crate::queue) struct Held {
    broker: Broker,
    channel: Channel,
    letters: Vec<HeldLetter>,
}

struct HeldLetter {
    /// Without its body, unless it is to be put back as a new one.
    message: Message,
    is_worn: bool,
}

impl Broker {
    /// Takes up to `limit` letters in hand, oldest first.
    pub(in crate::queue) async fn dead_letters(&self, limit: usize) -> Result<DeadLetters, QueueError> {
        let connection = self.connection().await?;
        let channel = answered("opening a channel", self.patience, connection.create_channel()).await?;
        // Only looks: whoever is curious declares nothing.
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let looking = channel.queue_declare(self.names.dead(), options, FieldTable::default());
        let mut more = answered("looking for dead letters", self.patience, looking).await?.message_count();
        let mut held = Held { broker: self.clone(), channel, letters: Vec::new() };
        let mut letters = Vec::new();
        while letters.len() < limit {
            let getting = held.channel.basic_get(self.names.dead(), BasicGetOptions { no_ack: false });
            let Some(got) = answered("reading a dead letter", self.patience, getting).await? else {
                more = 0;
                break;
            };
            more = got.message_count;
            letters.push(self.letter(&got.delivery));
            held.letters.push(HeldLetter::new(got.delivery));
        }
        Ok(DeadLetters { letters, more: u64::from(more), held: Some(held) })
    }

    fn letter(&self, message: &Message) -> DeadLetter {
        let death = message.properties.headers().as_ref().and_then(last_death);
        let text = |name| match death.and_then(|death| death.inner().get(name)) {
            Some(AMQPValue::LongString(text)) => std::str::from_utf8(text.as_bytes()).ok(),
            _ => None,
        };
        let died_at = death.and_then(|death| match death.inner().get("time") {
            Some(AMQPValue::Timestamp(seconds)) => {
                OffsetDateTime::from_unix_timestamp(i64::try_from(*seconds).ok()?).ok()
            }
            _ => None,
        });
        let queue = text("queue");
        let kind = JobKind::ALL.iter().find(|kind| queue == Some(self.names.queue(**kind).as_str()));
        let announced =
            kind.ok_or(Malformed::OtherQueue).and_then(|kind| Announcement::decode(*kind, &message.data));
        DeadLetter::new(died_at, queue, text("reason"), &message.data, announced)
    }
}

/// The newest entry of `x-death`, which the broker puts first.
fn last_death(headers: &FieldTable) -> Option<&FieldTable> {
    match headers.inner().get("x-death")? {
        AMQPValue::FieldArray(deaths) => match deaths.as_slice().first()? {
            AMQPValue::FieldTable(death) => Some(death),
            _ => None,
        },
        _ => None,
    }
}

impl HeldLetter {
    fn new(mut message: Message) -> Self {
        let headers = message.properties.headers().as_ref();
        let count = match headers.and_then(|headers| headers.inner().get("x-delivery-count")) {
            Some(AMQPValue::LongLongInt(count)) => *count,
            Some(AMQPValue::LongInt(count)) => i64::from(*count),
            _ => 0,
        };
        let is_worn = count >= PUT_BACK_LIMIT;
        if !is_worn {
            message.data = Vec::new();
        }
        Self { message, is_worn }
    }
}

impl Held {
    pub(in crate::queue) async fn put_back(self) -> Result<(), QueueError> {
        let patience = self.broker.patience;
        if self.letters.iter().any(|letter| letter.is_worn) {
            let selecting = self.channel.confirm_select(ConfirmSelectOptions::default());
            answered("turning on confirms", patience, selecting).await?;
        }
        for letter in &self.letters {
            let HeldLetter { message, is_worn } = letter;
            if *is_worn && self.renew(message).await? {
                answered("removing the old copy", patience, message.ack(BasicAckOptions::default())).await?;
            } else {
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                answered("putting a dead letter back", patience, message.nack(options)).await?;
            }
        }
        self.end().await
    }

    pub(in crate::queue) async fn drop_all(self) -> Result<usize, QueueError> {
        for letter in &self.letters {
            let dropping = letter.message.ack(BasicAckOptions::default());
            answered("dropping a dead letter", self.broker.patience, dropping).await?;
        }
        let dropped = self.letters.len();
        self.end().await?;
        Ok(dropped)
    }

    /// Whether the broker holds a new copy. The old one is removed only then.
    async fn renew(&self, message: &Message) -> Result<bool, QueueError> {
        let (doing, patience, queue) =
            ("renewing a dead letter", self.broker.patience, self.broker.names.dead());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = message.properties.clone();
        // To the default exchange, whose routing keys are the names of queues.
        let sending = self.channel.basic_publish("".into(), queue, options, &message.data, properties);
        let sent = answered(doing, patience, sending).await?;
        answered(doing, patience, sent).await.map(is_stored)
    }

    /// The broker answers this after all that came before it on the channel.
    async fn end(&self) -> Result<(), QueueError> {
        let closing = self.channel.close(200, "looked at".into());
        answered("closing a channel", self.broker.patience, closing).await
    }
}
