//! How long a captioner asks to be left alone that says so in its body.

use serde_json::Value;
use std::time::Duration;

/// The `estimated_time` (in seconds) that HuggingFace puts beside the error while it loads a model.
pub(super) fn from_body(json: &Value) -> Option<Duration> {
    let seconds = json.get("estimated_time")?.as_f64()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_holds_an_estimate() {
        assert_eq!(from_body(&json!({"estimated_time": 20.5})), Some(Duration::from_millis(20_500)));
        for nonsense in [json!({}), json!({"estimated_time": -1}), json!({"estimated_time": "20"}), json!([])]
        {
            assert_eq!(from_body(&nonsense), None, "{nonsense}");
        }
    }
}
