//! A failure is a value: what went wrong, in a stable code and a sentence, and whether trying again can help.

use super::image::named;
use std::fmt;
use std::time::Duration;

/// The stable codes under which failures are stored, counted and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The data ends before the picture does.
    Truncated,
    /// The data contradicts itself.
    Corrupt,
    /// A legal feature that the decoder does not have, such as 12-bit or lossless JPEG.
    UnsupportedFeature,
    /// More pixels than `limits.max_pixels`.
    TooManyPixels,
    /// Decoding would need more memory than the worker's whole budget.
    OverMemoryBudget,
    /// The job ran into its hard time limit.
    TimedOut,
    /// The job's code panicked.
    Panicked,
    /// The worker has no thread left for the job.
    OutOfThreads,
    /// The worker that held the job vanished, and no attempt is left.
    WorkerLost,
    /// The file that a row names is not there.
    FileMissing,
    /// The volume could not be read or written.
    StorageUnavailable,
    /// The volume is full.
    StorageFull,
    /// The captioner could not be reached, or answered with an error of its own.
    CaptionerUnavailable,
    /// The captioner asked for a pause.
    CaptionerRateLimited,
    /// The captioner refused the key, the model or the account.
    CaptionerMisconfigured,
    /// The captioner refused this picture.
    CaptionerRefused,
    /// The captioner's answer holds no caption.
    CaptionerBadAnswer,
    /// The receiver of a webhook could not be reached, or the connection broke.
    WebhookUnreachable,
    /// The receiver of a webhook did not answer in time.
    WebhookTimedOut,
    /// The receiver of a webhook answered with another status than 2xx.
    WebhookRefused,
    /// The receiver of a webhook answered 410: it wants no more of these.
    WebhookGone,
    /// The address of the receiver is not one of the internet's, and others are not allowed.
    WebhookAddressRefused,
}
named!(FailureCode, "failure code", {
    Truncated => "truncated",
    Corrupt => "corrupt",
    UnsupportedFeature => "unsupported_feature",
    TooManyPixels => "too_many_pixels",
    OverMemoryBudget => "over_memory_budget",
    TimedOut => "timed_out",
    Panicked => "panicked",
    OutOfThreads => "out_of_threads",
    WorkerLost => "worker_lost",
    FileMissing => "file_missing",
    StorageUnavailable => "storage_unavailable",
    StorageFull => "storage_full",
    CaptionerUnavailable => "captioner_unavailable",
    CaptionerRateLimited => "captioner_rate_limited",
    CaptionerMisconfigured => "captioner_misconfigured",
    CaptionerRefused => "captioner_refused",
    CaptionerBadAnswer => "captioner_bad_answer",
    WebhookUnreachable => "webhook_unreachable",
    WebhookTimedOut => "webhook_timed_out",
    WebhookRefused => "webhook_refused",
    WebhookGone => "webhook_gone",
    WebhookAddressRefused => "webhook_address_refused",
});

/// Whether trying again can help. Chosen where the failure arises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// It will fail the same way each time.
    Permanent,
    /// It may pass; not before `retry_after`, where the other side named a time.
    Transient {
        /// The least time to wait, where it is known.
        retry_after: Option<Duration>,
    },
}

/// Why a job did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Failure {
    code: FailureCode,
    text: String,
    detail: Option<String>,
    persistence: Persistence,
}

impl Failure {
    /// The longest text that is kept, in characters.
    pub const MAX_TEXT_CHARS: usize = 500;

    /// A failure that would repeat itself.
    pub fn permanent(code: FailureCode, text: impl Into<String>) -> Self {
        Self { code, text: one_line(&text.into()), detail: None, persistence: Persistence::Permanent }
    }

    /// A failure that may pass.
    pub fn transient(code: FailureCode, text: impl Into<String>) -> Self {
        Self::transient_after(code, text, None)
    }

    /// A failure that may pass, not before `retry_after`.
    pub fn transient_after(
        code: FailureCode,
        text: impl Into<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        let persistence = Persistence::Transient { retry_after };
        Self { code, text: one_line(&text.into()), detail: None, persistence }
    }

    /// Adds what operators need and callers must not see, such as a path.
    pub fn with_detail(self, detail: &str) -> Self {
        Self { detail: Some(one_line(detail)), ..self }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> FailureCode {
        self.code
    }

    /// One sentence for a person, free of control characters and bounded.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// More of it, for the log alone.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Whether trying again can help.
    #[must_use]
    pub const fn persistence(&self) -> Persistence {
        self.persistence
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl std::error::Error for Failure {}

/// What other programs say may hold anything; Postgres refuses NUL, and a log line has one line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(Failure::MAX_TEXT_CHARS).collect()
}
