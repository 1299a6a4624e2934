//! A model behind HTTP: where it is, and how it is spoken to.

use super::answer::Answer;
use super::{CaptionerError, hf_image_to_text, openai_chat, refusal};
use crate::domain::{Caption, Failure};
use crate::outgoing::{self, Callee};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, Instant};

/// The form of call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// A question with a picture.
    OpenaiChat { prompt: String, temperature: f32, max_chars: usize },
    /// The picture alone.
    HfImageToText,
}

/// A host, and what is asked there.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    base: Url,
    form: Form,
    /// Only to blot it out of what the other side says; the client holds its own copy for the header.
    key: Option<SecretString>,
}

impl Remote {
    pub(super) fn new(
        url: &str,
        key: Option<&SecretString>,
        form: Form,
        call: Duration,
    ) -> Result<Self, CaptionerError> {
        let base = base_url(url)?;
        Ok(Self { client: client(&base, key, call)?, base, form, key: key.cloned() })
    }

    /// The base URL, of which no part is secret.
    pub(super) const fn base(&self) -> &Url {
        &self.base
    }

    /// One call. The text of the answer is not yet cleaned.
    pub(super) async fn ask(
        &self,
        model: &str,
        picture: &[u8],
        media_type: &str,
    ) -> Result<Caption, Failure> {
        let request = self.client.post(self.url(model));
        let request = match &self.form {
            Form::OpenaiChat { prompt, temperature, max_chars } => {
                let url = openai_chat::data_url(picture, media_type);
                request.json(&openai_chat::Request::new(model, prompt, url, *max_chars, *temperature))
            }
            Form::HfImageToText => request.header(CONTENT_TYPE, media_type).body(picture.to_vec()),
        };
        let start = Instant::now();
        let answer = match outgoing::send(request, Callee::Trusted).await {
            Ok(response) => Answer::read(response, self.key.as_ref()).await?,
            Err(error) => return Err(refusal::from_transport(error)),
        };
        tracing::debug!(status = answer.status.as_u16(), took = ?start.elapsed(), "the captioner answered");
        if !answer.status.is_success() {
            return Err(refusal::from_answer(&answer));
        }
        let json = answer.json()?;
        match self.form {
            Form::OpenaiChat { .. } => {
                Ok(Caption { text: openai_chat::text(json)?, tokens: openai_chat::tokens(json) })
            }
            Form::HfImageToText => Ok(Caption { text: hf_image_to_text::text(json)?, tokens: None }),
        }
    }

    fn url(&self, model: &str) -> Url {
        let path: Vec<&str> = match self.form {
            Form::OpenaiChat { .. } => openai_chat::PATH.to_vec(),
            Form::HfImageToText => std::iter::once("models").chain(model.split('/')).collect(),
        };
        let mut url = self.base.clone();
        // `base_url` has seen that it has a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

/// A base URL of which no part can be a secret, so that it may be logged.
fn base_url(text: &str) -> Result<Url, CaptionerError> {
    let url = Url::parse(text).map_err(|error| CaptionerError::Url(error.to_string()))?;
    let complaint = if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        "it must begin with http:// or https://"
    } else if !url.username().is_empty() || url.password().is_some() {
        "it holds a user name or a password; the place for a key is captioner.api_key"
    } else if url.query().is_some() || url.fragment().is_some() {
        "it must end with its path, without ? or #"
    } else {
        return Ok(url);
    };
    Err(CaptionerError::Url(complaint.to_owned()))
}

/// The client, with the key in its head.
fn client(base: &Url, key: Option<&SecretString>, call: Duration) -> Result<Client, CaptionerError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let bearer = format!("Bearer {}", key.expose_secret());
        let mut value = HeaderValue::try_from(bearer).map_err(|_| CaptionerError::ApiKey)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut builder = outgoing::client(call).default_headers(headers);
    if base.scheme() == "http" {
        // TLS cannot happen, so a system without CA certificates is no reason to fail.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(CaptionerError::Client)
}
