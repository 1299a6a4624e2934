//! A key itself: made once, shown once, and known afterwards by its digest alone.

use crate::domain::Sha256;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::Digest;

/// How every key begins, so that scanners find one that was published by mistake.
const PREFIX: &str = "dk_";

/// Random bytes of a key. 256 bits cannot be guessed, which is why a plain SHA-256 of them may be stored.
const BYTES: usize = 32;

/// A new key. Nothing but [`ApiKey::reveal`] shows it.
#[derive(Debug)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// A key that nobody has or can foresee.
    #[must_use]
    pub fn generate() -> Self {
        let random: [u8; BYTES] = rand::random();
        Self(SecretString::from(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random))))
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        digest(self.reveal())
    }

    /// The key, for whoever asked for it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Whether a text may be a key that was made here.
pub(super) fn has_form(sent: &str) -> bool {
    let random = sent.strip_prefix(PREFIX).and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    random.is_some_and(|bytes| bytes.len() == BYTES)
}

pub(super) fn digest(sent: &str) -> Sha256 {
    Sha256::new(sha2::Sha256::digest(sent.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_have_the_form_and_hide_themselves() {
        let (one, other) = (ApiKey::generate(), ApiKey::generate());
        assert_ne!(one.reveal(), other.reveal());
        assert_ne!(one.digest(), other.digest());
        assert!(has_form(one.reveal()) && one.reveal().len() == 46, "{}", one.reveal());
        assert!(!format!("{one:?}").contains(&one.reveal()[3..]), "{one:?}");
        for wrong in ["", "dk_", "dk_short", &one.reveal()[1..], &format!("{}A", one.reveal())] {
            assert!(!has_form(wrong), "{wrong}");
        }
    }
}
