//! `traces.*`, the section of where traces go.

use super::SettingsError;
use super::load::refuse_if;
use super::sections::secret;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

/// `traces.*`
#[derive(Debug, Clone, Deserialize)]
pub struct Traces {
    /// Base URL of the collector; `None` for no traces.
    #[serde(deserialize_with = "optional_text")]
    pub url: Option<String>,
    /// Headers for it, as `name=value` with commas; `None` if not set.
    #[serde(deserialize_with = "secret")]
    pub headers: Option<SecretString>,
    /// From 0 to 1.
    pub sample_ratio: f64,
}

impl Traces {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let is_share = (0.0..=1.0).contains(&self.sample_ratio);
        refuse_if(!is_share, "traces.sample_ratio", "must be from 0 to 1")?;
        let Some(url) = &self.url else { return Ok(()) };
        let is_web = url.starts_with("http://") || url.starts_with("https://");
        refuse_if(!is_web, "traces.url", "must begin with http:// or https://")?;
        // Parts that hold secrets.
        refuse_if(
            url.contains(['@', '?', '#']),
            "traces.url",
            "must hold neither a user nor a query; the place for a key is traces.headers",
        )?;
        refuse_if(
            url.trim_end_matches('/').ends_with("/v1/traces"),
            "traces.url",
            "must not end with /v1/traces, which is added to it",
        )
    }
}

fn optional_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    #[test]
    fn a_base_url_without_secrets_and_a_share_are_taken_and_the_rest_is_refused_by_name() {
        let load = |key: &str, value: &str| {
            Settings::load(None, [(format!("DARKROOM_TRACES__{key}"), value.to_owned())])
        };
        for url in ["http://collector:4318", "https://example.com/otlp/"] {
            assert_eq!(load("URL", url).unwrap().traces.url.as_deref(), Some(url));
        }
        assert!(load("URL", " ").unwrap().traces.url.is_none());
        assert!(!format!("{:?}", load("HEADERS", "key=geheim")).contains("geheim"));
        for (key, value) in [
            ("URL", "collector:4317"),
            ("URL", "https://user:geheim@collector"),
            ("URL", "https://collector?key=geheim"),
            ("URL", "http://collector:4318/v1/traces/"),
            ("SAMPLE_RATIO", "1.1"),
            ("SAMPLE_RATIO", "-0.1"),
            ("SAMPLE_RATIO", "NaN"),
        ] {
            let message = load(key, value).expect_err(value).to_string();
            assert!(message.starts_with(&format!("traces.{}", key.to_lowercase())), "{value}: {message}");
            assert!(!message.contains("geheim"), "{message}");
        }
    }
}
