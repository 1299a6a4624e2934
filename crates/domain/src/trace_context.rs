//! Which trace work belongs to, as it is handed from process to process (W3C Trace Context,
//! <https://www.w3.org/TR/trace-context/>).

use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// A trace, and the span of it that asks for the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace: NonZeroU128,
    span: NonZeroU64,
    is_sampled: bool,
    state: Option<String>,
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no traceparent of W3C Trace Context")]
pub struct InvalidTraceparent;

/// Bytes of a `traceparent` (section 3.2); of a later version they are its beginning.
const TRACEPARENT: usize = 55;

/// The flag of section 3.2.2.5.1: whoever asks may have recorded the trace.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// The longest `tracestate` that is carried on, in bytes: what section 3.3.1.5 asks for.
    pub const MAX_STATE_BYTES: usize = 512;

    /// A span of a trace, without a `tracestate`.
    #[must_use]
    pub const fn new(trace: NonZeroU128, span: NonZeroU64, is_sampled: bool) -> Self {
        Self { trace, span, is_sampled, state: None }
    }

    /// The same with a `tracestate`. One that is longer than [`Self::MAX_STATE_BYTES`], or holds other than printable ASCII,
    /// is left out, as section 3.3.1.5 permits.
    #[must_use]
    pub fn with_state(self, state: &str) -> Self {
        let is_fit = (1..=Self::MAX_STATE_BYTES).contains(&state.len())
            && state.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        Self { state: is_fit.then(|| state.to_owned()), ..self }
    }

    /// The trace.
    #[must_use]
    pub const fn trace(&self) -> NonZeroU128 {
        self.trace
    }

    /// The span that asks.
    #[must_use]
    pub const fn span(&self) -> NonZeroU64 {
        self.span
    }

    /// Whether the trace is being recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// As the header `traceparent`, in version 00.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.is_sampled))
    }

    /// As the header `tracestate`, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// What is known of a job, made more exact by what came with its announcement: which span announced it. What came with
    /// it is believed in nothing else, and in nothing at all if it names another trace.
    #[must_use]
    pub fn announced_by(&self, carried: Option<&Self>) -> Self {
        let span = carried.filter(|carried| carried.trace == self.trace).map_or(self.span, Self::span);
        Self { span, ..self.clone() }
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceparent;

    /// Reads a `traceparent` (section 3.2). Of a version that is not known, what version 00 defines is read (section 4.3).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (head, rest) = text.split_at_checked(TRACEPARENT).ok_or(InvalidTraceparent)?;
        let mut fields = head.split('-');
        let mut field = |bytes| fields.next().filter(|field| is_hexadecimal(field, bytes));
        let read = (field(2), field(32), field(16), field(2));
        let (Some(version), Some(trace), Some(span), Some(flags)) = read else {
            return Err(InvalidTraceparent);
        };
        let has_room = match version {
            "00" => rest.is_empty(),
            "ff" => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let trace = u128::from_str_radix(trace, 16).ok().and_then(NonZeroU128::new);
        let span = u64::from_str_radix(span, 16).ok().and_then(NonZeroU64::new);
        match (trace, span, u8::from_str_radix(flags, 16)) {
            (Some(trace), Some(span), Ok(flags)) if has_room => {
                Ok(Self::new(trace, span, flags & SAMPLED != 0))
            }
            _ => Err(InvalidTraceparent),
        }
    }
}

/// Upper case is not permitted.
fn is_hexadecimal(text: &str, bytes: usize) -> bool {
    text.len() == bytes && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(text: &str) -> Result<TraceContext, InvalidTraceparent> {
        text.parse()
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let context = read(SENT).unwrap();
        assert_eq!((context.traceparent().as_str(), context.tracestate()), (SENT, None));
        assert!(context.is_sampled() && !read(&SENT.replace("-01", "-00")).unwrap().is_sampled());
        // Flags that are not known, and what a later version adds, are read over.
        assert_eq!(read(&SENT.replace("-01", "-03")).unwrap().traceparent(), SENT);
        assert_eq!(read(&format!("cc{}-what comes", &SENT[2..])).unwrap().traceparent(), SENT);
    }

    #[test]
    fn what_is_malformed_is_no_context() {
        for (from, to) in [
            ("00-4bf9", "ff-4bf9"),
            ("00-4bf9", "0-4bf9"),
            ("00-4bf9", "00 4bf9"),
            ("4bf92f", "4BF92F"),
            ("4bf92f", "4bf92g"),
            ("4bf92f", "+bf92f"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e473"),
            ("00f067aa0ba902b7", "0000000000000000"),
            ("-01", "-1"),
            ("-01", "-01-more"),
            ("-01", "-01 "),
            ("-01", "-0é"),
            (SENT, ""),
            (SENT, "00-é"),
        ] {
            let text = SENT.replacen(from, to, 1);
            assert_eq!(read(&text), Err(InvalidTraceparent), "{text:?}");
        }
        assert!(read(&format!("cc{}x", &SENT[2..])).is_err(), "a later version goes on with a hyphen");
        assert!(read(&"0".repeat(1 << 20)).is_err());
    }

    #[test]
    fn a_tracestate_is_carried_if_it_is_short_and_plain() {
        let of = |state: &str| read(SENT).unwrap().with_state(state).tracestate().map(str::to_owned);
        assert_eq!(of("vendor=1,other=a b"), Some("vendor=1,other=a b".to_owned()));
        assert!(of(&"v".repeat(512)).is_some() && of(&"v".repeat(513)).is_none());
        assert!(of("").is_none() && of("a=\n").is_none() && of("a=é").is_none());
    }

    #[test]
    fn an_announcement_says_which_span_announced_and_nothing_else() {
        let row = read(SENT).unwrap().with_state("ours=1");
        let carried = read(&SENT.replace("00f067aa0ba902b7-01", "1111111111111111-00")).unwrap();
        let both = row.announced_by(Some(&carried.clone().with_state("lie=1")));
        assert_eq!(both.span(), carried.span());
        assert!(both.is_sampled() && both.tracestate() == Some("ours=1"));
        let lie = read(&SENT.replace("4bf9", "dead")).unwrap();
        assert_eq!((row.announced_by(Some(&lie)), row.announced_by(None)), (row.clone(), row));
    }
}
