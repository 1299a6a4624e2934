//! Carries announcements of jobs from the relay to the workers. What it loses, doubles or delays harms nothing.
//!
//! Two carriers, one face: RabbitMQ between processes, and a plain queue within one.

mod announcement;
mod dead_letters;
mod in_process;
mod rabbitmq;

pub use announcement::Announcement;
pub use dead_letters::{DeadLetter, DeadLetters};

use crate::domain::{Attempt, JobKind, TraceContext};
use crate::settings;
use crate::traces::{self, Carried};
use in_process::Lanes;
use rabbitmq::{Broker, Publishers, Subscriber};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tracing::Span;

/// What can go wrong with the broker.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The URL cannot be understood. Its text is not repeated, since it holds a password.
    #[error("amqp.url cannot be understood")]
    Url,
    /// The broker refused, or the connection is gone.
    #[error("the broker failed {doing}")]
    Broker {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: lapin::Error,
    },
    /// The broker was silent for too long.
    #[error("the broker did not answer in time {0}")]
    Silent(&'static str),
}

/// A carrier of announcements.
#[derive(Clone)]
pub struct Queue(Carrier);

#[derive(Clone)]
enum Carrier {
    RabbitMq { broker: Broker, publishers: Arc<Publishers> },
    InProcess(Lanes),
}

impl Queue {
    /// A carrier within this process; it forgets when the process ends.
    #[must_use]
    pub fn in_process() -> Self {
        Self(Carrier::InProcess(Lanes::default()))
    }

    /// RabbitMQ; connects only when something is asked.
    ///
    /// # Errors
    /// If the URL cannot be understood.
    pub fn rabbitmq(url: &SecretString, settings: &settings::Amqp) -> Result<Self, QueueError> {
        let broker = Broker::new(url, settings)?;
        let publishers = Arc::new(Publishers::new(&broker));
        Ok(Self(Carrier::RabbitMq { broker, publishers }))
    }

    /// Hands messages of one kind to the carrier. The answer says of each, in order, whether it is stored safely. Each kind
    /// has a road of its own: one whose queue takes nothing is not in the way of the other.
    ///
    /// # Errors
    /// If none was, because the broker is away.
    pub async fn publish(&self, kind: JobKind, mut batch: Vec<Message>) -> Result<Vec<bool>, QueueError> {
        let (by, destination) = self.destination(kind);
        let spans: Vec<Span> = batch.iter_mut().map(|message| message.publishing(by, &destination)).collect();
        let stored = match &self.0 {
            Carrier::RabbitMq { publishers, .. } => publishers.of(kind).publish(&batch).await,
            Carrier::InProcess(lanes) => Ok(batch.into_iter().map(|message| lanes.push(message)).collect()),
        };
        for (index, span) in spans.iter().enumerate() {
            match &stored {
                Ok(stored) if stored.get(index) == Some(&true) => {}
                Ok(_) => traces::fails(span, "returned"),
                Err(_) => traces::fails(span, "unconfirmed"),
            }
        }
        stored
    }

    /// The carrier and where it takes messages of a kind, by the conventions for traces.
    fn destination(&self, kind: JobKind) -> (traces::Carrier, String) {
        match &self.0 {
            Carrier::RabbitMq { broker, .. } => {
                (traces::Carrier::RabbitMq, format!("{}:{kind}", broker.exchange()))
            }
            Carrier::InProcess(_) => (traces::Carrier::InProcess, kind.to_string()),
        }
    }

    /// Begins to receive announcements of a kind; at most `prefetch` are in hand before one is acknowledged.
    #[must_use]
    pub fn consume(&self, kind: JobKind, prefetch: u16) -> Consumer {
        Consumer(match &self.0 {
            Carrier::RabbitMq { broker, .. } => {
                Source::RabbitMq(Box::new(Subscriber::new(broker.clone(), kind, prefetch)))
            }
            Carrier::InProcess(lanes) => Source::InProcess { lanes: lanes.clone(), kind },
        })
    }

    /// How many announcements of a kind wait, not counting those in the hands of consumers.
    ///
    /// # Errors
    /// If the broker is away.
    pub async fn waiting(&self, kind: JobKind) -> Result<u64, QueueError> {
        match &self.0 {
            Carrier::RabbitMq { broker, .. } => broker.waiting(kind).await,
            Carrier::InProcess(lanes) => Ok(lanes.waiting(kind)),
        }
    }

    /// Takes up to `limit` dead letters in hand, oldest first.
    ///
    /// # Errors
    /// If the broker is away, or nothing was ever declared under this prefix.
    pub async fn dead_letters(&self, limit: usize) -> Result<DeadLetters, QueueError> {
        match &self.0 {
            Carrier::RabbitMq { broker, .. } => broker.dead_letters(limit).await,
            Carrier::InProcess(_) => Ok(DeadLetters::NONE),
        }
    }

    /// Asks the carrier for a sign of life.
    ///
    /// # Errors
    /// If the broker is away.
    pub async fn check(&self) -> Result<(), QueueError> {
        match &self.0 {
            Carrier::RabbitMq { broker, .. } => broker.check().await,
            Carrier::InProcess(_) => Ok(()),
        }
    }

    /// Whether what was announced is forgotten when this process ends.
    #[must_use]
    pub const fn forgets(&self) -> bool {
        matches!(self.0, Carrier::InProcess(_))
    }

    /// Closes the connection, if there is one; what was not acknowledged is delivered again.
    pub async fn close(&self) {
        if let Carrier::RabbitMq { broker, .. } = &self.0 {
            broker.close().await;
        }
    }
}

/// Receives announcements; reconnects by itself for as long as it takes.
pub struct Consumer(Source);

enum Source {
    RabbitMq(Box<Subscriber>),
    InProcess { lanes: Lanes, kind: JobKind },
}

impl Consumer {
    /// The next announcement. May be dropped while it waits, without losing one.
    pub async fn next(&mut self) -> Delivery {
        match &mut self.0 {
            Source::RabbitMq(subscriber) => subscriber.next().await,
            Source::InProcess { lanes, kind } => {
                let message = lanes.pop(*kind).await;
                Delivery { message, source: kind.as_str().into(), receipt: Receipt::InProcess(lanes.clone()) }
            }
        }
    }

    /// Takes no more: what has arrived and was not handed out goes back to the queue at once. What was handed out can
    /// still be acknowledged until the consumer is dropped.
    pub async fn stop(&mut self) {
        if let Source::RabbitMq(subscriber) = &mut self.0 {
            subscriber.stop().await;
        }
    }
}

/// What is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub announcement: Announcement,
    /// The trace that it says the job belongs to.
    pub trace: Option<TraceContext>,
}

impl Message {
    /// The span of its being published, which it carries on from here.
    fn publishing(&mut self, by: traces::Carrier, destination: &str) -> Span {
        let Some(job) = &self.trace else { return Span::none() };
        let Announcement { job: id, image, kind } = self.announcement;
        let span = traces::publish(Carried { by, destination, job: id, image, kind }, job);
        // Where nobody collects, the next one may.
        self.trace = traces::of(&span).or_else(|| self.trace.take());
        span
    }
}

/// A message in hand. Dropped without a word, it comes again when the channel closes.
#[must_use]
pub struct Delivery {
    message: Message,
    /// Where it comes from, by the conventions for traces.
    source: Arc<str>,
    receipt: Receipt,
}

enum Receipt {
    RabbitMq(Box<lapin::message::Delivery>),
    InProcess(Lanes),
}

impl Delivery {
    /// What it says.
    #[must_use]
    pub const fn announcement(&self) -> Announcement {
        self.message.announcement
    }

    /// The span of an attempt at its job, which had waited. The row of the job says which trace that is, if any; the message
    /// only says which span announced it.
    #[must_use]
    pub fn processing(&self, attempt: Attempt, waited: Duration, row: Option<&TraceContext>) -> Span {
        let Some(row) = row else { return Span::none() };
        let by = match self.receipt {
            Receipt::RabbitMq(_) => traces::Carrier::RabbitMq,
            Receipt::InProcess(_) => traces::Carrier::InProcess,
        };
        let Announcement { job, image, kind } = self.message.announcement;
        let message = Carried { by, destination: &self.source, job, image, kind };
        traces::process(message, attempt, waited, &row.announced_by(self.message.trace.as_ref()))
    }

    /// The job is settled; the carrier may forget it. A failure is harmless: the message comes again and is refused by
    /// its row.
    pub async fn acknowledge(self) {
        if let Receipt::RabbitMq(message) = self.receipt {
            rabbitmq::acknowledge(&message).await;
        }
    }

    /// The job could not even be looked at; the message goes back.
    pub async fn give_back(self) {
        match self.receipt {
            Receipt::RabbitMq(message) => rabbitmq::give_back(&message).await,
            Receipt::InProcess(lanes) => drop(lanes.push(self.message)),
        }
    }
}
