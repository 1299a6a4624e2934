//! One client's way through the events: by the rows for as long as it is behind, then by what is told to all.

use super::feed::{Feed, News};
use super::wire::{self, Message};
use crate::domain::{EventId, ImageId};
use bytes::Bytes;
use std::vec;
use tokio::sync::OwnedSemaphorePermit;
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
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// A client of all events, beginning with those that are kept.
    pub(super) fn new(feed: Feed, news: broadcast::Receiver<News>, place: OwnedSemaphorePermit) -> Self {
        Self {
            feed,
            news,
            image: None,
            last: None,
            page: Vec::new().into_iter(),
            is_live: false,
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
                Ok(News::Rewound) | Err(RecvError::Lagged(_)) => self.is_live = false,
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

    /// Reads the next page. If events that the client has not seen are forgotten, or those that it has seen do not exist,
    /// there is nothing to go on from, and the answer is what to tell it.
    async fn catch_up(&mut self) -> Option<Bytes> {
        let page = self.feed.read(self.last.unwrap_or(EventId::BEFORE_ALL), self.image).await;
        if self.last.is_some_and(|last| last < page.forgotten || last > page.newest) {
            self.last = Some(page.newest);
            return Some(wire::reset(page.newest, page.forgotten));
        }
        // Of another image there may have been more.
        let newest_read =
            if page.has_more { page.events.last().map(|event| event.id) } else { Some(page.newest) };
        self.last = newest_read.or(self.last);
        self.is_live = !page.has_more;
        self.page = page.events.into_iter().map(Message::of).collect::<Vec<_>>().into_iter();
        None
    }
}
