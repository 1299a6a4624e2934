//! Captions: one HTTP call to a model that looks at the picture.
//!
//! Two forms of call are spoken, `openai_chat` and `hf_image_to_text`. Each call is bounded in time and in bytes, is
//! sent once, and ends in a caption or in a [`Failure`] that says whether another attempt can help.

mod answer;
mod clean;
mod hf_image_to_text;
mod openai_chat;
mod pause;
mod refusal;
#[cfg(test)]
mod tests;

use crate::domain::Failure;
use crate::outgoing;
use crate::settings::{Captioner as Settings, CaptionerProvider};
use answer::Answer;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use std::time::{Duration, Instant};

/// A caption, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// One line of text, at most `captioner.max_chars` characters.
    pub text: String,
    /// The form of call, as `captioner.provider` names it.
    pub provider: &'static str,
    /// The model that was asked for.
    pub model: String,
}

/// Settings from which no captioner can be made. None of the texts holds a value that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum CaptionerError {
    /// `captioner.url` is no base URL.
    #[error("captioner.url cannot be used: {0}")]
    Url(String),
    /// `captioner.api_key` cannot stand in an HTTP header.
    #[error("captioner.api_key holds characters that an HTTP header cannot carry")]
    ApiKey,
    /// The HTTP client cannot be set up; with an `https` URL most often because the system has no CA certificates.
    #[error("cannot set up the captioner's HTTP client (for https, are CA certificates installed?)")]
    Client(#[source] reqwest::Error),
}

/// Asks for captions.
#[derive(Debug)]
pub struct Captioner {
    client: Client,
    endpoint: Url,
    provider: Provider,
    model: String,
    max_chars: usize,
    /// Only to blot it out of what the other side says; the client holds its own copy for the header.
    key: Option<SecretString>,
}

/// The form of call.
#[derive(Debug)]
enum Provider {
    OpenaiChat { prompt: String },
    HfImageToText,
}

impl Provider {
    const fn name(&self) -> &'static str {
        match self {
            Self::OpenaiChat { .. } => "openai_chat",
            Self::HfImageToText => "hf_image_to_text",
        }
    }
}

impl Captioner {
    /// The captioner that the settings ask for; `None` where captions are off, which is also what `auto` means without
    /// a key.
    ///
    /// # Errors
    /// Where the URL or the key cannot be used, or TLS cannot be set up.
    pub fn from_settings(settings: &Settings) -> Result<Option<Self>, CaptionerError> {
        let provider = match (settings.provider, &settings.api_key) {
            (CaptionerProvider::Off, _) | (CaptionerProvider::Auto, None) => return Ok(None),
            (CaptionerProvider::Auto, Some(_)) | (CaptionerProvider::OpenaiChat, _) => {
                Provider::OpenaiChat { prompt: settings.prompt.clone() }
            }
            (CaptionerProvider::HfImageToText, _) => Provider::HfImageToText,
        };
        let (own_url, own_model) = match provider {
            Provider::OpenaiChat { .. } => (openai_chat::DEFAULT_URL, openai_chat::DEFAULT_MODEL),
            Provider::HfImageToText => (hf_image_to_text::DEFAULT_URL, hf_image_to_text::DEFAULT_MODEL),
        };
        let model = or_own(&settings.model, own_model).to_owned();
        let mut endpoint = base_url(or_own(&settings.url, own_url))?;
        let path: Vec<&str> = match provider {
            Provider::OpenaiChat { .. } => openai_chat::PATH.to_vec(),
            Provider::HfImageToText => std::iter::once("models").chain(model.split('/')).collect(),
        };
        endpoint
            .path_segments_mut()
            .map_err(|()| CaptionerError::Url("it is no base URL".to_owned()))?
            .pop_if_empty()
            .extend(path);
        let client = client(&endpoint, settings.api_key.as_ref(), settings.call)?;
        let (key, max_chars) = (settings.api_key.clone(), settings.max_chars);
        Ok(Some(Self { client, endpoint, provider, model, max_chars, key }))
    }

    /// Asks for a caption of `picture`, a whole file of the type `media_type` (`image/jpeg` or `image/png`). One call,
    /// never repeated in here, and no longer than `captioner.call_seconds`.
    ///
    /// # Errors
    /// A [`Failure`] with one of the captioner's codes. Its text never holds the key, whatever the other side said.
    pub async fn caption(&self, picture: &[u8], media_type: &str) -> Result<Caption, Failure> {
        let request = self.client.post(self.endpoint.clone());
        let request = match &self.provider {
            Provider::OpenaiChat { prompt } => request.json(&openai_chat::Request::new(
                &self.model,
                prompt,
                openai_chat::data_url(picture, media_type),
                self.max_chars,
            )),
            Provider::HfImageToText => {
                request.header(reqwest::header::CONTENT_TYPE, media_type).body(picture.to_vec())
            }
        };
        let start = Instant::now();
        let answer = match request.send().await {
            Ok(response) => Answer::read(response, self.key.as_ref()).await?,
            Err(error) => return Err(refusal::from_transport(error)),
        };
        tracing::debug!(status = answer.status.as_u16(), took = ?start.elapsed(), "the captioner answered");
        if !answer.status.is_success() {
            return Err(refusal::from_answer(&answer));
        }
        let json = answer.json()?;
        let said = match &self.provider {
            Provider::OpenaiChat { .. } => openai_chat::text(json)?,
            Provider::HfImageToText => hf_image_to_text::text(json)?,
        };
        let text = clean::clean(&said, self.max_chars).ok_or_else(|| answer::bad("it holds no words"))?;
        Ok(Caption { text, provider: self.provider.name(), model: self.model.clone() })
    }
}

fn or_own<'a>(chosen: &'a str, own: &'a str) -> &'a str {
    if chosen.trim().is_empty() { own } else { chosen.trim() }
}

/// A base URL of which no part can be a secret, so that it may be logged.
fn base_url(text: &str) -> Result<Url, CaptionerError> {
    let url = Url::parse(text).map_err(|error| CaptionerError::Url(error.to_string()))?;
    let complaint = if !matches!(url.scheme(), "http" | "https") {
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
fn client(endpoint: &Url, key: Option<&SecretString>, call: Duration) -> Result<Client, CaptionerError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let bearer = format!("Bearer {}", key.expose_secret());
        let mut value = HeaderValue::try_from(bearer).map_err(|_| CaptionerError::ApiKey)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut builder = outgoing::client(call).default_headers(headers);
    if endpoint.scheme() == "http" {
        // TLS cannot happen, so a system without CA certificates is no reason to fail.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(CaptionerError::Client)
}
