//! A collector of traces that really listens: OTLP over HTTP, in protobuf.

use crate::support::fake_server::{FakeServer, Reply};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What an exporter is told to send at once, so that a test need not wait for it.
pub const SOON: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");

/// A span, as it came.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty for none.
    pub parent: String,
    pub state: String,
    pub name: String,
    pub kind: SpanKind,
    pub has_failed: bool,
    /// What is said of its failure.
    pub said: String,
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
    /// Nanoseconds since 1970.
    pub begun: u64,
    pub ended: u64,
}

impl Span {
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// It ends with its owner.
pub struct Collector(pub FakeServer);

impl Collector {
    pub async fn start() -> Self {
        Self(FakeServer::start(Reply::new(200, "")).await)
    }

    pub fn url(&self) -> String {
        self.0.url("")
    }

    /// All spans so far, in the order in which they began.
    pub fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for question in self.0.asked() {
            assert_eq!(question.header("content-type"), "application/x-protobuf");
            let request = ExportTraceServiceRequest::decode(question.body.as_slice()).unwrap();
            for part in request.resource_spans {
                let resource = texts(part.resource.unwrap().attributes);
                for span in part.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                    spans.push(Span {
                        kind: span.kind(),
                        has_failed: span.status.as_ref().is_some_and(|s| s.code() == StatusCode::Error),
                        said: span.status.map(|status| status.message).unwrap_or_default(),
                        trace: hexadecimal(&span.trace_id),
                        id: hexadecimal(&span.span_id),
                        parent: hexadecimal(&span.parent_span_id),
                        state: span.trace_state,
                        name: span.name,
                        attributes: texts(span.attributes),
                        resource: resource.clone(),
                        begun: span.start_time_unix_nano,
                        ended: span.end_time_unix_nano,
                    });
                }
            }
        }
        spans.sort_by_key(|span| span.begun);
        spans
    }

    pub fn spans_of(&self, trace: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.trace == trace).collect()
    }
}

/// Spans as a tree below `parent`, each with when it began after `zero`, and how long it took, in milliseconds.
pub fn tree(spans: &[Span], parent: &str, zero: u64, depth: usize) -> String {
    let mut text = String::new();
    for span in spans.iter().filter(|span| span.parent == parent) {
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        let (at, took) = (ms(span.begun.saturating_sub(zero)), ms(span.ended - span.begun));
        let name = format!("{}{}", "  ".repeat(depth), span.name);
        let failed = if span.has_failed { span.attribute("error.type") } else { "" };
        writeln!(text, "{name:<62} {at:>8.1} {took:>8.1}  {} {failed}", span.resource["darkroom.role"])
            .unwrap();
        text += &tree(spans, &span.id, zero, depth + 1);
    }
    text
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        other => format!("{other:?}"),
    };
    pairs.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}
