//! The signature of a call, in the form of the Standard Webhooks specification: `v1,` and the base64 of HMAC-SHA256 (RFC 2104)
//! over `id.timestamp.body`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::fmt;
use std::ops::RangeInclusive;

const PREFIX: &str = "whsec_";

/// What the specification recommends, in bytes.
const KEY_BYTES: RangeInclusive<usize> = 24..=64;

/// Why `webhooks.secret` holds no key. The value is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "key {position} must be whsec_ and the base64 of {} to {} bytes; a new one: \
     echo whsec_$(openssl rand -base64 32)",
    KEY_BYTES.start(), KEY_BYTES.end()
)]
pub struct SigningKeyError {
    /// Which of the keys, from 1.
    position: usize,
}

/// One or more keys, all of which sign: while a key is being replaced, receivers may hold either.
pub(super) struct SigningKeys(Vec<Hmac<Sha256>>);

impl SigningKeys {
    /// Keys separated by spaces or commas.
    pub(super) fn parse(secret: &SecretString) -> Result<Self, SigningKeyError> {
        let words = secret.expose_secret().split([' ', ',', '\n', '\t']).filter(|word| !word.is_empty());
        let keys = words.zip(1..).map(|(word, position)| key(word).ok_or(SigningKeyError { position }));
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(SigningKeyError { position: 1 }) } else { Ok(Self(keys)) }
    }

    /// The value of `webhook-signature`: a signature by each key, separated by spaces.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let by = |key: &Hmac<Sha256>| {
            let code = key.clone().chain_update(&signed).finalize().into_bytes();
            format!("v1,{}", STANDARD.encode(code))
        };
        self.0.iter().map(by).collect::<Vec<_>>().join(" ")
    }
}

fn key(word: &str) -> Option<Hmac<Sha256>> {
    let bytes = STANDARD.decode(word.strip_prefix(PREFIX)?).ok()?;
    KEY_BYTES.contains(&bytes.len()).then(|| Hmac::new_from_slice(&bytes).ok())?
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str) -> Result<SigningKeys, SigningKeyError> {
        SigningKeys::parse(&SecretString::from(secret))
    }

    /// The example of the specification's reference libraries.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn it_signs_as_the_reference_libraries_do() {
        let body = r#"{"test": 2432232314}"#;
        assert_eq!(keys(KEY).unwrap().sign(ID, 1_614_265_330, body), SIGNATURE);
    }

    #[test]
    fn each_key_signs_while_one_is_being_replaced() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let signed = |secret: &str| keys(secret).unwrap().sign(ID, 1, "{}");
        let both = [signed(KEY), signed(&other)].join(" ");
        assert_eq!(signed(&format!("{KEY} {other}")), both);
        assert_eq!(signed(&format!("{KEY}, {other}")), both);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let short = format!("whsec_{}", STANDARD.encode([7; 23]));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        let bare = KEY.trim_start_matches("whsec_");
        for secret in [&short, &long, bare, "whsec_!!!", "whsec_"] {
            let error = keys(secret).unwrap_err();
            assert_eq!(error, SigningKeyError { position: 1 });
            assert!(!error.to_string().contains(secret.trim_start_matches("whsec_")) || secret == "whsec_");
        }
        assert_eq!(keys(&format!("{KEY} {short}")).unwrap_err(), SigningKeyError { position: 2 });
        assert!(!format!("{:?}", keys(KEY).unwrap()).contains("MfKQ"));
    }
}
