//! What went wrong, as a log should tell it: with its causes, and not again and again.

use super::failure::one_line;
use std::error::Error;
use std::time::{Duration, Instant};

/// An error and its causes in one line, free of control characters and bounded.
///
/// Some libraries repeat a cause in their own text; what was said is not said again.
#[must_use]
pub fn reason(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    one_line(&text)
}

/// An outage of something that is tried until it works: told when it begins and when it ends, and in between only if it
/// lasts and turns out to have another reason. However long it lasts, and however often it comes back within a minute, it
/// fills no log.
#[derive(Debug, Default)]
pub struct Outage {
    since: Option<Instant>,
    told: Vec<String>,
    told_at: Option<Instant>,
}

/// Things go away and come back in several steps, each of which fails in its own way. What lasts longer is another story.
const STORY: Duration = Duration::from_secs(60);

/// There is no end to reasons with numbers in them.
const REASONS: usize = 5;

impl Outage {
    /// Nothing has failed.
    #[must_use]
    pub const fn none() -> Self {
        Self { since: None, told: Vec::new(), told_at: None }
    }

    /// A try failed. Whether that is news.
    #[must_use]
    pub fn fails(&mut self, reason: &str) -> bool {
        self.fails_at(reason, Instant::now())
    }

    fn fails_at(&mut self, reason: &str, now: Instant) -> bool {
        self.since.get_or_insert(now);
        let is_long_ago = self.told_at.is_none_or(|at| now.duration_since(at) >= STORY);
        let is_new = self.told.len() < REASONS && !self.told.iter().any(|told| told == reason);
        if is_long_ago && is_new {
            self.told.push(reason.to_owned());
            self.told_at = Some(now);
        }
        is_long_ago && is_new
    }

    /// A try succeeded. If that is news: how long tries had failed before it.
    #[must_use]
    pub fn ends(&mut self) -> Option<Duration> {
        let was_told = !self.told.is_empty();
        self.told.clear();
        self.since.take().filter(|_| was_told).map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: io::Error,
    }

    #[test]
    fn a_reason_is_one_line_with_every_cause_once() {
        let layer = |text| Layer { text, source: io::Error::other("no\nroute") };
        assert_eq!(reason(&layer("away")), "away: no route");
        assert_eq!(reason(&layer("away: no\nroute")), "away: no route");
    }

    #[test]
    fn an_outage_is_told_when_it_begins_when_its_reason_lasts_and_when_it_ends() {
        let (mut outage, begin) = (Outage::none(), Instant::now());
        let others: Vec<String> = (1..100).map(|number| format!("error {number}")).collect();
        assert!(outage.ends().is_none());
        let mut told_after = |seconds, reason| outage.fails_at(reason, begin + Duration::from_secs(seconds));
        assert!(told_after(0, "closed"));
        assert!(!told_after(1, "refused"), "a step on the way");
        assert!(!told_after(100, "closed"), "it was told");
        assert!(told_after(101, "wrong password"), "this is what it has become");
        assert!(!told_after(300, "wrong password"));
        let told = (1..).zip(&others).filter(|(number, other)| told_after(1000 * number, other)).count();
        assert_eq!(told, 3, "as many as there is room for");
        assert!(outage.ends().is_some() && outage.ends().is_none());
    }

    #[test]
    fn what_comes_and_goes_is_told_once_a_minute() {
        let (mut outage, begin) = (Outage::none(), Instant::now());
        let mut told = 0;
        for second in 0..180 {
            told += u32::from(outage.fails_at("closed", begin + Duration::from_secs(second)));
            told += u32::from(outage.ends().is_some());
        }
        assert_eq!(told, 6, "three beginnings, three ends");
    }
}
