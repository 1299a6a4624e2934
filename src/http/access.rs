//! Who may call: nobody is asked, or each request to `/api` shows a key.

use super::catch::answer;
use super::incoming::Incoming;
use super::refusal::Refusal;
use crate::settings::{Auth, AuthMode, KeyHash};
use poem::http::header::AUTHORIZATION;
use poem::{Endpoint, IntoResponse, Request, Response, Result};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The accepted keys, hashed; `None` if nobody is asked.
#[derive(Clone)]
pub(super) struct Access(Option<Vec<KeyHash>>);

impl Access {
    pub(super) fn new(auth: &Auth) -> Self {
        Self((auth.mode == AuthMode::Keys).then(|| auth.key_hashes.clone()))
    }

    fn grants(&self, request: &Request) -> bool {
        let Some(accepted) = &self.0 else { return true };
        if !request.uri().path().starts_with("/api/") {
            return true;
        }
        let bearer = request.header(AUTHORIZATION).and_then(|value| {
            let (scheme, key) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let Some(key) = bearer.or_else(|| request.header("x-api-key")) else { return false };
        // Hashed first and compared in constant time, each of them: the time tells neither how much of a key was right
        // nor which one was meant.
        let sent: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let matches = accepted.iter().fold(Choice::from(0), |any, hash| any | hash.digest().ct_eq(&sent));
        matches.into()
    }
}

/// Lets a request through, or refuses it before its body means anything.
pub(super) async fn with_access<E: Endpoint>(
    access: Access,
    endpoint: E,
    mut request: Request,
) -> Result<Response> {
    if access.grants(&request) {
        return endpoint.call(request).await.map(IntoResponse::into_response);
    }
    Incoming::new(request.take_body(), request.headers()).drain().await;
    Ok(answer(&Refusal::Unauthorized))
}
