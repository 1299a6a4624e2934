//! One provider: where it is, how it is spoken to, what it is asked.

use super::answer::{self, Answer};
use super::{CaptionerError, clean, hf_image_to_text, openai_chat, refusal};
use crate::domain::{Caption, Failure, Question};
use crate::outgoing;
use crate::settings::Captioner as Settings;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

/// The form of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    OpenaiChat,
    HfImageToText,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::HfImageToText => "hf_image_to_text",
        }
    }

    /// Base URL and model where the settings name none.
    const fn defaults(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenaiChat => (openai_chat::DEFAULT_URL, openai_chat::DEFAULT_MODEL),
            Self::HfImageToText => (hf_image_to_text::DEFAULT_URL, hf_image_to_text::DEFAULT_MODEL),
        }
    }
}

/// What the settings say of one provider alone.
pub(super) struct Named<'a> {
    pub(super) form: Form,
    pub(super) api_key: Option<&'a SecretString>,
    pub(super) url: &'a str,
    pub(super) model: &'a str,
    pub(super) per_minute: u32,
    pub(super) per_day: u32,
}

/// Somebody who can be asked for a caption.
#[derive(Debug)]
pub struct Provider {
    client: Client,
    base: Url,
    form: Form,
    endpoint: String,
    question: Question,
    prompt: String,
    temperature: f32,
    max_chars: usize,
    per_minute: Option<u32>,
    per_day: Option<u32>,
    /// Only to blot it out of what the other side says; the client holds its own copy for the header.
    key: Option<SecretString>,
}

impl Provider {
    pub(super) fn new(named: Named<'_>, settings: &Settings) -> Result<Self, CaptionerError> {
        let (own_url, own_model) = named.form.defaults();
        let base = base_url(or_own(named.url, own_url))?;
        let model = or_own(named.model, own_model).to_owned();
        let language = Some(settings.language.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let prompt = match &language {
            Some(language) => format!("{} Answer in {language}.", settings.prompt.trim_end()),
            None => settings.prompt.clone(),
        };
        let (temperature, max_chars) = (settings.temperature, settings.max_chars);
        let prompt_version = match named.form {
            Form::OpenaiChat => version(&format!("{prompt}\0{temperature}\0{max_chars}")),
            // Nothing is asked; the model looks, and says.
            Form::HfImageToText => version(&format!("\0{max_chars}")),
        };
        let client = client(&base, named.api_key, settings.call)?;
        let provider = named.form.name().to_owned();
        Ok(Self {
            client,
            form: named.form,
            endpoint: endpoint(&base, &model, named.api_key),
            base,
            question: Question { provider, model, prompt_version, language },
            prompt,
            temperature,
            max_chars,
            per_minute: Some(named.per_minute).filter(|calls| *calls > 0),
            per_day: Some(named.per_day).filter(|calls| *calls > 0),
            key: named.api_key.cloned(),
        })
    }

    /// What is asked, if nobody wishes for another model.
    #[must_use]
    pub const fn question(&self) -> &Question {
        &self.question
    }

    /// The same for another model.
    #[must_use]
    pub fn question_for(&self, model: String) -> Question {
        Question { model, ..self.question.clone() }
    }

    /// By what its circuit breaker and its budget are known: URL, model, and a digest of the key, which may be another account.
    /// Not for callers of the API.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls permitted in a minute; `None` for any number.
    #[must_use]
    pub const fn per_minute(&self) -> Option<u32> {
        self.per_minute
    }

    /// Calls permitted in a day; `None` for any number.
    #[must_use]
    pub const fn per_day(&self) -> Option<u32> {
        self.per_day
    }

    /// Asks `question` about `picture`, a whole file of the type `media_type` (`image/jpeg` or `image/png`). One call,
    /// never repeated in here, and no longer than `captioner.call_seconds`.
    ///
    /// # Errors
    /// A [`Failure`] with one of the captioner's codes. Its text never holds the key, whatever the other side said.
    pub async fn ask(
        &self,
        question: &Question,
        picture: &[u8],
        media_type: &str,
    ) -> Result<Caption, Failure> {
        let request = self.client.post(self.url(&question.model));
        let request = match self.form {
            Form::OpenaiChat => request.json(&openai_chat::Request::new(
                &question.model,
                &self.prompt,
                openai_chat::data_url(picture, media_type),
                self.max_chars,
                self.temperature,
            )),
            Form::HfImageToText => request.header(CONTENT_TYPE, media_type).body(picture.to_vec()),
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
        let (said, tokens) = match self.form {
            Form::OpenaiChat => (openai_chat::text(json)?, openai_chat::tokens(json)),
            Form::HfImageToText => (hf_image_to_text::text(json)?, None),
        };
        let text = clean::clean(&said, self.max_chars).ok_or_else(|| answer::bad("it holds no words"))?;
        Ok(Caption { text, tokens })
    }

    fn url(&self, model: &str) -> Url {
        let path: Vec<&str> = match self.form {
            Form::OpenaiChat => openai_chat::PATH.to_vec(),
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

fn endpoint(base: &Url, model: &str, key: Option<&SecretString>) -> String {
    let account = key.map(|key| format!(" key {}", version(key.expose_secret()))).unwrap_or_default();
    format!("{} {model}{account}", base.as_str().trim_end_matches('/'))
}

/// Eight hexadecimal digits that change with what is asked.
fn version(asked: &str) -> String {
    Sha256::digest(asked.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn or_own<'a>(chosen: &'a str, own: &'a str) -> &'a str {
    if chosen.trim().is_empty() { own } else { chosen.trim() }
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
