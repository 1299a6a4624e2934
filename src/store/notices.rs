//! What Postgres tells those who wait (a notification arrives when, and only if, its transaction commits), and what one part of
//! a process tells the others.

use super::{Store, StoreError};
use crate::domain::{Backoff, ImageId, JobKind, Outage, reason};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_postgres::{AsyncMessage, NoTls};
use tokio_util::sync::CancellationToken;

/// Something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A job may be due: of this kind, or of any.
    JobDue(Option<JobKind>),
    /// This image changed.
    ImageChanged(ImageId),
    /// Events were numbered.
    EventsNumbered,
    /// Notices may have been missed: look again.
    Resumed,
}

/// A source of notices, fed by one connection that reconnects by itself. Wake-ups only: what happened is in the rows.
#[derive(Clone)]
pub struct Notices {
    sender: broadcast::Sender<Notice>,
}

/// One reader of notices.
pub struct Subscription {
    receiver: broadcast::Receiver<Notice>,
}

impl Notices {
    /// Starts to listen until `stop`.
    #[must_use]
    pub fn start(store: &Store, stop: CancellationToken) -> Self {
        let (sender, _) = broadcast::channel(1024);
        let notices = Self { sender };
        let (this, store) = (notices.clone(), store.clone());
        tokio::spawn(async move { stop.run_until_cancelled(this.listen_for_ever(&store)).await });
        notices
    }

    /// Subscribe before looking at the rows, then nothing is missed in between.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription { receiver: self.sender.subscribe() }
    }

    /// Tells the readers in this process alone, of what those in others need not hear: an upload that its own relay announces.
    /// Should that be ending, or be out of touch with the broker, another relay finds the job when it polls.
    pub fn wake(&self, notice: Notice) {
        self.tell(notice);
    }

    async fn listen_for_ever(&self, store: &Store) {
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        let (mut failures, mut outage) = (0, Outage::none());
        loop {
            let error = match self.listen(store, &mut failures, &mut outage).await {
                Ok(()) => "the connection ended".to_owned(),
                Err(error) => reason(&error),
            };
            if outage.fails(&error) {
                tracing::warn!(error, "no notifications; polling until they come again");
            }
            failures += 1;
            tokio::time::sleep(backoff.delay(failures, rand::random())).await;
        }
    }

    async fn listen(&self, store: &Store, failures: &mut u32, outage: &mut Outage) -> Result<(), StoreError> {
        let unavailable = |source| StoreError::Unavailable {
            doing: "listening for notifications",
            source: Box::new(source),
        };
        let (client, mut connection) = store.connection.connect(NoTls).await.map_err(unavailable)?;
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        // The statement is answered only while the connection is being polled, which is the loop below.
        let listen =
            client.batch_execute("listen darkroom_jobs; listen darkroom_images; listen darkroom_events");
        tokio::pin!(listen);
        let mut listening = false;
        loop {
            tokio::select! {
                done = &mut listen, if !listening => {
                    done.map_err(unavailable)?;
                    (listening, *failures) = (true, 0);
                    if let Some(lasted) = outage.ends() {
                        tracing::info!(seconds = lasted.as_secs(), "notifications come again");
                    }
                    self.tell(Notice::Resumed);
                }
                message = messages.next() => match message {
                    Some(Ok(AsyncMessage::Notification(note))) => match (note.channel(), note.payload().parse()) {
                        ("darkroom_images", Ok(image)) => self.tell(Notice::ImageChanged(ImageId::new(image))),
                        ("darkroom_events", _) => self.tell(Notice::EventsNumbered),
                        _ => self.tell(Notice::JobDue(note.payload().parse().ok())),
                    },
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(unavailable(error)),
                    None => return Ok(()),
                },
            }
        }
    }

    fn tell(&self, notice: Notice) {
        // An error only means that nobody is waiting at this moment.
        self.sender.send(notice).ok();
    }
}

impl Subscription {
    /// The next notice. A reader that was too slow gets [`Notice::Resumed`] in place of what it missed.
    pub async fn next(&mut self) -> Notice {
        match self.receiver.recv().await {
            Ok(notice) => notice,
            Err(broadcast::error::RecvError::Lagged(_)) => Notice::Resumed,
            // The sender lives in the task and in every `Notices`; without either nothing will ever come.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Forgets what has gathered, to be called before looking at the rows.
    pub fn drain(&mut self) {
        while !matches!(
            self.receiver.try_recv(),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed)
        ) {}
    }
}
