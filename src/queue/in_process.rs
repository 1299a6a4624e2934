//! The carrier of standalone: one queue in memory for each kind of job.
//!
//! It needs no bound, since a message is a few numbers and the relay takes each job into it once.

use super::Message;
use crate::domain::JobKind;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

#[derive(Clone, Default)]
pub(super) struct Lanes {
    image: Arc<Lane>,
    caption: Arc<Lane>,
    webhook: Arc<Lane>,
}

#[derive(Default)]
struct Lane {
    waiting: Mutex<VecDeque<Message>>,
    arrived: Notify,
}

impl Lanes {
    fn lane(&self, kind: JobKind) -> &Lane {
        match kind {
            JobKind::Image => &self.image,
            JobKind::Caption => &self.caption,
            JobKind::Webhook => &self.webhook,
        }
    }

    /// Always succeeds; the answer is for the face of the queue.
    pub(super) fn push(&self, message: Message) -> bool {
        let lane = self.lane(message.announcement.kind);
        lane.queue(|waiting| waiting.push_back(message));
        lane.arrived.notify_one();
        true
    }

    pub(super) async fn pop(&self, kind: JobKind) -> Message {
        let lane = self.lane(kind);
        loop {
            // Registered before looking: a push in between is remembered by the Notify.
            let arrived = lane.arrived.notified();
            let (next, more) = lane.queue(|waiting| (waiting.pop_front(), !waiting.is_empty()));
            if more {
                // One permit may stand for several pushes; pass it on to the next consumer.
                lane.arrived.notify_one();
            }
            match next {
                Some(message) => return message,
                None => arrived.await,
            }
        }
    }

    pub(super) fn waiting(&self, kind: JobKind) -> u64 {
        self.lane(kind).queue(|waiting| waiting.len() as u64)
    }
}

impl Lane {
    fn queue<T>(&self, work: impl FnOnce(&mut VecDeque<Message>) -> T) -> T {
        // No code in `work` can panic half-way, so a poisoned queue is still whole.
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ImageId, JobId};
    use crate::queue::Announcement;

    fn message(job: i64) -> Message {
        let announcement =
            Announcement { job: JobId::new(job), image: ImageId::new(1), kind: JobKind::Image };
        Message { announcement, trace: None }
    }

    #[tokio::test]
    async fn every_announcement_reaches_exactly_one_of_many_consumers() {
        let lanes = Lanes::default();
        let consumers: Vec<_> = (0..4)
            .map(|_| {
                let lanes = lanes.clone();
                tokio::spawn(async move {
                    let mut got = Vec::new();
                    loop {
                        match lanes.pop(JobKind::Image).await.announcement.job.get() {
                            0 => return got,
                            job => got.push(job),
                        }
                    }
                })
            })
            .collect();
        for job in 1..=1000 {
            assert!(lanes.push(message(job)));
        }
        for _ in 0..4 {
            lanes.push(message(0));
        }
        let mut all = Vec::new();
        for consumer in consumers {
            all.extend(consumer.await.unwrap());
        }
        all.sort_unstable();
        assert_eq!(all, (1..=1000).collect::<Vec<_>>());
        assert_eq!(lanes.waiting(JobKind::Image), 0);
    }
}
