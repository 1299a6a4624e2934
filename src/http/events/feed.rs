//! One reader of events for all clients of this process.

use super::follower::Follower;
use super::places::Places;
use super::wire::Message;
use crate::domain::{Backoff, Caller, EventId, ImageId, Outage, reason};
use crate::http::refusal::Refusal;
use crate::http::throttle::Throttle;
use crate::settings::Settings;
use crate::store::{EventMark, EventPage, Kept, Notice, Notices, Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Events read by one statement. Each client may hold as many, besides what its connection holds.
const PAGE: i64 = 64;

/// The newest events, which all clients share. One that is further behind reads the rows.
const NEWEST: usize = 1024;

/// Clients that read rows at the same time: after a restart all of them do, and others want connections of the pool too.
const READERS: usize = 2;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

/// Each event that is not understood is one that all readers meet.
static UNREADABLE: Throttle = Throttle::new();

/// What the reader tells the clients.
#[derive(Clone)]
pub(super) enum News {
    /// An event, each once and in order.
    Event(Message),
    /// The reader goes on from another place than from what it told last: each client has to look at the rows.
    LookAgain,
}

/// How far the reader is.
#[derive(Clone, Copy)]
struct Told {
    last: EventMark,
    /// How often the database has become an older copy of itself meanwhile.
    rewinds: u64,
}

/// The events as they are numbered, for as many clients as there are places.
#[derive(Clone)]
pub struct Feed(Arc<Shared>);

struct Shared {
    store: Store,
    news: broadcast::Sender<News>,
    /// `None` before the rows were looked at for the first time.
    told: watch::Sender<Option<Told>>,
    readers: Semaphore,
    places: Places,
}

impl Feed {
    /// At most half of the server's `connections` are for its clients. They hear nothing before [`Feed::run`].
    #[must_use]
    pub fn new(store: &Store, settings: &Settings, connections: usize) -> Self {
        Self(Arc::new(Shared {
            store: store.clone(),
            news: broadcast::channel(NEWEST).0,
            told: watch::channel(None).0,
            readers: Semaphore::new(READERS),
            places: Places::new(settings.limits.max_event_clients.min(connections / 2).max(1)),
        }))
    }

    /// Reads and tells until `stop`; looks at the rows after `poll`, also if nothing was noticed.
    pub async fn run(self, notices: Notices, poll: Duration, stop: CancellationToken) {
        stop.run_until_cancelled(self.tell_for_ever(notices, poll)).await;
    }

    /// How many clients there are.
    pub(in crate::http) fn clients(&self) -> usize {
        self.0.places.taken()
    }

    /// A client of all events after `last`, or from now on. "Now" is known once the rows have been looked at.
    pub(super) async fn follow_all(
        &self,
        caller: &Caller,
        last: Option<EventId>,
    ) -> Result<Follower, Refusal> {
        let place = self.0.places.take(caller)?;
        // Before looking at what was told last: what is told from here on is received.
        let news = self.0.news.subscribe();
        let follower = Follower::new(self.clone(), news, place);
        match last {
            Some(last) => Ok(follower.after(last)),
            None => {
                let told =
                    self.0.told.subscribe().wait_for(Option::is_some).await.ok().and_then(|told| *told);
                Ok(follower.live_after(told.ok_or(Refusal::Starting)?.last.id))
            }
        }
    }

    /// A client of the events of one image after `last`; or of all of them, which have to be kept.
    pub(super) fn follow_image(
        &self,
        caller: &Caller,
        (image, kept): (ImageId, Kept),
        last: Option<EventId>,
    ) -> Result<Follower, Refusal> {
        let place = self.0.places.take(caller)?;
        let follower = Follower::new(self.clone(), self.0.news.subscribe(), place).of(image);
        Ok(match (last, kept) {
            (Some(last), _) => follower.after(last),
            (None, Kept::Whole) => follower,
            (None, Kept::Rest) => follower.lost(),
        })
    }

    /// How often the database has become an older copy of itself since this process reads it.
    pub(super) fn rewinds(&self) -> u64 {
        self.0.told.borrow().map_or(0, |told| told.rewinds)
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
            let after = told.map_or(EventId::BEFORE_ALL, |told| told.last.id);
            let page = self.0.store.events_after(after, None, PAGE).await?;
            let Some(Told { last, rewinds }) = told else {
                // What was before this process is no news.
                self.go_on_from(Told { last: page.newest, rewinds: 0 });
                return Ok(());
            };
            if !page.follows(last) {
                tracing::warn!(
                    told = last.id.get(),
                    newest = page.newest.id.get(),
                    "what follows the event that was told last is not known (is the database an older copy of itself?); \
                     those who listen are told to look again"
                );
                self.go_on_from(Told { last: page.newest, rewinds: rewinds + 1 });
                return Ok(());
            }
            let has_more = page.has_more;
            self.tell(page, rewinds);
            if !has_more {
                return Ok(());
            }
        }
    }

    fn tell(&self, page: EventPage, rewinds: u64) {
        // First: who subscribed before it saw this will receive all that comes after it.
        if let Some(last) = page.last {
            self.0.told.send_replace(Some(Told { last, rewinds }));
        }
        for event in page.events {
            self.send(News::Event(Message::of(event)));
        }
        for error in page.unreadable {
            if let Some(untold) = UNREADABLE.admit(Instant::now()) {
                let error = reason(&error);
                tracing::warn!(error, untold, "an event is passed over; the next such line in a minute");
            }
        }
    }

    fn go_on_from(&self, told: Told) {
        self.0.told.send_replace(Some(told));
        self.send(News::LookAgain);
    }

    fn send(&self, news: News) {
        // An error only means that nobody listens at this moment.
        self.0.news.send(news).ok();
    }
}
