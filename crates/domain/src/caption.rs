//! What is said of a picture, and by whom.

use super::image::named;

/// Who made a caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptionSource {
    /// A model that looked at the picture.
    Ai,
    /// A person.
    Human,
    /// The file: its Exif, IPTC or XMP data describe the picture.
    Embedded,
}
named!(CaptionSource, "source of a caption", { Ai => "ai", Human => "human", Embedded => "embedded" });

/// Who is asked what: captions of identical pictures with the same question are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The form of call.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
    /// Which prompt, with all that changes the answer: eight hexadecimal digits.
    pub prompt_version: String,
    /// The language that was asked for.
    pub language: Option<String>,
}

/// What a model said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// One line of text, at most `captioner.max_chars` characters.
    pub text: String,
    /// What it cost, if the provider says so.
    pub tokens: Option<Tokens>,
}

/// What a call is paid for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Read: the picture and the question.
    pub prompt: u32,
    /// Written: the caption, and thoughts that led to it.
    pub completion: u32,
}

/// A model as callers name it: 1 to 200 letters, digits and marks that stand in names of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelName(String);

/// A text that is no name of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a model has 1 to 200 letters, digits and . _ : / @ + -")]
pub struct InvalidModelName;

impl ModelName {
    /// The longest, in characters.
    pub const MAX_CHARS: usize = 200;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for ModelName {
    type Error = InvalidModelName;

    fn try_from(text: &str) -> Result<Self, InvalidModelName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._:/@+-".contains(c);
        let right = (1..=Self::MAX_CHARS).contains(&text.len()) && text.chars().all(fits);
        if right { Ok(Self(text.to_owned())) } else { Err(InvalidModelName) }
    }
}

/// What a person says of a picture: one line, not empty, at most [`HumanCaption::MAX_CHARS`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HumanCaption(String);

/// A text that is no caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCaption {
    /// Nothing is left once what nobody sees is gone.
    #[error("the caption is empty")]
    Empty,
    /// Too many characters.
    #[error("the caption is longer than {} characters", HumanCaption::MAX_CHARS)]
    TooLong,
}

impl HumanCaption {
    /// The longest, in characters.
    pub const MAX_CHARS: usize = 2000;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for HumanCaption {
    type Error = InvalidCaption;

    /// Folds whitespace and control characters, which Postgres and lists would choke on.
    fn try_from(text: &str) -> Result<Self, InvalidCaption> {
        let spaced = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.chars().count() {
            0 => Err(InvalidCaption::Empty),
            chars if chars > Self::MAX_CHARS => Err(InvalidCaption::TooLong),
            _ => Ok(Self(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_says_is_one_line_that_says_something() {
        let of = |text: &str| HumanCaption::try_from(text).map(|caption| caption.0);
        assert_eq!(of(" My dog,\r\n\0 asleep\u{85}").as_deref(), Ok("My dog, asleep"));
        assert_eq!(of(" \t\u{2028}\0"), Err(InvalidCaption::Empty));
        assert_eq!(of(&"ä".repeat(2000)).map(|text| text.chars().count()), Ok(2000));
        assert_eq!(of(&"ä".repeat(2001)), Err(InvalidCaption::TooLong));
    }
}
