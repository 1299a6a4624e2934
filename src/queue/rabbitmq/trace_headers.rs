//! The trace of a message, in its headers, as W3C Trace Context has them for HTTP.

use crate::domain::TraceContext;
use lapin::types::{AMQPValue, FieldTable};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

pub(super) fn write(trace: &TraceContext) -> FieldTable {
    let mut headers = FieldTable::default();
    let text = |text: &str| AMQPValue::LongString(text.into());
    headers.insert(TRACEPARENT.into(), text(&trace.traceparent()));
    if let Some(state) = trace.tracestate() {
        headers.insert(TRACESTATE.into(), text(state));
    }
    headers
}

/// What cannot be understood is as if it were not there.
pub(super) fn read(headers: &FieldTable) -> Option<TraceContext> {
    let text = |name| match headers.inner().get(name)? {
        AMQPValue::LongString(text) => str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    };
    let context: TraceContext = text(TRACEPARENT)?.parse().ok()?;
    Some(match text(TRACESTATE) {
        Some(state) => context.with_state(state),
        None => context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_and_reads_over_the_rest() {
        let context: TraceContext =
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
        let context = context.with_state("vendor=1");
        let mut headers = write(&context);
        assert_eq!(read(&headers), Some(context));
        for value in
            [AMQPValue::Void, AMQPValue::LongLongInt(1), AMQPValue::LongString(vec![0xff; 55].into())]
        {
            headers.insert(TRACEPARENT.into(), value);
            assert_eq!(read(&headers), None);
        }
        assert_eq!(read(&FieldTable::default()), None);
    }
}
