//! Questions that any number of callers want an answer to, asked once at a time.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer is passed on to others who ask.
pub(super) const FRESH: Duration = Duration::from_millis(500);

type Ask<T> = Box<dyn Fn() -> BoxFuture<'static, T> + Send + Sync>;
/// A question under way, or its answer and when it came; all who ask meanwhile wait for the same.
type Asked<T> = Shared<BoxFuture<'static, (Option<T>, Instant)>>;

/// A question that is never asked twice at the same time: if whoever is asked hangs, those who ask must not take one
/// connection or one thread after the other.
pub(super) struct Question<T: Clone> {
    ask: Ask<T>,
    asked: Mutex<Option<Asked<T>>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    TooLate,
    /// It panicked, or the process is ending.
    BrokenOff,
}

impl<T: Clone + Send + Sync + 'static> Question<T> {
    pub(super) fn new<F>(ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        Self { ask: Box::new(move || ask().boxed()), asked: Mutex::default() }
    }

    /// An answer that is fresh, if it comes within `patience`.
    pub(super) async fn answer(&self, patience: Duration) -> Result<T, Unanswered> {
        match tokio::time::timeout(patience, self.asked()).await {
            Ok((answer, _)) => answer.ok_or(Unanswered::BrokenOff),
            Err(_) => Err(Unanswered::TooLate),
        }
    }

    /// The question that is under way, the answer that has just come, or a new question.
    fn asked(&self) -> Asked<T> {
        // Nothing that can panic is done under the lock.
        let mut slot = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slot.as_ref().filter(|asked| asked.peek().is_none_or(|(_, at)| at.elapsed() < FRESH));
        if let Some(asked) = known {
            return asked.clone();
        }
        // On its own, so that it is brought to its end although those who asked have gone.
        let asking = tokio::spawn((self.ask)());
        let answer = async move { (asking.await.ok(), Instant::now()) };
        slot.insert(answer.boxed().shared()).clone()
    }
}
