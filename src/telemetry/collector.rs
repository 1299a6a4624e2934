//! Spans on their way to a collector: OTLP over HTTP, in batches, by a thread of its own. It waits for nobody and nobody waits
//! for it: what a collector that is slow or away does not take is dropped once 2,048 spans wait.

use crate::domain::{Outage, reason};
use crate::outgoing::{self, read_bounded, root_cause};
use crate::settings::Traces;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use reqwest::Client;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;

/// The longest that a collector may take for one try at a batch, and for how long it is tried again.
const EXPORT: Duration = Duration::from_secs(10);

/// More of an answer is not read: what a collector has to say is short.
const ANSWER: usize = 64 * 1024;

/// Settings with which traces cannot be sent. None of the texts holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// `traces.headers` is no list of headers.
    #[error("traces.headers must be name=value, several separated by commas")]
    Headers,
    /// The URL cannot be used.
    #[error("traces.url")]
    Url(#[source] ExporterBuildError),
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client of traces (are CA certificates installed?)")]
    Client(#[source] reqwest::Error),
}

/// Who takes spans, if anybody does.
pub(super) fn provider(
    settings: &Traces,
    role: &'static str,
    runtime: Handle,
) -> Result<Option<SdkTracerProvider>, CollectorError> {
    let Some(url) = &settings.url else { return Ok(None) };
    let headers = settings.headers.as_ref().map(|headers| parse(headers.expose_secret())).transpose()?;
    let mut client = outgoing::client(EXPORT);
    if url.starts_with("http:") {
        // TLS cannot happen, so a system without CA certificates is no reason to fail.
        client = client.tls_certs_only([]);
    }
    let client = client.build().map_err(CollectorError::Client)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector {
            client,
            headers: headers.unwrap_or_default(),
            runtime,
            outage: Arc::default(),
        })
        .with_endpoint(format!("{}/v1/traces", url.trim_end_matches('/')))
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(EXPORT)
        .build()
        .map_err(CollectorError::Url)?;
    let by_ratio = Sampler::TraceIdRatioBased(settings.sample_ratio);
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(by_ratio)))
        .with_resource(resource(role))
        .with_batch_exporter(exporter)
        .build();
    Ok(Some(provider))
}

/// What turns the spans of this program into those of OpenTelemetry.
pub(super) fn layer(provider: &SdkTracerProvider) -> OpenTelemetryLayer<Registry, SdkTracer> {
    let scope = InstrumentationScope::builder("darkroom").with_version(env!("CARGO_PKG_VERSION")).build();
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer_with_scope(scope))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
}

/// Who sends. What `OTEL_RESOURCE_ATTRIBUTES` says counts more.
fn resource(role: &'static str) -> Resource {
    let ours = [
        KeyValue::new("service.name", "darkroom"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance()),
        KeyValue::new("darkroom.role", role),
    ];
    Resource::builder_empty()
        .with_attributes(ours)
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())])
        .build()
}

/// A random UUID (RFC 9562, version 4), of this process alone.
fn instance() -> String {
    let bits = rand::random::<u128>() & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let mut uuid = String::with_capacity(36);
    for (index, digit) in digits.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

/// The form of `OTEL_EXPORTER_OTLP_HEADERS`, in which vendors give theirs: percent-encoded where need be.
fn parse(headers: &str) -> Result<HeaderMap, CollectorError> {
    let mut parsed = HeaderMap::new();
    for pair in headers.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(CollectorError::Headers)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| CollectorError::Headers)?;
        let mut value = HeaderValue::try_from(decode(value.trim())?).map_err(|_| CollectorError::Headers)?;
        value.set_sensitive(true);
        parsed.append(name, value);
    }
    Ok(parsed)
}

fn decode(text: &str) -> Result<Vec<u8>, CollectorError> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.as_bytes());
        let digits = after.get(..2).ok_or(CollectorError::Headers)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| CollectorError::Headers)?);
        rest = after.get(2..).unwrap_or_default();
    }
    bytes.extend(rest.as_bytes());
    Ok(bytes)
}

/// The client that the exporter calls with. That waits on a thread outside of the runtime, which makes the calls.
#[derive(Debug)]
struct Collector {
    client: Client,
    /// They count more than what the library has put in from the environment, which may be meant for others.
    headers: HeaderMap,
    runtime: Handle,
    /// What the log knows of the collector.
    outage: Arc<Mutex<Outage>>,
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(&'a self, mut request: Request<Bytes>) -> Answering<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        request.headers_mut().extend(self.headers.clone());
        let sending = self.runtime.spawn(send(self.client.clone(), request));
        Box::pin(async move {
            let answer = sending.await?;
            self.note(&answer);
            answer
        })
    }
}

impl Collector {
    /// Says so when the collector begins to fail, and when it takes traces again.
    fn note(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let error = match answer {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answered {}", response.status())),
            Err(error) => Some(reason(&**error)),
        };
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) if outage.fails(&error) => {
                tracing::warn!(
                    error,
                    "the collector does not take traces; what it does not take in time is dropped"
                );
            }
            Some(_) => {}
            None => {
                if let Some(lasted) = outage.ends() {
                    tracing::info!(seconds = lasted.as_secs(), "the collector takes traces again");
                }
            }
        }
    }
}

async fn send(client: Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let told = |error: reqwest::Error| root_cause(&error.without_url());
    let request = request.try_into().map_err(told)?;
    let mut response = client.execute(request).await.map_err(told)?;
    let mut body = Vec::new();
    read_bounded(&mut response, ANSWER, &mut body).await.map_err(told)?;
    let mut answer = Response::new(body.into());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs_as_vendors_give_them() {
        let headers = parse("Authorization=Basic%20dXNlcjpwYXNz==, x-scope = a b ,").unwrap();
        assert_eq!(headers["authorization"], "Basic dXNlcjpwYXNz==");
        assert_eq!(headers["x-scope"], "a b");
        assert!(!format!("{headers:?}").contains("dXNl"), "a secret was printed");
        assert!(parse("").unwrap().is_empty());
        for bad in ["geheim", "na me=x", "a=%0a", "a=%zz", "a=%2", "a=%é"] {
            assert!(!parse(bad).unwrap_err().to_string().contains("geheim"), "{bad}");
        }
    }

    #[test]
    fn an_instance_is_a_random_uuid() {
        let uuid = instance();
        let parts: Vec<&str> = uuid.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
        assert_ne!(uuid, instance());
    }
}
