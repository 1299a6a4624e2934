//! The uploaded image and what may be said of it.

use std::fmt;
use std::str::FromStr;

/// A word that names no member of an enumeration of the domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no {what}")]
pub struct UnknownName {
    /// What the word should have named, such as `image status`.
    pub what: &'static str,
    /// The word.
    pub word: String,
}

/// Gives an enumeration its one spelling, used alike in the database, in JSON and in logs.
macro_rules! named {
    ($type:ident, $what:literal, { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every member, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one spelling of this member.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($name => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName { what: $what, word: word.to_owned() }),
                }
            }
        }
    };
}
pub(super) use named;

/// What a caller sees of an image's progress. The last two are final; only a retry reopens them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageStatus {
    /// Something is still to be made.
    Processing,
    /// Metadata and thumbnails are there, and the caption is settled: made, disabled or given up.
    Success,
    /// There is no usable picture.
    Failed,
}
named!(ImageStatus, "image status", { Processing => "processing", Success => "success", Failed => "failed" });

impl ImageStatus {
    /// Whether this status no longer changes by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed)
    }
}

/// The two formats that are accepted, told apart by content and never by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// JPEG, ITU-T T.81.
    Jpeg,
    /// PNG, W3C Recommendation, third edition (APNG included: its first frame).
    Png,
}
named!(ImageFormat, "image format", { Jpeg => "jpg", Png => "png" });

impl ImageFormat {
    /// The media type, as sent in `Content-Type`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}

/// A SHA-256 digest (FIPS 180-4), written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Wraps a digest.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = UnknownName;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let refuse =
            || UnknownName { what: "SHA-256 digest of 64 hexadecimal digits", word: word.to_owned() };
        if word.len() != 64 {
            return Err(refuse());
        }
        let mut digest = [0_u8; 32];
        for (byte, pair) in digest.iter_mut().zip(word.as_bytes().chunks_exact(2)) {
            let digit = |d: u8| char::from(d).to_digit(16).and_then(|d| u8::try_from(d).ok());
            match pair.iter().copied().map(digit).collect::<Option<Vec<_>>>().as_deref() {
                Some([high, low]) => *byte = high << 4 | low,
                _ => return Err(refuse()),
            }
        }
        Ok(Self(digest))
    }
}

/// The name a client gave its file: data for people, never a path.
///
/// Control characters (NUL and line breaks among them) are dropped, since Postgres refuses NUL and headers refuse
/// line breaks, and the length is bounded, since an index refuses very long values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalName(String);

impl OriginalName {
    /// The longest name that is kept, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Keeps the last component of `sent` (some clients send whole paths), cleaned and cut.
    ///
    /// Returns `None` where nothing is left, as for an empty name.
    #[must_use]
    pub fn clean(sent: &str) -> Option<Self> {
        let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
        let kept: String = last
            .chars()
            .filter(|c| !c.is_control() && !is_direction_override(*c))
            .take(Self::MAX_CHARS)
            .collect();
        let kept = kept.trim();
        (!kept.is_empty()).then(|| Self(kept.to_owned()))
    }

    /// The cleaned name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character only turns the direction of text, as those do that make `gpj.exe` read as `exe.jpg` (Unicode
/// Standard Annex #9, section 2).
#[must_use]
pub const fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_data_and_never_a_path() {
        let clean = |sent| OriginalName::clean(sent).map(|n| n.as_str().to_owned());
        assert_eq!(clean("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(clean("C:\\photos\\cat.jpg").as_deref(), Some("cat.jpg"));
        assert_eq!(clean("a\0b\r\nc.jpg").as_deref(), Some("abc.jpg"));
        assert_eq!(clean("photo\u{202e}gpj.exe").as_deref(), Some("photogpj.exe"));
        let long = "ä".repeat(70_000);
        assert_eq!(clean(&long).map(|n| n.chars().count()), Some(OriginalName::MAX_CHARS));
        assert_eq!(clean(" \u{1}\n"), None);
        assert_eq!(clean(""), None);
    }

    #[test]
    fn a_digest_reads_back_what_it_writes() {
        let digest = Sha256::new(std::array::from_fn(|i| u8::try_from(i * 7 % 256).unwrap()));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("zz".repeat(32).parse::<Sha256>().is_err());
        assert!("".parse::<Sha256>().is_err());
        assert!("é".repeat(32).parse::<Sha256>().is_err());
    }
}
