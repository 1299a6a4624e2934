//! `POST {base}/chat/completions`, as HuggingFace's router, Ollama, vLLM and llama.cpp speak it.
//!
//! Source: OpenAI API reference, "Create chat completion". The picture travels as a `data:` URL (RFC 2397), because
//! several servers refuse to fetch anything.

use super::answer::bad;
use crate::domain::{Failure, FailureCode, Tokens};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// HuggingFace's router.
pub(super) const DEFAULT_URL: &str = "https://router.huggingface.co/v1";

/// Open weights, sees pictures, answers without a chain of thought unless asked, and the router has more than one host
/// for it (huggingface/hub-docs, `inference-providers/tasks/image-text-to-text.md`, 2026).
pub(super) const DEFAULT_MODEL: &str = "google/gemma-4-31B-it";

/// Below the base URL.
pub(super) const PATH: [&str; 2] = ["chat", "completions"];

/// What is sent.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    messages: [Message<'a>; 1],
    max_tokens: usize,
    temperature: f32,
    stream: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: [Part<'a>; 2],
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    ImageUrl { image_url: ImageUrl },
    Text { text: &'a str },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

impl<'a> Request<'a> {
    /// The question about the picture at `url`. A token is rarely less than a character in any script, so a caption of
    /// `max_chars` fits into as many tokens; the bounds keep within what servers accept.
    pub(super) fn new(
        model: &'a str,
        prompt: &'a str,
        url: String,
        max_chars: usize,
        temperature: f32,
    ) -> Self {
        // The picture first: the makers of several models advise it.
        let content = [Part::ImageUrl { image_url: ImageUrl { url } }, Part::Text { text: prompt }];
        let messages = [Message { role: "user", content }];
        Self { model, messages, max_tokens: max_chars.clamp(64, 2048), temperature, stream: false }
    }
}

/// The picture as a `data:` URL.
pub(super) fn data_url(picture: &[u8], media_type: &str) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(picture))
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<Said>,
    finish_reason: Option<String>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<Content>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<SaidPart>),
}

#[derive(Deserialize)]
struct SaidPart {
    r#type: String,
    text: Option<String>,
}

/// The text of the first choice; parts that are not text, such as a chain of thought, are left out.
///
/// # Errors
/// `CaptionerRefused` if the model or a content filter declined, else `CaptionerBadAnswer`.
pub(super) fn text(json: &Value) -> Result<String, Failure> {
    let Completion { choices } =
        Completion::deserialize(json).map_err(|error| bad(&format!("it is no chat completion: {error}")))?;
    let choice = choices.into_iter().next().ok_or_else(|| bad("it holds no choice"))?;
    let finish = choice.finish_reason.unwrap_or_default();
    if choice.error.is_some() || finish == "error" {
        return Err(bad("the model broke off with an error"));
    }
    if finish == "content_filter" {
        return Err(refused("a content filter stopped the caption"));
    }
    let said = choice.message.ok_or_else(|| bad("its choice holds no message"))?;
    if let Some(refusal) = said.refusal.filter(|text| !text.trim().is_empty()) {
        return Err(refused(&format!("the model declined: {refusal}")));
    }
    match said.content {
        Some(Content::Text(text)) => Ok(text),
        Some(Content::Parts(parts)) => {
            Ok(parts.into_iter().filter(|p| p.r#type == "text").filter_map(|p| p.text).collect())
        }
        None if finish == "length" => Err(bad("the model used up its tokens before it said anything")),
        None => Err(bad("its message holds no content")),
    }
}

/// What the answer says it cost; servers may leave it out.
pub(super) fn tokens(json: &Value) -> Option<Tokens> {
    let count = |name| json.get("usage")?.get(name)?.as_u64().and_then(|tokens| u32::try_from(tokens).ok());
    Some(Tokens { prompt: count("prompt_tokens")?, completion: count("completion_tokens")? })
}

fn refused(text: &str) -> Failure {
    Failure::permanent(FailureCode::CaptionerRefused, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_comes_from_a_string_or_from_text_parts_only() {
        let of = |content: Value| text(&json!({"choices": [{"message": {"content": content}}]}));
        assert_eq!(of(json!("A dog.")).unwrap(), "A dog.");
        let parts = json!([{"type": "thinking", "thinking": []}, {"type": "text", "text": "A "},
                           {"type": "text", "text": "dog."}, {"type": "refusal", "text": "no"}]);
        assert_eq!(of(parts).unwrap(), "A dog.");
    }

    #[test]
    fn tokens_are_counted_where_they_are_told() {
        let told = json!({"usage": {"prompt_tokens": 310, "completion_tokens": 12, "total_tokens": 322}});
        assert_eq!(tokens(&told), Some(Tokens { prompt: 310, completion: 12 }));
        for untold in [json!({}), json!({"usage": null}), json!({"usage": {"prompt_tokens": -1}})] {
            assert_eq!(tokens(&untold), None, "{untold}");
        }
    }

    #[test]
    fn what_is_no_caption_is_never_taken_for_one() {
        let cases = [
            (json!({}), FailureCode::CaptionerBadAnswer),
            (json!({"choices": []}), FailureCode::CaptionerBadAnswer),
            (json!({"choices": [{"text": "legacy"}]}), FailureCode::CaptionerBadAnswer),
            (json!({"choices": [{"message": {"content": null}}]}), FailureCode::CaptionerBadAnswer),
            (json!({"choices": [{"message": {"content": 7}}]}), FailureCode::CaptionerBadAnswer),
            (
                json!({"choices": [{"message": {"content": "x"}, "error": {"code": 502}}]}),
                FailureCode::CaptionerBadAnswer,
            ),
            (
                json!({"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}),
                FailureCode::CaptionerRefused,
            ),
            (
                json!({"choices": [{"message": {"content": null, "refusal": "I will not."}}]}),
                FailureCode::CaptionerRefused,
            ),
        ];
        for (answer, code) in cases {
            assert_eq!(text(&answer).unwrap_err().code(), code, "{answer}");
        }
    }
}
