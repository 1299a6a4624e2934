//! What the broker keeps of messages that could not be delivered: shown to people, and removed when they say so.

use super::announcement::{Announcement, Malformed};
use super::rabbitmq::Held;
use std::fmt;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Bytes of a body that are shown.
const EXCERPT: usize = 200;

/// Bytes of a name or a reason that are shown: those, too, can be a stranger's.
const NAME: usize = 80;

/// A message that was dead-lettered. Its display is safe for a terminal: printable ASCII and nothing else.
#[derive(Debug)]
pub struct DeadLetter {
    /// When it died.
    pub died_at: Option<OffsetDateTime>,
    /// From which queue.
    pub queue: Option<String>,
    /// Why, in the broker's word: `rejected`, `delivery_limit`, `expired`, `maxlen`.
    pub reason: Option<String>,
    /// Length of its body in bytes.
    pub size: usize,
    /// The beginning of its body.
    pub excerpt: String,
    /// The job that it announces, or why it announces none.
    announced: Result<Announcement, Malformed>,
}

impl DeadLetter {
    pub(super) fn new(
        died_at: Option<OffsetDateTime>,
        queue: Option<&str>,
        reason: Option<&str>,
        body: &[u8],
        announced: Result<Announcement, Malformed>,
    ) -> Self {
        let name = |text: &str| printable(text.as_bytes(), NAME);
        let (queue, reason) = (queue.map(name), reason.map(name));
        Self { died_at, queue, reason, size: body.len(), excerpt: printable(body, EXCERPT), announced }
    }

    /// The job that it announces, if it is an announcement. The job itself is a row, and loses nothing with the letter.
    #[must_use]
    pub fn announced(&self) -> Option<Announcement> {
        self.announced.as_ref().ok().copied()
    }
}

fn printable(bytes: &[u8], at_most: usize) -> String {
    let shown = bytes.get(..at_most).unwrap_or(bytes).escape_ascii().to_string();
    if shown.is_empty() || bytes.len() <= at_most { shown } else { format!("{shown}...") }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let died_at = self.died_at.and_then(|at| at.format(&Rfc3339).ok());
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        write!(
            f,
            "{}  queue {}  reason {}  {} bytes  ",
            known(&died_at),
            known(&self.queue),
            known(&self.reason),
            self.size
        )?;
        match &self.announced {
            Ok(Announcement { job, image, kind }) => {
                write!(f, "announces {kind} job {job} of image {image}")?
            }
            Err(malformed) => {
                write!(f, "no announcement: {}", printable(malformed.to_string().as_bytes(), EXCERPT))?
            }
        }
        if !self.excerpt.is_empty() {
            write!(f, "\n    {}", self.excerpt)?;
        }
        Ok(())
    }
}

/// Dead letters in hand: the broker shows them to nobody else until they are put back or dropped. If neither happens, they
/// go back with the end of the connection.
#[must_use]
pub struct DeadLetters {
    /// The oldest ones.
    pub letters: Vec<DeadLetter>,
    /// How many more there are.
    pub more: u64,
    pub(super) held: Option<Held>,
}

impl DeadLetters {
    pub(super) const NONE: Self = Self { letters: Vec::new(), more: 0, held: None };

    /// Puts them back where they were.
    ///
    /// # Errors
    /// If the broker does not take one of them; it is back all the same once the connection is closed.
    pub async fn put_back(self) -> Result<(), super::QueueError> {
        match self.held {
            Some(held) => held.put_back().await,
            None => Ok(()),
        }
    }

    /// Removes them for good; the answer is how many.
    ///
    /// # Errors
    /// If the broker is gone; those that it was not told of stay.
    pub async fn drop_all(self) -> Result<usize, super::QueueError> {
        match self.held {
            Some(held) => held.drop_all().await,
            None => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::JobKind;

    #[test]
    fn what_is_shown_is_safe_for_a_terminal_and_bounded() {
        let body = [b"\x1b[2J\x1b]0;title\x07\r\n\xff\xe2\x80\xae".as_slice(), &[b'x'; 10_000]].concat();
        let malformed = Announcement::decode(JobKind::Image, &body);
        let letter = DeadLetter::new(None, Some("a\u{202e}b\n"), Some(&"r".repeat(500)), &body, malformed);
        let shown = letter.to_string();
        assert!(shown.lines().count() == 2 && shown.len() < 1000, "{shown}");
        assert!(shown.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{shown:?}");
        assert!(letter.announced().is_none() && letter.size == body.len());
    }

    #[test]
    fn an_announcement_is_named() {
        let body = br#"{"version":1,"job":7,"image":3}"#;
        let letter = DeadLetter::new(
            Some(OffsetDateTime::UNIX_EPOCH),
            Some("q.image"),
            Some("delivery_limit"),
            body,
            Announcement::decode(JobKind::Image, body),
        );
        let line = "1970-01-01T00:00:00Z  queue q.image  reason delivery_limit  31 bytes  announces image job 7 of image 3";
        assert_eq!(letter.to_string().lines().next(), Some(line));
    }
}
