//! Logs.

use crate::settings::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What these libraries report, the room that calls them reports too, with its context; once is enough. `log.level` can
/// turn them up again.
const QUIET: &str = "lapin=off,poem=warn,refinery_core=warn,deadpool=error,tokio_postgres=warn";

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be parsed.
    #[error("log.level: {0}")]
    Filter(#[from] ParseError),
    /// Somebody set up logging before.
    #[error("logging was set up twice: {0}")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends events that pass `log.level`, and panics, to standard error, in the form `log.format`.
///
/// # Errors
/// If the filter cannot be parsed, or logging was set up before in this process.
pub fn start(log: &Log) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(format!("{QUIET},{}", log.level))?;
    let colours = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    match log.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(TelemetryError::Twice)?;
    // In the same form as everything else. What became of its job or its request is told by whoever caught it.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, text = panic.payload_as_str(), "a panic");
    }));
    Ok(())
}
