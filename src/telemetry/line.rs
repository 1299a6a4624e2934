//! A line of the log, which names the trace that it belongs to.

use crate::traces;
use std::fmt;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// A form of lines, with `trace_id` at the end of those that belong to a trace which is being recorded.
pub(super) struct Line<F> {
    form: F,
    is_json: bool,
}

impl<F> Line<F> {
    pub(super) const fn text(form: F) -> Self {
        Self { form, is_json: false }
    }

    /// `form` writes one JSON object.
    pub(super) const fn json(form: F) -> Self {
        Self { form, is_json: true }
    }
}

impl<S, N, F> FormatEvent<S, N> for Line<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(trace) = traces::current_id() else {
            return self.form.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.form.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        match line.strip_suffix('}').filter(|_| self.is_json) {
            Some(open) => writeln!(writer, "{open},\"trace_id\":\"{trace}\"}}"),
            None => writeln!(writer, "{line} trace_id={trace}"),
        }
    }
}
