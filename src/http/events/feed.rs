//! One reader of events for all clients of this process.

use super::follower::Follower;
use super::wire::Message;
use crate::domain::{Backoff, EventId, ImageId, Outage, reason};
use crate::http::refusal::Refusal;
use crate::settings::Settings;
use crate::store::{EventPage, Notice, Notices, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Events read by one statement. Each client may hold as many, besides what its connection holds.
const PAGE: i64 = 64;

/// The newest events, which all clients share. One that is further behind reads the rows.
const NEWEST: usize = 1024;

/// Clients that read rows at the same time: after a restart all of them do, and others want connections of the pool too.
const READERS: usize = 2;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

/// What the reader tells the clients.
#[derive(Clone)]
pub(super) enum News {
    /// An event, each once and in order.
    Event(Message),
    /// There are fewer events than there were (the database is an older copy): each client has to look where it is.
    Rewound,
}

/// The events as they are numbered, for as many clients as there are places.
#[derive(Clone)]
pub struct Feed(Arc<Shared>);

struct Shared {
    store: Store,
    news: broadcast::Sender<News>,
    /// The last event that was told; `None` before the rows were looked at for the first time.
    told: watch::Sender<Option<EventId>>,
    readers: Semaphore,
    places: Arc<Semaphore>,
}

impl Feed {
    /// Starts to read until `stop`. At most half of the server's `connections` are for its clients.
    #[must_use]
    pub fn start(
        store: &Store,
        notices: Notices,
        settings: &Settings,
        connections: usize,
        stop: CancellationToken,
    ) -> Self {
        let places = settings.limits.max_event_clients.min(connections / 2).max(1);
        let shared = Shared {
            store: store.clone(),
            news: broadcast::channel(NEWEST).0,
            told: watch::channel(None).0,
            readers: Semaphore::new(READERS),
            places: Arc::new(Semaphore::new(places)),
        };
        let (feed, poll) = (Self(Arc::new(shared)), settings.relay.poll);
        let reader = feed.clone();
        tokio::spawn(async move { stop.run_until_cancelled(reader.tell_for_ever(notices, poll)).await });
        feed
    }

    /// A client of all events after `last`, or from now on. "Now" is known once the rows have been looked at.
    pub(super) async fn follow_all(&self, last: Option<EventId>) -> Result<Follower, Refusal> {
        let place = self.place()?;
        // Before looking at what was told last: what is told from here on is received.
        let news = self.0.news.subscribe();
        let follower = Follower::new(self.clone(), news, place);
        match last {
            Some(last) => Ok(follower.after(last)),
            None => {
                let told =
                    self.0.told.subscribe().wait_for(Option::is_some).await.ok().and_then(|told| *told);
                Ok(follower.live_after(told.ok_or(Refusal::Starting)?))
            }
        }
    }

    /// A client of the events of one image after `last`, or of all that are kept.
    pub(super) fn follow_image(&self, image: ImageId, last: Option<EventId>) -> Result<Follower, Refusal> {
        let follower = Follower::new(self.clone(), self.0.news.subscribe(), self.place()?).of(image);
        Ok(match last {
            Some(last) => follower.after(last),
            None => follower,
        })
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.0.places.clone().try_acquire_owned().map_err(|_| Refusal::TooManyEventClients)
    }

    /// The next rows, as soon as Postgres gives them. If it does not, [`Feed::tell_for_ever`] says so for all clients.
    pub(super) async fn read(&self, last: EventId, image: Option<ImageId>) -> EventPage {
        let mut failures = 0;
        loop {
            let place = self.0.readers.acquire().await;
            let read = self.0.store.events_after(last, image, PAGE).await;
            drop(place);
            match read {
                Ok(page) => return page,
                Err(error) => {
                    tracing::debug!(error = reason(&error), "a client waits for events");
                    failures += 1;
                    tokio::time::sleep(BACKOFF.delay(failures, rand::random())).await;
                }
            }
        }
    }

    async fn tell_for_ever(&self, notices: Notices, poll: Duration) {
        let mut notices = notices.subscribe();
        let (mut failures, mut outage) = (0, Outage::none());
        loop {
            // Before looking at the rows: what is numbered from here on is noticed.
            notices.drain();
            match self.tell_all().await {
                Ok(()) => {
                    if let Some(lasted) = outage.ends() {
                        tracing::info!(seconds = lasted.as_secs(), "events come again");
                    }
                    failures = 0;
                    let is_news = |notice| matches!(notice, Notice::EventsNumbered | Notice::Resumed);
                    let noticed = async { while !is_news(notices.next().await) {} };
                    // Running out of time is the ordinary case of the safety net.
                    tokio::time::timeout(poll, noticed).await.ok();
                }
                Err(error) => {
                    let error = reason(&error);
                    if outage.fails(&error) {
                        tracing::warn!(error, "no events; those who listen wait until they come again");
                    }
                    failures += 1;
                    tokio::time::sleep(BACKOFF.delay(failures, rand::random())).await;
                }
            }
        }
    }

    /// Tells all that was numbered since the last time.
    async fn tell_all(&self) -> Result<(), StoreError> {
        loop {
            let told = *self.0.told.borrow();
            // What was before this process is no news.
            let page = self.0.store.events_after(told.unwrap_or(EventId::BEFORE_ALL), None, PAGE).await?;
            if told.is_none_or(|told| page.newest < told) {
                self.0.told.send_replace(Some(page.newest));
                self.tell(News::Rewound);
                return Ok(());
            }
            for event in page.events {
                // In this order: who subscribed before it saw this number will receive all that are higher.
                self.0.told.send_replace(Some(event.id));
                self.tell(News::Event(Message::of(event)));
            }
            if !page.has_more {
                return Ok(());
            }
        }
    }

    fn tell(&self, news: News) {
        // An error only means that nobody listens at this moment.
        self.0.news.send(news).ok();
    }
}
