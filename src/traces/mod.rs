//! Which trace work belongs to, and what is told of it: spans, named by OpenTelemetry's semantic conventions.
//!
//! Traces begin at requests. All else, such as a statement, is told of only while something that belongs to a trace goes on,
//! so that what polls makes none. Where nobody collects, no span is made and no work belongs to a trace.

mod spans;
mod work;

pub use spans::{
    Carried, Carrier, about, answered, ask, call, counted, fails, logged_as, process, publish, refused,
    request, stage, statement,
};
pub use work::{staged, staged_here};

use crate::domain::TraceContext;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState as State};
use std::num::{NonZeroU64, NonZeroU128};
use tracing::{Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Where the spans of this room are, and those of them that need no other to belong to.
const TARGET: &str = "darkroom::traces";
const ENTRY: &str = "darkroom::traces::entry";

/// Whether a span is told of, beside what is told of already.
#[must_use]
pub fn is_told(metadata: &Metadata<'_>, belongs: bool) -> bool {
    metadata.is_span() && (metadata.target() == ENTRY || metadata.target() == TARGET && belongs)
}

/// The span that goes on here, if it is of a trace that is being recorded: for whoever is asked to do something for it.
#[must_use]
pub fn current() -> Option<TraceContext> {
    Context::map_current(|context| told(context.span().span_context()))
}

/// The trace that is being recorded here, in 32 hexadecimal digits.
#[must_use]
pub fn current_id() -> Option<String> {
    current().map(|context| format!("{:032x}", context.trace()))
}

/// As [`current`], of a span that may have ended or not begun.
#[must_use]
pub fn of(span: &Span) -> Option<TraceContext> {
    told(span.context().span().span_context())
}

fn told(span: &SpanContext) -> Option<TraceContext> {
    let trace = NonZeroU128::new(u128::from_be_bytes(span.trace_id().to_bytes()))?;
    let id = NonZeroU64::new(u64::from_be_bytes(span.span_id().to_bytes()))?;
    let context = TraceContext::new(trace, id, true).with_state(&span.trace_state().header());
    span.is_sampled().then_some(context)
}

/// Makes `span` the continuation of what goes on elsewhere.
fn continue_from(span: &Span, elsewhere: &TraceContext) {
    let flags = if elsewhere.is_sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    // What is no list by the grammar is left out.
    let state = elsewhere.tracestate().and_then(|state| state.parse::<State>().ok()).unwrap_or_default();
    let (trace, id) = (elsewhere.trace().get(), elsewhere.span().get());
    let parent = SpanContext::new(TraceId::from(trace), SpanId::from(id), flags, true, state);
    // It fails where nobody collects.
    span.set_parent(Context::new().with_remote_span_context(parent)).ok();
}
