//! The section `captioner.*`.

use super::sections::{seconds, secret};
use secrecy::SecretString;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// `captioner.provider`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptionerProvider {
    /// `openai_chat` if a key is set, else off.
    Auto,
    /// No captions.
    Off,
    /// `POST {url}/chat/completions` with an image part.
    OpenaiChat,
    /// `POST {url}/models/{model}` with raw bytes.
    HfImageToText,
    /// A model inside the worker.
    Local,
}

/// `captioner.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Captioner {
    /// Which form of call.
    pub provider: CaptionerProvider,
    /// Bearer token; `None` if not set.
    #[serde(deserialize_with = "secret")]
    pub api_key: Option<SecretString>,
    /// Base URL, or empty for the provider's own.
    pub url: String,
    /// Model, or empty for the provider's own.
    pub model: String,
    /// Folder with the weights of `local`.
    pub weights: PathBuf,
    /// Question of `openai_chat`.
    pub prompt: String,
    /// Language of the answer, or empty.
    pub language: String,
    /// 0 to 2.
    pub temperature: f32,
    /// Characters of a caption.
    pub max_chars: usize,
    /// Whether what a file says of its picture is a caption.
    pub read_descriptions: bool,
    /// Whether a model is asked about a picture that the file itself describes.
    pub ask_if_described: bool,
    /// Length allowed to a call.
    #[serde(rename = "call_seconds", deserialize_with = "seconds")]
    pub call: Duration,
    /// Calls permitted in a minute; 0 for any number.
    pub calls_per_minute: u32,
    /// Calls permitted in a day of UTC; 0 for any number.
    pub calls_per_day: u32,
    /// Failures in a row that open the circuit breaker.
    pub breaker_failures: u32,
    /// How long it stays open at first.
    #[serde(rename = "breaker_seconds", deserialize_with = "seconds")]
    pub breaker: Duration,
    /// How long a caption waits while every provider is left alone.
    #[serde(rename = "give_up_seconds", deserialize_with = "seconds")]
    pub give_up: Duration,
    /// Who is asked when the one above cannot be, in this order.
    #[serde(deserialize_with = "fallbacks")]
    pub fallbacks: Vec<CaptionerFallback>,
}

impl Captioner {
    /// How the first provider is spoken to; `None` where captions are off, which is also what `auto` means without a key.
    #[must_use]
    pub const fn form(&self) -> Option<ProviderForm> {
        match self.provider {
            CaptionerProvider::Off => None,
            CaptionerProvider::Auto if self.api_key.is_none() => None,
            CaptionerProvider::Auto | CaptionerProvider::OpenaiChat => Some(ProviderForm::OpenaiChat),
            CaptionerProvider::HfImageToText => Some(ProviderForm::HfImageToText),
            CaptionerProvider::Local => Some(ProviderForm::Local),
        }
    }

    /// How many providers there are to ask.
    #[must_use]
    pub fn providers(&self) -> u32 {
        u32::try_from(self.fallbacks.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// An item of `captioner.fallbacks`. Prompt, language, temperature and times are those of all.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptionerFallback {
    /// Which form of call.
    pub provider: ProviderForm,
    /// Bearer token; `None` if not set.
    #[serde(default, deserialize_with = "secret")]
    pub api_key: Option<SecretString>,
    /// Base URL, or empty for the provider's own.
    #[serde(default)]
    pub url: String,
    /// Model, or empty for the provider's own.
    #[serde(default)]
    pub model: String,
    /// Calls permitted in a minute; 0 for any number.
    #[serde(default)]
    pub calls_per_minute: u32,
    /// Calls permitted in a day of UTC; 0 for any number.
    #[serde(default)]
    pub calls_per_day: u32,
}

/// How a provider is spoken to: `captioner.fallbacks[].provider`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderForm {
    /// As [`CaptionerProvider::OpenaiChat`].
    OpenaiChat,
    /// As [`CaptionerProvider::HfImageToText`].
    HfImageToText,
    /// As [`CaptionerProvider::Local`].
    Local,
}

/// A list, or (from the environment) the same as JSON. What cannot be understood is not repeated: it may hold a key.
fn fallbacks<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<CaptionerFallback>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Text(String),
        List(Vec<serde_json::Value>),
    }
    let refused = |what: &str| serde::de::Error::custom(format!("captioner.fallbacks {what}"));
    let given = match Given::deserialize(from).map_err(|_| refused("is no list of tables"))? {
        Given::Text(text) if text.trim().is_empty() => return Ok(Vec::new()),
        Given::Text(text) => serde_json::from_str(&text).map_err(|_| refused("is no JSON list"))?,
        Given::List(list) => list,
    };
    let read = |(place, item)| {
        serde_json::from_value(item).map_err(|_| {
            refused(&format!(
                "[{place}] cannot be understood: it is a table with provider (\"openai_chat\", \"hf_image_to_text\" or \"local\"), \
                 and at will api_key, url, model, calls_per_minute, calls_per_day"
            ))
        })
    };
    given.into_iter().enumerate().map(read).collect()
}
