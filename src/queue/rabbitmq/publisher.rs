//! Publishing: persistent, mandatory, confirmed, in batches, each with a time limit.

use super::super::{Message, QueueError};
use super::{Broker, answered, trace_headers};
use crate::domain::JobKind;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// `delivery_mode`: the broker writes the message to disk (AMQP 0-9-1, 4.6).
const PERSISTENT: u8 = 2;

/// A publisher for each kind of job.
pub(in crate::queue) struct Publishers {
    image: Publisher,
    caption: Publisher,
    webhook: Publisher,
}

impl Publishers {
    pub(in crate::queue) fn new(broker: &Broker) -> Self {
        let of = |kind| Publisher { broker: broker.clone(), kind, line: Mutex::default() };
        Self { image: of(JobKind::Image), caption: of(JobKind::Caption), webhook: of(JobKind::Webhook) }
    }

    pub(in crate::queue) const fn of(&self, kind: JobKind) -> &Publisher {
        match kind {
            JobKind::Image => &self.image,
            JobKind::Caption => &self.caption,
            JobKind::Webhook => &self.webhook,
        }
    }
}

pub(in crate::queue) struct Publisher {
    broker: Broker,
    kind: JobKind,
    line: Mutex<Line>,
}

/// What there is to the broker.
#[derive(Default)]
struct Line {
    /// A channel in confirm mode, until something goes wrong on it.
    channel: Option<Channel>,
    silence: Option<Silence>,
}

/// A time in which nothing was confirmed, although it was sent again and again.
#[derive(Clone, Copy)]
struct Silence {
    since: Instant,
    last: Instant,
    /// Whether the broker itself answered in it, so that it is the queue that does not.
    vouched: bool,
}

/// Two silent publishes that are further apart say nothing of the time between them.
const LONGEST_GAP: Duration = Duration::from_secs(30);

const PUBLISHING: &str = "publishing";

impl Publisher {
    /// Sends all, then waits for all; the answer says of each whether the broker holds it.
    pub(in crate::queue) async fn publish(&self, batch: &[Message]) -> Result<Vec<bool>, QueueError> {
        let mut line = self.line.lock().await;
        let silence = line.silence.take().filter(|silence| silence.last.elapsed() < LONGEST_GAP);
        let begun = Instant::now();
        let mut silence = silence.unwrap_or(Silence { since: begun, last: begun, vouched: false });
        if silence.since.elapsed() >= self.broker.revive_after && !silence.vouched {
            // One that does not answer either, as in an outage or an alarm, ends the suspicion here.
            self.broker.vouch().await?;
            silence.vouched = true;
        }
        let sent = self.publish_on(&mut line.channel, batch).await;
        if matches!(sent, Err(QueueError::Silent(PUBLISHING))) {
            if silence.vouched {
                let (broker, kind) = (self.broker.clone(), self.kind);
                // Whoever publishes has no time to wait for that.
                tokio::spawn(async move { broker.revive(kind).await });
            } else {
                line.silence = Some(Silence { last: Instant::now(), ..silence });
            }
        }
        sent
    }

    async fn publish_on(
        &self,
        slot: &mut Option<Channel>,
        batch: &[Message],
    ) -> Result<Vec<bool>, QueueError> {
        let channel = match slot.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => self.open().await?,
        };
        let sent = answered(PUBLISHING, self.broker.patience, self.send(&channel, batch)).await?;
        let confirmed =
            answered(PUBLISHING, self.broker.patience, async { Ok(confirmations(sent).await) }).await?;
        // A returned message means that the queue is gone: the next batch declares everything anew.
        if confirmed.iter().all(|stored| *stored) {
            *slot = Some(channel);
        }
        Ok(confirmed)
    }

    async fn open(&self) -> Result<Channel, QueueError> {
        let channel = self.broker.channel().await?;
        let selecting = channel.confirm_select(ConfirmSelectOptions::default());
        answered("turning on confirms", self.broker.patience, selecting).await?;
        Ok(channel)
    }

    async fn send(&self, channel: &Channel, batch: &[Message]) -> lapin::Result<Vec<PublisherConfirm>> {
        // Without `mandatory`, a message to a queue that is gone would be confirmed and dropped.
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type("application/json".into());
        let mut sent = Vec::with_capacity(batch.len());
        for Message { announcement, trace } in batch {
            let properties = match trace {
                Some(trace) => properties.clone().with_headers(trace_headers::write(trace)),
                None => properties.clone(),
            };
            let exchange = self.broker.names.exchange.clone();
            let key = announcement.kind.as_str().into();
            let body = announcement.encode();
            sent.push(channel.basic_publish(exchange, key, options, &body, properties).await?);
        }
        Ok(sent)
    }
}

async fn confirmations(sent: Vec<PublisherConfirm>) -> Vec<bool> {
    let mut stored = Vec::with_capacity(sent.len());
    for confirm in sent {
        stored.push(confirm.await.is_ok_and(is_stored));
    }
    stored
}

/// An unroutable mandatory message is acknowledged *and* returned; only an acknowledgement without a return is a promise.
pub(super) fn is_stored(confirmation: Confirmation) -> bool {
    confirmation.is_ack() && confirmation.take_message().is_none()
}
