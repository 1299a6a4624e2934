//! What a call that brought no caption means: which code, and whether another attempt can help.

use super::answer::Answer;
use crate::domain::Failure;
use crate::domain::FailureCode::{
    CaptionerMisconfigured, CaptionerRateLimited, CaptionerRefused, CaptionerUnavailable,
};
use crate::outgoing::root_cause;
use reqwest::StatusCode;
use std::time::Duration;

/// The longest pause that the other side can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The pause after "credits exhausted". An operator has to act or a billing period has to end, so shorter ones would
/// only use up the attempts; with five of them this covers a day.
const CREDIT_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// What servers say in a 400 when the picture is at fault, in lower case. All else in a request is the same each time,
/// so a 400 without one of these is laid to the settings.
const ABOUT_THE_PICTURE: [&str; 12] = [
    "invalid image",
    "invalid_image",
    "invalid base64",
    "cannot identify image",
    "failed to load image",
    "could not process image",
    "unable to process image",
    "decode",
    "corrupt",
    "image is too",
    "image too",
    "content policy",
];

/// What llama.cpp says, with status 500, of a model that cannot see; in lower case.
const CANNOT_SEE: [&str; 2] = ["image input is not supported", "unsupported content part type"];

/// The failure that an error answer stands for. Statuses as in RFC 9110 §15 and RFC 6585 §4.
pub(super) fn from_answer(answer: &Answer) -> Failure {
    let (status, said) = (answer.status, answer.quote());
    let lower = said.to_lowercase();
    let mentions = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
    let pause = answer.pause.map(|asked| asked.min(LONGEST_PAUSE));
    let text = format!("the captioner answered {status}: {said}");
    match status {
        StatusCode::BAD_REQUEST if mentions(&ABOUT_THE_PICTURE) => Failure::permanent(CaptionerRefused, text),
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Failure::permanent(CaptionerRefused, text),
        StatusCode::PAYMENT_REQUIRED => {
            let hours = CREDIT_PAUSE.as_secs() / 3600;
            let text = format!("{text} (tried again every {hours} hours while attempts are left)");
            Failure::transient_after(CaptionerMisconfigured, text, Some(CREDIT_PAUSE))
        }
        StatusCode::TOO_MANY_REQUESTS => Failure::transient_after(CaptionerRateLimited, text, pause),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            Failure::transient_after(CaptionerUnavailable, text, pause)
        }
        StatusCode::INTERNAL_SERVER_ERROR if mentions(&CANNOT_SEE) => {
            Failure::permanent(CaptionerMisconfigured, text)
        }
        _ if status.is_server_error() => Failure::transient_after(CaptionerUnavailable, text, pause),
        _ if status.is_redirection() => {
            let target = answer.location.as_deref().unwrap_or("nowhere");
            let text = format!("the captioner answered {status}, to {target}; redirects are not followed");
            Failure::permanent(CaptionerMisconfigured, text)
        }
        // Key, permission, path, model, account: an operator has to act.
        _ => Failure::permanent(CaptionerMisconfigured, text),
    }
}

/// The failure that no answer, or half an answer, stands for. It may pass, unless the request could not even be made.
pub(super) fn from_transport(error: reqwest::Error) -> Failure {
    if error.is_timeout() {
        let phase = if error.is_connect() { "could not be reached" } else { "did not answer" };
        return Failure::transient(CaptionerUnavailable, format!("the captioner {phase} in time"));
    }
    let (builder, connect) = (error.is_builder(), error.is_connect());
    // The URL would tell callers of the API where the captioner is.
    let cause = root_cause(&error.without_url());
    if builder {
        Failure::permanent(CaptionerMisconfigured, format!("the captioner cannot be asked: {cause}"))
    } else if connect {
        Failure::transient(CaptionerUnavailable, format!("the captioner cannot be reached: {cause}"))
    } else {
        Failure::transient(CaptionerUnavailable, format!("the connection to the captioner broke: {cause}"))
    }
}
