//! Which trace a job belongs to, as it stands in its row.

use crate::domain::TraceContext;
use crate::traces;
use tokio_postgres::Row;

/// The two columns; both null for a job that belongs to no trace, or to one that nobody records.
pub(super) struct Trace {
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
}

impl Trace {
    /// A job belongs to the trace of whoever asks for it.
    pub(super) fn current() -> Self {
        let current = traces::current();
        Self {
            tracestate: current.as_ref().and_then(TraceContext::tracestate).map(str::to_owned),
            traceparent: current.map(|context| context.traceparent()),
        }
    }
}

/// Reads the columns. What somebody else wrote there and cannot be understood is no trace: no job fails for it.
pub(super) fn read(row: &Row) -> Option<TraceContext> {
    let (parent, state): (Option<&str>, Option<&str>) = (row.get("traceparent"), row.get("tracestate"));
    let context: TraceContext = parent?.parse().ok()?;
    Some(state.map_or(context.clone(), |state| context.with_state(state)))
}
