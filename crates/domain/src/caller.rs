//! Who calls, and what a key permits.

use super::Sha256;
use super::image::named;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One of the things that a key may permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To look: images, pictures, statistics.
    Read,
    /// To upload, retry and delete.
    Write,
    /// Everything.
    Admin,
}
named!(Scope, "scope", { Read => "read", Write => "write", Admin => "admin" });

/// All that a key permits; never nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// These, or `None` if there are none.
    #[must_use]
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Option<Self> {
        let scopes = BTreeSet::from_iter(scopes);
        (!scopes.is_empty()).then_some(Self(scopes))
    }

    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self(BTreeSet::from([Scope::Admin]))
    }

    /// Whether `needed` is permitted. Reading is not part of writing: a key of a device that only sends may see nothing.
    #[must_use]
    pub fn permit(&self, needed: Scope) -> bool {
        self.0.contains(&Scope::Admin) || self.0.contains(&needed)
    }

    /// Each of them, by its name.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|scope| scope.as_str()).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.names().join(", "))
    }
}

/// What a key is called by those who operate Darkroom, in lists and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// A text that cannot be the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a key is 1 to 64 letters, digits, '.', '_' or '-'")]
pub struct InvalidKeyName;

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = InvalidKeyName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if !(1..=64).contains(&text.len()) || !text.bytes().all(plain) {
            return Err(InvalidKeyName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Somebody: no keys are asked for.
    Anyone,
    /// The holder of a key.
    Holder {
        /// What the key is called.
        name: Arc<str>,
        /// SHA-256 of the key.
        digest: Sha256,
    },
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Holder { name, .. } => f.write_str(name),
        }
    }
}

/// An `Idempotency-Key` and whose it is: two callers may have chosen the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Who sent it.
    pub caller: Caller,
    /// As it was sent.
    pub key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_permits_everything_and_nothing_else_permits_more_than_itself() {
        for (held, permitted) in [
            (vec![Scope::Read], vec![Scope::Read]),
            (vec![Scope::Write], vec![Scope::Write]),
            (vec![Scope::Write, Scope::Read], vec![Scope::Read, Scope::Write]),
            (vec![Scope::Admin], Scope::ALL.to_vec()),
        ] {
            let scopes = Scopes::new(held).unwrap();
            let found: Vec<_> = Scope::ALL.iter().copied().filter(|scope| scopes.permit(*scope)).collect();
            assert_eq!(found, permitted, "{scopes}");
        }
        assert_eq!(Scopes::new([]), None);
        assert_eq!(Scopes::new([Scope::Write, Scope::Read]).unwrap().to_string(), "read, write");
    }

    #[test]
    fn a_name_is_one_plain_word() {
        for good in ["ci", "phone-2.anna_b", &"x".repeat(64)] {
            assert_eq!(good.parse::<KeyName>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "ä", "a\n", "auth.key_hashes[1]", &"x".repeat(65)] {
            assert_eq!(bad.parse::<KeyName>(), Err(InvalidKeyName), "{bad:?}");
        }
    }
}
