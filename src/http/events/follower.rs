//! One client's way through the events: by the rows for as long as it is behind, then by what is told to all.

use super::feed::{Feed, News};
use super::places::Place;
use super::wire::{self, Message};
use crate::domain::{EventId, ImageId};
use bytes::Bytes;
use std::vec;
use tokio::sync::broadcast::{self, error::RecvError};

/// A client that takes events one after the other. It holds a page of them at the most, and no connection to Postgres.
pub(super) struct Follower {
    feed: Feed,
    news: broadcast::Receiver<News>,
    image: Option<ImageId>,
    /// All events up to here were taken, or are none of its business; `None` if it begins with what is kept.
    last: Option<EventId>,
    /// Rows that were read, and not taken yet.
    page: vec::IntoIter<Message>,
    /// Whether all that comes after `last` is told, so that no rows have to be read.
    is_live: bool,
    /// Whether it has to be told that it missed something.
    is_lost: bool,
    /// As often the database had become an older copy of itself when this client knew where it was.
    rewinds: u64,
    _place: Place,
}

impl Follower {
    /// A client of all events, beginning with those that are kept.
    pub(super) fn new(feed: Feed, news: broadcast::Receiver<News>, place: Place) -> Self {
        Self {
            rewinds: feed.rewinds(),
            feed,
            news,
            image: None,
            last: None,
            page: Vec::new().into_iter(),
            is_live: false,
            is_lost: false,
            _place: place,
        }
    }

    /// Only events of this image.
    pub(super) fn of(self, image: ImageId) -> Self {
        Self { image: Some(image), ..self }
    }

    /// Goes on after an event that the client has seen.
    pub(super) fn after(self, last: EventId) -> Self {
        Self { last: Some(last), ..self }
    }

    /// Goes on after the event that was told last when `news` had been subscribed to.
    pub(super) fn live_after(self, last: EventId) -> Self {
        Self { last: Some(last), is_live: true, ..self }
    }

    /// Has missed something, and has to be told so first.
    pub(super) fn lost(self) -> Self {
        Self { is_lost: true, ..self }
    }

    /// The next event, in the form in which it is sent.
    pub(super) async fn next(&mut self) -> Bytes {
        loop {
            if let Some(message) = self.page.next() {
                return message.text;
            }
            if !self.is_live {
                if let Some(reset) = self.catch_up().await {
                    return reset;
                }
                continue;
            }
            match self.news.recv().await {
                Ok(News::Event(message)) => {
                    if self.takes(&message) {
                        return message.text;
                    }
                }
                Ok(News::LookAgain) | Err(RecvError::Lagged(_)) => self.is_live = false,
                // The feed that we hold has the sender.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Whether this is new to the client, and its business.
    fn takes(&mut self, message: &Message) -> bool {
        if self.last.is_some_and(|last| message.id <= last) {
            return false;
        }
        self.last = Some(message.id);
        self.image.is_none_or(|image| message.image == image)
    }

    /// Reads the next page. If events that the client has not seen are forgotten, or those that it has seen do not exist, or
    /// the database is another one than before, there is nothing to go on from, and the answer is what to tell it.
    async fn catch_up(&mut self) -> Option<Bytes> {
        // Before looking at the rows: of what becomes of them from here on we hear as live news.
        let rewinds = self.feed.rewinds();
        let page = self.feed.read(self.last.unwrap_or(EventId::BEFORE_ALL), self.image).await;
        let is_rewound = std::mem::replace(&mut self.rewinds, rewinds) != rewinds;
        let is_beyond = self.last.is_some_and(|last| last < page.forgotten || last > page.newest.id);
        if std::mem::take(&mut self.is_lost) || is_rewound || is_beyond {
            self.last = Some(page.newest.id);
            return Some(wire::reset(page.newest.id, page.forgotten));
        }
        // Of another image there may have been more.
        let newest_read = if page.has_more { page.last } else { Some(page.newest) };
        self.last = newest_read.map(|newest| newest.id).or(self.last);
        self.is_live = !page.has_more;
        self.page = page.events.into_iter().map(Message::of).collect::<Vec<_>>().into_iter();
        None
    }
}
