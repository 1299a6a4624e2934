//! An answer of the captioner: its status, the pause it asks for, and a bounded body that may be anything.

use super::{pause, refusal};
use crate::domain::{Failure, FailureCode};
use crate::outgoing::{read_bounded, retry_after};
use reqwest::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;

/// The most bytes of a body that are read. A caption takes a few hundred.
const BODY_LIMIT: usize = 64 * 1024;

/// The most characters that are quoted of what the other side said.
const QUOTE_CHARS: usize = 300;

/// An answer whose body has been read as far as it will be. The key does not occur in it, even if the other side said it.
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// How long the other side asks to wait, by its header or its body; not yet capped.
    pub(super) pause: Option<Duration>,
    /// Where a redirect points to.
    pub(super) location: Option<String>,
    content: Content,
}

/// What a body turned out to be.
enum Content {
    Json(Value),
    Html,
    Text(String),
    /// The beginning of what is longer than the limit, or broke off.
    Cut(String),
}

impl Answer {
    /// Reads the body, up to its limit. An error answer is told by its status, so there it does not matter whether the
    /// body ends well.
    ///
    /// # Errors
    /// `CaptionerUnavailable` if the connection breaks in the middle of a successful answer.
    pub(super) async fn read(mut response: Response, key: Option<&SecretString>) -> Result<Self, Failure> {
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = header(RETRY_AFTER).and_then(|text| retry_after(text, OffsetDateTime::now_utc()));
        let location = header(LOCATION).map(|text| without_key(text, key));
        let html = header(CONTENT_TYPE).is_some_and(|text| text.starts_with("text/html"));
        let mut bytes = Vec::new();
        let complete = match read_bounded(&mut response, BODY_LIMIT, &mut bytes).await {
            Ok(complete) => complete,
            Err(error) if status.is_success() => return Err(refusal::from_transport(error)),
            Err(_) => false,
        };
        let content = match serde_json::from_slice(&bytes) {
            Ok(json) if complete => Content::Json(json_without_key(json, key)),
            _ if html || bytes.trim_ascii_start().starts_with(b"<") => Content::Html,
            _ if complete => Content::Text(without_key(&String::from_utf8_lossy(&bytes), key)),
            _ => Content::Cut(without_key(&String::from_utf8_lossy(&bytes), key)),
        };
        let estimated = if let Content::Json(json) = &content { pause::from_body(json) } else { None };
        Ok(Self { status, pause: asked.max(estimated), location, content })
    }

    /// The body of a successful answer, if it is JSON and no error.
    ///
    /// # Errors
    /// `CaptionerBadAnswer` if it is too long, empty, not JSON, or an error under a status of success.
    pub(super) fn json(&self) -> Result<&Value, Failure> {
        let json = match &self.content {
            Content::Json(json) => json,
            Content::Html => return Err(bad("it is an HTML page; does captioner.url name the API?")),
            Content::Text(text) if text.trim().is_empty() => return Err(bad("it is empty")),
            Content::Text(_) => return Err(bad("it is not JSON")),
            Content::Cut(_) => return Err(bad(&format!("it is longer than {BODY_LIMIT} bytes"))),
        };
        let first = json.as_array().and_then(|items| items.first()).unwrap_or(json);
        match first.get("error") {
            None | Some(Value::Null) => Ok(json),
            Some(_) => Err(bad(&format!("it is an error: {}", self.quote()))),
        }
    }

    /// What the other side says went wrong, on one line, bounded; `no reason given` if it says nothing.
    pub(super) fn quote(&self) -> String {
        let said = match &self.content {
            Content::Json(json) => message(json).unwrap_or_default(),
            Content::Html => "an HTML page",
            Content::Text(text) | Content::Cut(text) => text,
        };
        let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.is_empty() {
            true => "no reason given".to_owned(),
            false => line.chars().take(QUOTE_CHARS).collect(),
        }
    }
}

/// Some servers repeat the key that they refuse.
fn without_key(text: &str, key: Option<&SecretString>) -> String {
    match key {
        Some(key) => text.replace(key.expose_secret(), "[key]"),
        None => text.to_owned(),
    }
}

/// The same for all texts inside `json`, where an escape in the raw body cannot hide the key.
fn json_without_key(json: Value, key: Option<&SecretString>) -> Value {
    match json {
        Value::String(text) => Value::String(without_key(&text, key)),
        Value::Array(items) => items.into_iter().map(|item| json_without_key(item, key)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, json_without_key(value, key))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => json,
    }
}

/// The explanation in an error body: `{error: …}`, `{error: {message}}`, `{detail: …}`, `{detail: [{msg}]}`, `{message}`,
/// a list of any of these, or a bare text.
fn message(json: &Value) -> Option<&str> {
    match json {
        Value::String(text) => Some(text),
        Value::Array(items) => items.iter().find_map(message),
        Value::Object(fields) => ["error", "message", "detail", "msg"]
            .iter()
            .filter_map(|name| fields.get(*name))
            .find_map(message),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// An answer under a status of success that holds no caption. It counts as passing: a router sends the next call to
/// another host, a gateway shows its HTML while the host behind it restarts, and the attempts are bounded, so that the
/// price of hoping is a few calls.
pub(super) fn bad(what: &str) -> Failure {
    Failure::transient(
        FailureCode::CaptionerBadAnswer,
        format!("the captioner's answer is of no use: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::message;
    use serde_json::json;

    #[test]
    fn the_explanation_is_found_in_every_known_form() {
        let forms = [
            json!({"error": "why"}),
            json!({"error": ["why", "more"]}),
            json!({"error": {"message": "why", "type": "server_error", "code": 500}}),
            json!({"error": null, "message": "why"}),
            json!({"detail": "why"}),
            json!({"detail": [{"loc": ["body"], "msg": "why", "type": "missing"}]}),
            json!({"message": "why"}),
            json!([{"error": "why"}]),
            json!("why"),
        ];
        for form in forms {
            assert_eq!(message(&form), Some("why"), "{form}");
        }
        assert_eq!(message(&json!({"status": 500})), None);
    }
}
