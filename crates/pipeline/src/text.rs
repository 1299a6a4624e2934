//! Text from strangers, made fit for Postgres and JSON.

use darkroom_domain::is_direction_override;
use std::fmt::{self, Display, Write};

/// A text without control characters, bidirectional overrides and outer blanks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) text: String,
    /// Whether there was more than the limit allows.
    pub(super) cut: bool,
}

/// Writes `value` out, up to `limit` characters. What is cut is never even formatted.
pub(super) fn plain(value: impl Display, limit: usize) -> Plain {
    let mut writer = Writer { text: String::new(), room: limit };
    let cut = write!(writer, "{value}").is_err();
    Plain { text: writer.text.trim().to_owned(), cut }
}

struct Writer {
    text: String,
    room: usize,
}

impl Write for Writer {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        for c in piece.chars().filter(|c| !is_direction_override(*c)) {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if c.is_control() { ' ' } else { c });
        }
        Ok(())
    }
}

/// What was odd about a file's metadata; bounded like everything that a file can cause.
#[derive(Debug, Default)]
pub(super) struct Warnings(Vec<String>);

impl Warnings {
    const MOST: usize = 20;
    const MAX_CHARS: usize = 200;

    /// Adds one sentence, unless it is there already.
    pub(super) fn add(&mut self, sentence: impl Display) {
        let sentence = plain(sentence, Self::MAX_CHARS).text;
        if self.0.len() < Self::MOST && !self.0.contains(&sentence) {
            self.0.push(sentence);
        }
    }

    pub(super) fn into_vec(self) -> Vec<String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_plain_and_bounded() {
        assert_eq!(plain(" a\0b\r\n", 9), Plain { text: "a b".to_owned(), cut: false });
        assert_eq!(plain("äöü", 3), Plain { text: "äöü".to_owned(), cut: false });
        assert_eq!(plain("äöüß", 3), Plain { text: "äöü".to_owned(), cut: true });
        let turned = "\u{200e}a\u{202e}gpj\u{2066}.\u{2069}exe\u{200f}\u{202a}";
        assert_eq!(plain(turned, 8), Plain { text: "agpj.exe".to_owned(), cut: false });
        let mut warnings = Warnings::default();
        (0..100).for_each(|n| warnings.add(n / 2));
        assert_eq!(warnings.into_vec().len(), Warnings::MOST);
    }
}
