//! Consuming: an explicit loop of connect, declare, subscribe, deliver; whatever fails, it starts over with backoff.

use super::super::announcement::Announcement;
use super::super::{Delivery, Message, QueueError, Receipt};
use super::{Broker, answered, trace_headers};
use crate::domain::{Backoff, JobKind, Outage, reason};
use futures_util::StreamExt;
use lapin::message::Delivery as Delivered;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    BasicRejectOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use std::sync::Arc;
use std::time::Duration;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));

pub(in crate::queue) struct Subscriber {
    broker: Broker,
    kind: JobKind,
    /// By the conventions for traces: exchange, routing key and queue.
    source: Arc<str>,
    prefetch: u16,
    subscription: Option<Subscription>,
    failures: u32,
    /// What the log knows of its not working.
    outage: Outage,
}

struct Subscription {
    /// Held so that deliveries can be acknowledged after the consumer is cancelled.
    channel: Channel,
    consumer: Consumer,
}

impl Subscriber {
    pub(in crate::queue) fn new(broker: Broker, kind: JobKind, prefetch: u16) -> Self {
        let source = format!("{}:{kind}:{}", broker.exchange(), broker.names.queue(kind)).into();
        Self { broker, kind, source, prefetch, subscription: None, failures: 0, outage: Outage::none() }
    }

    pub(in crate::queue) async fn next(&mut self) -> Delivery {
        loop {
            let Some(subscription) = &mut self.subscription else {
                self.subscribe().await;
                continue;
            };
            let Ok(arrived) = tokio::time::timeout(self.broker.patience, subscription.consumer.next()).await
            else {
                self.doubt().await;
                continue;
            };
            match arrived {
                Some(Ok(message)) => {
                    self.failures = 0;
                    match Announcement::decode(self.kind, &message.data) {
                        Ok(announcement) => {
                            let trace = message.properties.headers().as_ref().and_then(trace_headers::read);
                            return Delivery {
                                message: Message { announcement, trace },
                                source: self.source.clone(),
                                receipt: Receipt::RabbitMq(Box::new(message)),
                            };
                        }
                        Err(malformed) => {
                            let (bytes, error) = (message.data.len(), reason(&malformed));
                            tracing::warn!(queue = %self.kind, bytes, error, "a message is no announcement; dead-lettered, see --dead-letters");
                            let reject = BasicRejectOptions { requeue: false };
                            note("dead-lettering", message.reject(reject).await);
                        }
                    }
                }
                // None: the queue was deleted, or the channel closed. Either way, from the start.
                Some(Err(_)) | None => self.subscription = None,
            }
        }
    }

    /// Nothing came for a while. If messages wait all the same, the broker has forgotten this consumer: a queue that was
    /// deleted and declared anew at the same moment does that, without a word (seen with RabbitMQ 3.10).
    async fn doubt(&mut self) {
        match self.broker.waiting(self.kind).await {
            Ok(0) => {}
            Ok(waiting) => {
                tracing::warn!(queue = %self.kind, waiting, "messages wait and none is delivered; subscribing again");
                self.subscription = None;
            }
            // The stream will tell.
            Err(_) => {}
        }
    }

    /// Tries once; after a failure it waits, so that a broker that is away is not hammered.
    async fn subscribe(&mut self) {
        if self.failures > 0 {
            tokio::time::sleep(BACKOFF.delay(self.failures, rand::random())).await;
        }
        // Counted before the attempt: it is forgotten by the first delivery, or by a subscription that lasts.
        self.failures += 1;
        match self.try_subscribe().await {
            Ok(subscription) => {
                if let Some(lasted) = self.outage.ends() {
                    tracing::info!(queue = %self.kind, seconds = lasted.as_secs(), "consuming again");
                }
                self.failures = 1;
                self.subscription = Some(subscription);
            }
            Err(error) => {
                let error = reason(&error);
                if self.outage.fails(&error) {
                    tracing::warn!(queue = %self.kind, error, "cannot consume; trying until it works");
                }
            }
        }
    }

    async fn try_subscribe(&self) -> Result<Subscription, QueueError> {
        let channel = self.broker.channel().await?;
        let (patience, queue) = (self.broker.patience, self.broker.names.queue(self.kind));
        // Before basic.consume: the limit holds for consumers that come after it.
        let limiting = channel.basic_qos(self.prefetch, BasicQosOptions::default());
        answered("limiting the prefetch", patience, limiting).await?;
        let (tag, options) = ("".into(), BasicConsumeOptions::default());
        let consuming = channel.basic_consume(queue, tag, options, FieldTable::default());
        let consumer = answered("subscribing", patience, consuming).await?;
        Ok(Subscription { channel, consumer })
    }

    pub(in crate::queue) async fn stop(&mut self) {
        let Some(Subscription { channel, consumer }) = &mut self.subscription else { return };
        let cancelling = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
        if answered("cancelling", self.broker.patience, cancelling).await.is_err() {
            return;
        }
        // After the broker agreed to the end, what had arrived before ends with None.
        while let Ok(Some(Ok(message))) = tokio::time::timeout(self.broker.patience, consumer.next()).await {
            give_back(&message).await;
        }
    }
}

pub(in crate::queue) async fn acknowledge(message: &Delivered) {
    note("acknowledging", message.ack(BasicAckOptions::default()).await);
}

pub(in crate::queue) async fn give_back(message: &Delivered) {
    note(
        "giving back",
        message.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await,
    );
}

/// A delivery from before a reconnect cannot be settled; it comes again, and its row decides.
fn note(doing: &'static str, outcome: lapin::Result<bool>) {
    if let Err(error) = outcome {
        tracing::debug!(error = reason(&error), doing, "a delivery will come again");
    }
}
