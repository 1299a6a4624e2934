//! A text that is sent as JSON: a string and nothing else.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;
use std::borrow::Cow;

/// A string of 1 to `MAX` characters. The library's own takes numbers for strings, which the document does not say.
pub(super) struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Type for Text<MAX> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let (min_length, max_length) = (Some(1), Some(MAX));
        MetaSchemaRef::Inline(Box::new(MetaSchema { min_length, max_length, ..MetaSchema::new("string") }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

/// Asked for by the library of all that objects hold.
impl<const MAX: usize> ToJSON for Text<MAX> {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
}

impl<const MAX: usize> ParseFromJSON for Text<MAX> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            Some(Value::String(text)) => match text.chars().count() {
                0 => Err(ParseError::custom("the text is empty")),
                chars if chars > MAX => {
                    Err(ParseError::custom(format!("the text is longer than {MAX} characters")))
                }
                _ => Ok(Self(text)),
            },
            other => Err(ParseError::expected_type(other.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_string_of_the_right_length_is_a_text() {
        let of = |value: Value| Text::<3>::parse_from_json(Some(value)).map(|text| text.0).ok();
        assert_eq!(of(json!("äöü")).as_deref(), Some("äöü"));
        for other in [json!(""), json!("abcd"), json!(7), json!(true), json!(null), json!(["a"]), json!({})] {
            assert_eq!(of(other.clone()), None, "{other}");
        }
        assert!(Text::<3>::parse_from_json(None).is_err());
    }
}
