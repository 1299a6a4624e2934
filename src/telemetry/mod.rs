//! Logs, and where traces go.

mod collector;
mod line;

pub use collector::CollectorError;

use crate::settings::{Log, LogFormat, Traces};
use crate::traces;
use line::Line;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing_subscriber::filter::{FilterExt, LevelFilter, ParseError, dynamic_filter_fn, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// What these libraries report, the room that calls them reports too, with its context; once is enough. `log.level` can
/// turn them up again.
const QUIET: &str =
    "lapin=off,poem=warn,refinery_core=warn,deadpool=error,tokio_postgres=warn,object_store=warn";

/// How long the end of a process waits for a collector to take what is left.
const LAST: Duration = Duration::from_secs(3);

/// Why logs or traces could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be parsed.
    #[error("log.level: {0}")]
    Filter(#[from] ParseError),
    /// Traces cannot be sent as the settings say.
    #[error(transparent)]
    Collector(#[from] CollectorError),
    /// Somebody set it up before.
    #[error("logging was set up twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Who makes traces, and where it runs: what a process does on the side, such as migrating, makes none.
#[derive(Debug)]
pub struct Tracing<'a> {
    /// Where they go.
    pub settings: &'a Traces,
    /// What the process is: `api`, `worker` or `standalone`.
    pub role: &'static str,
    /// Where calls of the collector are made.
    pub runtime: Handle,
}

/// What is left to do at the end of a process.
#[must_use]
pub struct Telemetry(Option<SdkTracerProvider>);

/// Sends events that pass `log.level`, and panics, to standard error, in the form `log.format`; and spans to the collector of
/// `traces.url`, if there is one. Neither filter touches the other.
///
/// # Errors
/// If a setting cannot be understood, or this was set up before in this process.
pub fn start(log: &Log, tracing: Option<Tracing<'_>>) -> Result<Telemetry, TelemetryError> {
    let passes = EnvFilter::builder().parse(format!("{QUIET},{}", log.level))?;
    let provider = match tracing {
        Some(Tracing { settings, role, runtime }) => collector::provider(settings, role, runtime)?,
        None => None,
    };
    let spans = provider.as_ref().map(|provider| {
        let told = dynamic_filter_fn(|metadata, context| {
            traces::is_told(metadata, context.lookup_current().is_some())
        });
        collector::layer(provider).with_filter(told.with_max_level_hint(LevelFilter::INFO))
    });
    let colours = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let format = fmt::format().with_ansi(colours);
    let lines = match log.format {
        LogFormat::Text => lines.event_format(Line::text(format.with_target(false))).boxed(),
        LogFormat::Json => lines.event_format(Line::json(format.json().flatten_event(true))).boxed(),
    };
    let is_event = filter_fn(|metadata| metadata.is_event());
    Registry::default().with(spans).with(lines.with_filter(passes.and(is_event))).try_init()?;
    // In the same form as everything else. What became of its job or its request is told by whoever caught it.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, text = panic.payload_as_str(), "a panic");
    }));
    Ok(Telemetry(provider))
}

impl Telemetry {
    /// Gives the collector what is left, for three seconds at the most. Not to be called by a task of the runtime that makes the
    /// calls, since it blocks; and while that still runs.
    pub fn end(self) {
        if let Some(provider) = self.0
            && provider.shutdown_with_timeout(LAST).is_err()
        {
            tracing::warn!("the collector did not take the last traces in time");
        }
    }
}
