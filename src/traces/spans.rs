//! The spans there are, and their attributes (<https://opentelemetry.io/docs/specs/semconv/>). No name holds what only one
//! request has, and nothing holds a value of a statement, a query of a URL or a key.

use super::{ENTRY, TARGET, continue_from};
use crate::domain::{Attempt, ImageId, JobId, JobKind, Tokens, TraceContext};
use std::fmt::Display;
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Span, info_span};

/// A span of one of OpenTelemetry's kinds, which may turn out to fail. The first form begins a trace, or goes on with one from
/// elsewhere; the second belongs to what goes on here.
macro_rules! span {
    (entry $kind:literal, $name:expr, $($fields:tt)*) => {
        info_span!(
            target: ENTRY, parent: None, "darkroom", otel.name = $name, otel.kind = $kind,
            otel.status_description = Empty, "error.type" = Empty, $($fields)*
        )
    };
    ($kind:literal, $name:expr, $($fields:tt)*) => {
        info_span!(
            target: TARGET, "darkroom", otel.name = $name, otel.kind = $kind,
            otel.status_description = Empty, "error.type" = Empty, $($fields)*
        )
    };
}

/// A request that is answered here, such as `GET /api/images/{id}`. It goes on with the trace that the client says it belongs to.
/// Its path is not told, which may be as long and as odd as anybody likes; the route and the image are.
#[must_use]
pub fn request(method: &str, route: &'static str, parent: Option<&TraceContext>) -> Span {
    let span = span!(
        entry "server", display(format_args!("{method} {route}")),
        http.request.method = method, http.route = route, http.response.status_code = Empty,
        url.scheme = "http", darkroom.request_id = Empty, darkroom.image_id = Empty,
    );
    if let Some(parent) = parent {
        continue_from(&span, parent);
    }
    span
}

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// RabbitMQ.
    RabbitMq,
    /// A queue within this process.
    InProcess,
}

impl Carrier {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RabbitMq => "rabbitmq",
            Self::InProcess => "in_process",
        }
    }
}

/// A message about a job, and what carries it.
#[derive(Debug, Clone, Copy)]
pub struct Carried<'a> {
    /// Who carries it.
    pub by: Carrier,
    /// Where it is sent to, or comes from, in the form that the conventions have for the carrier.
    pub destination: &'a str,
    /// The job.
    pub job: JobId,
    /// Its image.
    pub image: ImageId,
    /// Its kind, which is RabbitMQ's routing key.
    pub kind: JobKind,
}

impl Carried<'_> {
    fn routing_key(&self) -> Option<&'static str> {
        (self.by == Carrier::RabbitMq).then(|| self.kind.as_str())
    }
}

/// A message is given to its carrier, in the trace of its job.
#[must_use]
pub fn publish(message: Carried<'_>, job: &TraceContext) -> Span {
    let span = span!(
        entry "producer", display(format_args!("publish {}", message.destination)),
        messaging.system = message.by.as_str(), messaging.destination.name = message.destination,
        messaging.operation.name = "publish", "messaging.operation.type" = "send",
        messaging.rabbitmq.destination.routing_key = message.routing_key(),
        darkroom.image_id = message.image.get(), darkroom.job_id = message.job.get(),
    );
    continue_from(&span, job);
    span
}

/// A message is worked on: one attempt at its job, which had waited, in the job's trace.
#[must_use]
pub fn process(message: Carried<'_>, attempt: Attempt, waited: Duration, job: &TraceContext) -> Span {
    let span = span!(
        entry "consumer", display(format_args!("process {}", message.destination)),
        messaging.system = message.by.as_str(), messaging.destination.name = message.destination,
        messaging.operation.name = "process", "messaging.operation.type" = "process",
        messaging.rabbitmq.destination.routing_key = message.routing_key(),
        darkroom.image_id = message.image.get(), darkroom.job_id = message.job.get(),
        darkroom.attempt = attempt.get(), darkroom.queue_ms = waited.as_secs_f64() * 1e3,
    );
    continue_from(&span, job);
    span
}

/// A step of the work in hand.
#[must_use]
pub fn stage(name: &'static str) -> Span {
    span!("internal", name,)
}

/// A statement for PostgreSQL; `summary` names its operations and tables.
#[must_use]
pub fn statement(summary: &dyn Display) -> Span {
    span!(
        "client",
        display(summary),
        db.system.name = "postgresql",
        db.query.summary = display(summary),
        db.response.status_code = Empty,
    )
}

/// A question to a model.
#[must_use]
pub fn ask(provider: &str, model: &str) -> Span {
    span!(
        "client",
        // Without the model, which the conventions would add: who asks for a caption may name any.
        "chat",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = provider,
        gen_ai.request.model = model,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
    )
}

/// A call of somebody else over HTTP.
#[must_use]
pub fn call(method: &str, scheme: &str, host: &str, port: u16) -> Span {
    span!(
        "client",
        method,
        http.request.method = method,
        url.scheme = scheme,
        server.address = host,
        server.port = port,
        http.response.status_code = Empty,
    )
}

/// The status that a request, or a call, is answered with; it has failed from `failing` on (500 or 400).
pub fn answered(span: &Span, status: u16, failing: u16) {
    span.record("http.response.status_code", status);
    if status >= failing {
        fails(span, &status.to_string());
    }
}

/// What PostgreSQL refused a statement with (SQLSTATE).
pub fn refused(span: &Span, sqlstate: &str) {
    span.record("db.response.status_code", sqlstate);
    fails(span, sqlstate);
}

/// What a model counted.
pub fn counted(span: &Span, tokens: Tokens) {
    span.record("gen_ai.usage.input_tokens", tokens.prompt);
    span.record("gen_ai.usage.output_tokens", tokens.completion);
}

/// The id that a request has in the log.
pub fn logged_as(span: &Span, request_id: &str) {
    span.record("darkroom.request_id", request_id);
}

/// The image that the request in hand turned out to be about.
pub fn about(image: ImageId) {
    Span::current().record("darkroom.image_id", image.get());
}

/// It has failed: `kind` is one of few. What is for people is in the log: texts may hold what others said, and what is secret.
pub fn fails(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_description", "");
}
