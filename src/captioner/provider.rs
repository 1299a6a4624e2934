//! One provider: who it is, and what it is asked.

use super::local::Local;
use super::remote::{Form, Remote};
use super::{CaptionerError, answer, clean, hf_image_to_text, openai_chat};
use crate::domain::{Caption, Failure, FailureCode, Question};
use crate::settings::{Captioner as Settings, ProviderForm};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// What the settings say of one provider alone.
pub(super) struct Named<'a> {
    pub(super) form: ProviderForm,
    pub(super) api_key: Option<&'a SecretString>,
    pub(super) url: &'a str,
    pub(super) model: &'a str,
    pub(super) per_minute: u32,
    pub(super) per_day: u32,
}

/// Somebody who can be asked for a caption.
#[derive(Debug)]
pub struct Provider {
    road: Road,
    endpoint: String,
    question: Question,
    max_chars: usize,
    call: Duration,
    per_minute: Option<u32>,
    per_day: Option<u32>,
}

/// Where the model is.
#[derive(Debug)]
enum Road {
    Remote(Remote),
    Local(Local),
}

impl Provider {
    pub(super) fn new(named: Named<'_>, settings: &Settings) -> Result<Self, CaptionerError> {
        let (max_chars, temperature) = (settings.max_chars, settings.temperature);
        let language = Some(settings.language.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let prompt = match &language {
            Some(language) => format!("{} Answer in {language}.", settings.prompt.trim_end()),
            None => settings.prompt.clone(),
        };
        // Where nothing is asked, the model looks, and says.
        let unasked = || version(&format!("\0{max_chars}"));
        let remote =
            |own_url, form| Remote::new(or_own(named.url, own_url), named.api_key, form, settings.call);
        let (name, own_model, prompt_version, road) = match named.form {
            ProviderForm::OpenaiChat => {
                let prompt_version = version(&format!("{prompt}\0{temperature}\0{max_chars}"));
                let form = Form::OpenaiChat { prompt, temperature, max_chars };
                let road = Road::Remote(remote(openai_chat::DEFAULT_URL, form)?);
                ("openai_chat", openai_chat::DEFAULT_MODEL.to_owned(), prompt_version, road)
            }
            ProviderForm::HfImageToText => {
                let road = Road::Remote(remote(hf_image_to_text::DEFAULT_URL, Form::HfImageToText)?);
                ("hf_image_to_text", hf_image_to_text::DEFAULT_MODEL.to_owned(), unasked(), road)
            }
            ProviderForm::Local => {
                let local = Local::new(&settings.weights)?;
                ("local", local.name(), unasked(), Road::Local(local))
            }
        };
        let model = or_own(named.model, &own_model).to_owned();
        Ok(Self {
            endpoint: match &road {
                Road::Remote(remote) => endpoint(remote.base().as_str(), &model, named.api_key),
                Road::Local(_) => endpoint(name, &model, None),
            },
            road,
            // Where nothing is asked, no language is either.
            question: Question {
                provider: name.to_owned(),
                model,
                prompt_version,
                language: language.filter(|_| named.form == ProviderForm::OpenaiChat),
            },
            max_chars,
            call: settings.call,
            per_minute: Some(named.per_minute).filter(|calls| *calls > 0),
            per_day: Some(named.per_day).filter(|calls| *calls > 0),
        })
    }

    /// Makes ready what takes a while and a lot of memory: the weights of a local model.
    ///
    /// # Errors
    /// If the model cannot be loaded.
    pub async fn load(&self) -> Result<(), CaptionerError> {
        match &self.road {
            Road::Remote(_) => Ok(()),
            Road::Local(local) => local.load().await,
        }
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

    /// Whether all workers ask the same: then what one of them learns of it, the others need not try. A local model may be well
    /// on one machine and damaged on the next.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self.road, Road::Remote(_))
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
        let Caption { text, tokens } = match &self.road {
            Road::Remote(remote) => remote.ask(&question.model, picture, media_type).await?,
            Road::Local(_) if question.model != self.question.model => {
                return Err(self.only_its_own(question));
            }
            Road::Local(local) => local.ask(picture, self.call).await?,
        };
        let no_words = || match &self.road {
            Road::Remote(_) => answer::bad("it holds no words"),
            // It would say the same again.
            Road::Local(_) => {
                Failure::permanent(FailureCode::CaptionerBadAnswer, "the local captioner said no words")
            }
        };
        let text = clean::clean(&text, self.max_chars).ok_or_else(no_words)?;
        Ok(Caption { text, tokens })
    }

    fn only_its_own(&self, Question { model, .. }: &Question) -> Failure {
        let text = format!("the local captioner has the model {}, and not {model}", self.question.model);
        Failure::permanent(FailureCode::CaptionerMisconfigured, text)
    }
}

fn endpoint(place: &str, model: &str, key: Option<&SecretString>) -> String {
    let account = key.map(|key| format!(" key {}", version(key.expose_secret()))).unwrap_or_default();
    format!("{} {model}{account}", place.trim_end_matches('/'))
}

/// Eight hexadecimal digits that change with what is asked.
fn version(asked: &str) -> String {
    Sha256::digest(asked.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn or_own<'a>(chosen: &'a str, own: &'a str) -> &'a str {
    if chosen.trim().is_empty() { own } else { chosen.trim() }
}
