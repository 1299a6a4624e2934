//! Steps of a job, each with a span that says how it went.

use super::{fails, stage};
use crate::domain::Failure;
use std::future::Future;
use tracing::{Instrument, Span};

/// Does `work`, as a step of what goes on.
///
/// # Errors
/// What `work` ends in.
pub async fn staged<T>(
    name: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let span = stage(name);
    let done = work.instrument(span.clone()).await;
    mark(&span, &done);
    done
}

/// As [`staged`], on this thread.
///
/// # Errors
/// What `work` ends in.
pub fn staged_here<T>(name: &'static str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let span = stage(name);
    let done = span.in_scope(work);
    mark(&span, &done);
    done
}

fn mark<T>(span: &Span, done: &Result<T, Failure>) {
    if let Err(failure) = done {
        fails(span, failure.code().as_str());
    }
}
