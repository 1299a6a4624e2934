//! Captions: one call to a model that looks at the picture.
//!
//! Two forms of HTTP call are spoken, `openai_chat` and `hf_image_to_text`, by as many providers as the settings name; `local`
//! is a model in this process. Each call
//! is bounded in time and in bytes, is sent once, and ends in a caption or in a [`Failure`](crate::domain::Failure) that
//! says whether another attempt can help.

mod answer;
mod clean;
mod hf_image_to_text;
mod local;
mod openai_chat;
mod pause;
mod provider;
mod refusal;
mod remote;
#[cfg(test)]
mod tests;

pub use provider::Provider;

use crate::settings::{Captioner as Settings, CaptionerFallback};
use provider::Named;

/// Settings from which no captioner can be made. None of the texts holds a value that may be secret.
#[derive(Debug, thiserror::Error)]
pub enum CaptionerError {
    /// `captioner.url`, or that of a fallback, is no base URL.
    #[error("captioner.url cannot be used: {0}")]
    Url(String),
    /// `captioner.api_key`, or that of a fallback, cannot stand in an HTTP header.
    #[error("captioner.api_key holds characters that an HTTP header cannot carry")]
    ApiKey,
    /// The HTTP client cannot be set up; with an `https` URL most often because the system has no CA certificates.
    #[error("cannot set up the captioner's HTTP client (for https, are CA certificates installed?)")]
    Client(#[source] reqwest::Error),
    /// `captioner.provider`, or that of a fallback, is `local`, and there is no such thing in this program.
    #[cfg(not(feature = "local-captions"))]
    #[error(
        "this program was built without a local captioner: cargo build --release --features local-captions"
    )]
    NotBuiltIn,
    /// `captioner.weights` is not set.
    #[cfg(feature = "local-captions")]
    #[error(
        "captioner.weights is not set: it names the folder with config.json, model.safetensors and tokenizer.json of \
         Salesforce/blip-image-captioning-base (1 GB, from https://huggingface.co/Salesforce/blip-image-captioning-base)"
    )]
    NoWeights,
    /// The weights cannot be loaded.
    #[cfg(feature = "local-captions")]
    #[error("the local captioner cannot be loaded")]
    Load(#[source] Box<darkroom_local_captioner::LoadError>),
    /// A thread cannot be started, or it panicked.
    #[cfg(feature = "local-captions")]
    #[error("the local captioner cannot be loaded: {0}")]
    Thread(String),
}

/// Those who can be asked for captions, in the order in which they are.
#[derive(Debug)]
pub struct Captioner {
    providers: Vec<Provider>,
}

impl Captioner {
    /// The captioner that the settings ask for; `None` where captions are off, which is also what `auto` means without
    /// a key.
    ///
    /// # Errors
    /// Where a URL or a key cannot be used, or TLS cannot be set up.
    pub fn from_settings(settings: &Settings) -> Result<Option<Self>, CaptionerError> {
        let Some(form) = settings.form() else { return Ok(None) };
        let first = Named {
            form,
            api_key: settings.api_key.as_ref(),
            url: &settings.url,
            model: &settings.model,
            per_minute: settings.calls_per_minute,
            per_day: settings.calls_per_day,
        };
        let all = std::iter::once(first).chain(settings.fallbacks.iter().map(fallback));
        let providers: Result<_, _> = all.map(|named| Provider::new(named, settings)).collect();
        Ok(Some(Self { providers: providers? }))
    }

    /// Makes all providers ready to be asked.
    ///
    /// # Errors
    /// If a local model cannot be loaded.
    pub async fn load(&self) -> Result<(), CaptionerError> {
        for provider in &self.providers {
            provider.load().await?;
        }
        Ok(())
    }

    /// Who is asked, in this order.
    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }
}

fn fallback(settings: &CaptionerFallback) -> Named<'_> {
    Named {
        form: settings.provider,
        api_key: settings.api_key.as_ref(),
        url: &settings.url,
        model: &settings.model,
        per_minute: settings.calls_per_minute,
        per_day: settings.calls_per_day,
    }
}
