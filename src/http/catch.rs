//! Every answer has the envelope: also those that the router and the parameter parsers give.

use super::refusal::Refusal;
use super::request_id;
use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::header::CONTENT_LENGTH;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Error, Response};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParsePathError, ParseRequestPayloadError};
use poem_openapi::types::ToJSON;

/// What the libraries refuse, in our words. A documented refusal comes as an answer, and is passed on.
pub(super) async fn refuse(error: Error) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    let refusal = if error.is::<NotFoundError>() {
        Refusal::NoSuchPath
    } else if error.is::<MethodNotAllowedError>() {
        Refusal::MethodNotAllowed
    } else if error.is::<ParsePathError>() {
        // `/api/images/abc` names no image.
        Refusal::NotFound
    } else if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
        Refusal::Malformed(format!("The parameter `{name}` cannot be understood: {reason}"))
    } else if error.is::<ContentTypeError>() {
        let sentence = "The Content-Type is not what this operation takes: multipart/form-data with a part named `file` \
                        for an upload, application/json for the others";
        Refusal::Malformed(sentence.to_owned())
    } else if let Some(ParseRequestPayloadError { reason }) = error.downcast_ref() {
        Refusal::Malformed(format!("The body cannot be understood: {reason}"))
    } else if error.status().is_client_error() {
        Refusal::Malformed(format!("The request cannot be understood: {error}"))
    } else {
        Refusal::Internal(format!("a library: {error}"))
    };
    answer(&refusal)
}

/// What a handler that panicked is answered with; the panic itself was logged by its hook.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    answer(&Refusal::Internal("its handler panicked".to_owned()))
}

/// What a client is told whose head the HTTP library cannot read. The library has written `head`, with a status and without
/// a body; ours is added to it.
pub(super) fn unreadable_head(head: &[u8]) -> Vec<u8> {
    let head = String::from_utf8_lossy(head);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(400);
    request_id::with_own_id(|id| {
        let body = Refusal::UnreadableHead(status).body().to_json_string();
        let kept = head.lines().filter(|line| {
            !line.is_empty() && !line.to_ascii_lowercase().starts_with(CONTENT_LENGTH.as_str())
        });
        let kept: String = kept.flat_map(|line| [line, "\r\n"]).collect();
        let length = body.len();
        format!(
            "{kept}content-type: application/json\r\nx-request-id: {id}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    })
}

/// A refusal outside of the documented operations.
pub(super) fn answer(refusal: &Refusal) -> Response {
    let (status, _) = refusal.status_and_code();
    let body = refusal.body().to_json_string();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder().status(status).content_type("application/json").body(body);
    if let Some(seconds) = refusal.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    // RFC 6750, 3.
    let challenge = match refusal {
        Refusal::Unauthorized => Some("Bearer".to_owned()),
        Refusal::Forbidden(scope) => Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")),
        _ => None,
    };
    if let Some(Ok(challenge)) = challenge.map(|text| HeaderValue::from_str(&text)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_head_is_answered_in_the_envelope() {
        let written =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\nContent-Length: 0\r\n\r\n";
        let answer = String::from_utf8(unreadable_head(written)).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"),
            "{head}"
        );
        assert!(head.ends_with(&format!("\r\ncontent-length: {}", body.len())), "{head}");
        assert!(!head.contains("Content-Length: 0"), "{head}");
        assert!(body.contains("\"malformed_request\""), "{body}");
    }
}
