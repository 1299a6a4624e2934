//! Work on pixels: on a thread of its own, behind a panic boundary, and behind everything that somebody waits for.

use crate::domain::{Failure, FailureCode};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::oneshot;
use tracing::Span;

/// The niceness of the thread (setpriority(2)). An upload has a client that waits, a thumbnail seldom has: where API,
/// database and workers share processors, the pixels get a tenth of what each of the others gets. Alone, they get
/// everything. With 19, a fiftieth, uploads are no faster, and jobs come near their limits.
const NICENESS: i32 = 10;

/// Does `work`, and waits for it. Threads that `work` starts are as nice.
///
/// A thread of tokio's pool would stay nice afterwards, and with it whatever the pool does next: only the superuser may
/// take niceness back.
///
/// # Errors
/// What `work` ends in; `Panicked` if it panics, `OutOfThreads` if there is no thread to be had.
pub async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (tell, told) = oneshot::channel();
    // It goes on there.
    let span = Span::current();
    let thread = std::thread::Builder::new().name("pixels".to_owned()).spawn(move || {
        // Where it is not allowed, the work is done all the same. On Linux, "this process" means this thread.
        rustix::process::setpriority_process(None, NICENESS).ok();
        // `work` owns all that it touches, and nobody sees it after a panic.
        let done = catch_unwind(AssertUnwindSafe(|| span.in_scope(work)))
            .unwrap_or_else(|panic| Err(panicked(&*panic)));
        // Nobody may be waiting any more.
        tell.send(done).ok();
    });
    if let Err(error) = thread {
        let text = format!("no thread could be started: {error}");
        return Err(Failure::transient(FailureCode::OutOfThreads, text));
    }
    told.await.unwrap_or_else(|_| Err(panicked(&"its thread ended")))
}

/// The panic boundary: whatever a job does, the worker lives on.
fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => format!("the job panicked: {text}"),
        (_, Some(text)) => format!("the job panicked: {text}"),
        _ => "the job panicked".to_owned(),
    };
    Failure::permanent(FailureCode::Panicked, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_with_its_text() {
        let failure = on_own_thread::<()>(|| panic!("no such pixel")).await.unwrap_err();
        assert_eq!(
            (failure.code(), failure.text()),
            (FailureCode::Panicked, "the job panicked: no such pixel")
        );
    }

    #[tokio::test]
    async fn the_thread_is_nice_and_the_others_are_not() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = niceness();
        let inside = on_own_thread(move || Ok(niceness())).await.unwrap();
        assert_eq!((inside, niceness()), (before.max(NICENESS), before));
    }
}
