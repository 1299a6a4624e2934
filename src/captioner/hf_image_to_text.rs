//! `POST {base}/models/{model}` with the bytes of the picture: HuggingFace's image-to-text task.

use super::answer::bad;
use crate::domain::Failure;
use serde_json::Value;

/// HuggingFace's own host for task models, behind its router.
pub(super) const DEFAULT_URL: &str = "https://router.huggingface.co/hf-inference";

/// The model of the program that this one replaces. Self-hosted copies exist; HuggingFace itself may no longer serve it.
pub(super) const DEFAULT_MODEL: &str = "Salesforce/blip-image-captioning-large";

/// The text of `[{"generated_text": …}]` or `{"generated_text": …}`.
///
/// # Errors
/// `CaptionerBadAnswer` for anything else.
pub(super) fn text(json: &Value) -> Result<String, Failure> {
    let item = match json {
        Value::Array(items) => items.first().ok_or_else(|| bad("it is an empty list"))?,
        other => other,
    };
    let text = item.get("generated_text").and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| bad("it holds no generated_text"))
}
