//! Against a captioner that really listens: what is asked, what is made of each kind of answer, and that the key stays in.

mod fake;

use super::{Captioner, CaptionerError};
use crate::domain::{Caption, Failure, FailureCode, Persistence, Tokens};
use crate::settings::{Captioner as Settings, CaptionerFallback, CaptionerProvider, ProviderForm};
use FailureCode::{
    CaptionerBadAnswer, CaptionerMisconfigured, CaptionerRateLimited, CaptionerRefused, CaptionerUnavailable,
};
use fake::{Fake, Reply, http};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

const KEY: &str = "hf_/TheKeyThatMustNotShow";
const PICTURE: &[u8] = b"\xFF\xD8 not really a JPEG \x00";
const GOOD: &str =
    r#"{"choices":[{"message":{"role":"assistant","content":"A dog runs."},"finish_reason":"stop"}]}"#;

fn settings(provider: CaptionerProvider, url: &str) -> Settings {
    Settings {
        provider,
        api_key: Some(SecretString::from(KEY)),
        url: url.to_owned(),
        model: "house/model-1".to_owned(),
        weights: PathBuf::new(),
        prompt: "What is this?".to_owned(),
        language: String::new(),
        temperature: 0.0,
        read_descriptions: true,
        ask_if_described: true,
        max_chars: 100,
        call: Duration::from_secs(20),
        calls_per_minute: 0,
        calls_per_day: 0,
        breaker_failures: 5,
        breaker: Duration::from_secs(30),
        give_up: Duration::from_secs(60),
        fallbacks: Vec::new(),
    }
}

fn captioner(settings: &Settings) -> Captioner {
    let captioner = Captioner::from_settings(settings).unwrap().unwrap();
    assert!(!format!("{captioner:?}").contains("TheKey"), "the key shows in Debug");
    captioner
}

/// Asks the first provider.
async fn call(captioner: &Captioner, media_type: &str) -> Result<Caption, Failure> {
    let [provider] = captioner.providers() else { panic!("one provider: {captioner:?}") };
    provider.ask(provider.question(), PICTURE, media_type).await
}

async fn ask(provider: CaptionerProvider, reply: Reply) -> (Fake, Result<Caption, Failure>) {
    let fake = Fake::start(reply).await;
    let captioner = captioner(&settings(provider, &format!("http://{}/base/", fake.address)));
    let answer = call(&captioner, "image/jpeg").await;
    (fake, answer)
}

/// The failure of a chat call that is answered with `reply`, after a look at what holds for all of them.
async fn failure(reply: Reply) -> Failure {
    let (fake, answer) = ask(CaptionerProvider::OpenaiChat, reply).await;
    let failure = answer.unwrap_err();
    assert!(!format!("{failure:?} {failure}").contains("TheKey"), "the key shows in {failure}");
    assert!(!failure.text().contains(&fake.address.to_string()), "the address shows in {failure}");
    assert_eq!(fake.requests().len(), 1, "one attempt is one call: {failure}");
    failure
}

/// The failure of a call that has far less time than that.
async fn within_ten_seconds(captioner: &Captioner) -> Failure {
    let call = call(captioner, "image/jpeg");
    tokio::time::timeout(Duration::from_secs(10), call).await.expect("the call is not bounded").unwrap_err()
}

async fn permanent(code: FailureCode, reply: Reply) -> String {
    let failure = failure(reply).await;
    assert_eq!((failure.code(), failure.persistence()), (code, Persistence::Permanent), "{failure}");
    failure.text().to_owned()
}

async fn transient(code: FailureCode, retry_after: Option<u64>, reply: Reply) -> String {
    let failure = failure(reply).await;
    let retry_after = retry_after.map(Duration::from_secs);
    assert_eq!(
        (failure.code(), failure.persistence()),
        (code, Persistence::Transient { retry_after }),
        "{failure}"
    );
    failure.text().to_owned()
}

#[tokio::test]
async fn a_chat_is_asked_with_the_picture_itself() {
    let (fake, answer) = ask(CaptionerProvider::Auto, http("200 OK", &[], GOOD)).await;
    let text = "A dog runs.".to_owned();
    assert_eq!(answer.unwrap(), Caption { text, tokens: None });
    let request = &fake.requests()[0];
    assert_eq!(request.line, "POST /base/chat/completions HTTP/1.1");
    assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["user-agent"], concat!("Darkroom/", env!("CARGO_PKG_VERSION")));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let url = "data:image/jpeg;base64,/9ggbm90IHJlYWxseSBhIEpQRUcgAA==";
    let content =
        json!([{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is this?"}]);
    let messages = json!([{"role": "user", "content": content}]);
    let expected = json!({"model": "house/model-1", "messages": messages, "max_tokens": 100, "temperature": 0.0,
                          "stream": false});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn another_model_language_and_temperature_are_asked_for_and_tokens_are_counted() {
    let body = r#"{"choices":[{"message":{"content":"Ein Hund."}}],"usage":{"prompt_tokens":300,"completion_tokens":4}}"#;
    let fake = Fake::start(http("200 OK", &[], body)).await;
    let plain = settings(CaptionerProvider::OpenaiChat, &format!("http://{}", fake.address));
    let german = Settings { language: "German".to_owned(), temperature: 0.5, ..plain.clone() };
    let captioner = captioner(&german);
    let provider = &captioner.providers()[0];
    let question = provider.question_for("other".to_owned());
    let caption = provider.ask(&question, PICTURE, "image/jpeg").await.unwrap();
    assert_eq!(caption.tokens, Some(Tokens { prompt: 300, completion: 4 }));
    let body: Value = serde_json::from_slice(&fake.requests()[0].body).unwrap();
    assert_eq!((&body["model"], &body["temperature"]), (&json!("other"), &json!(0.5)));
    assert_eq!(body["messages"][0]["content"][1]["text"], "What is this? Answer in German.");
    let version = |settings: &Settings| {
        Captioner::from_settings(settings).unwrap().unwrap().providers()[0].question().prompt_version.clone()
    };
    assert_eq!(version(&plain), version(&plain.clone()));
    assert_ne!(version(&plain), version(&german), "a version says what was asked");
}

#[tokio::test]
async fn fallbacks_are_providers_with_keys_of_their_own() {
    let (first, second) =
        (Fake::start(http("200 OK", &[], GOOD)).await, Fake::start(http("200 OK", &[], "[]")).await);
    let fallback = CaptionerFallback {
        provider: ProviderForm::HfImageToText,
        api_key: Some(SecretString::from("of-the-second")),
        url: format!("http://{}", second.address),
        model: "m".to_owned(),
        calls_per_minute: 0,
        calls_per_day: 9,
    };
    let settings = settings(CaptionerProvider::OpenaiChat, &format!("http://{}", first.address));
    let captioner = captioner(&Settings { calls_per_minute: 7, fallbacks: vec![fallback], ..settings });
    let [one, two] = captioner.providers() else { panic!("two providers: {captioner:?}") };
    assert_eq!((one.per_minute(), one.per_day()), (Some(7), None));
    assert_eq!((two.per_minute(), two.per_day()), (None, Some(9)));
    assert_ne!(one.endpoint(), two.endpoint(), "a breaker each");
    one.ask(one.question(), PICTURE, "image/jpeg").await.unwrap();
    let failure = two.ask(two.question(), PICTURE, "image/jpeg").await.unwrap_err();
    assert_eq!(failure.code(), CaptionerBadAnswer);
    assert_eq!(first.requests()[0].headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(second.requests()[0].headers["authorization"], "Bearer of-the-second");
}

#[tokio::test]
async fn a_task_model_is_sent_the_raw_bytes() {
    for body in [r#"[{"generated_text":"a dog"}]"#, r#"{"generated_text":"a dog"}"#] {
        let (fake, answer) = ask(CaptionerProvider::HfImageToText, http("200 OK", &[], body)).await;
        assert_eq!(answer.unwrap().text, "a dog");
        let request = &fake.requests()[0];
        assert_eq!(request.line, "POST /base/models/house/model-1 HTTP/1.1");
        assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
        assert_eq!(request.headers["content-type"], "image/jpeg");
        assert_eq!(request.body, PICTURE);
    }
}

#[tokio::test]
async fn without_a_key_no_authorization_is_sent() {
    let fake = Fake::start(http("200 OK", &[], GOOD)).await;
    let url = format!("http://{}", fake.address);
    let settings = Settings { api_key: None, ..settings(CaptionerProvider::OpenaiChat, &url) };
    call(&captioner(&settings), "image/png").await.unwrap();
    assert_eq!(fake.requests()[0].line, "POST /chat/completions HTTP/1.1");
    assert!(!fake.requests()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_caption_is_cleaned_and_cut_and_may_come_in_parts() {
    let long = format!("Here is a caption: \"A dog.\" {}", "word ".repeat(100));
    let content = json!([{"type": "text", "text": long}]);
    let body = json!({"error": null, "choices": [{"message": {"content": content}}]}).to_string();
    let (_, answer) = ask(CaptionerProvider::OpenaiChat, http("200 OK", &[], &body)).await;
    let text = answer.unwrap().text;
    assert!(text.starts_with("\"A dog.\" word") && text.ends_with("word…"), "{text}");
    assert!(text.chars().count() <= 100, "{text}");
}

#[tokio::test]
async fn the_request_or_the_settings_are_at_fault() {
    let not_served = r#"{"error":"Model house/model-1 is not supported by provider hf-inference"}"#;
    let text = permanent(CaptionerMisconfigured, http("400 Bad Request", &[], not_served)).await;
    assert!(text.contains("400 Bad Request") && text.contains("not supported by provider"), "{text}");
    permanent(CaptionerMisconfigured, http("400 Bad Request", &[], "")).await;
    let echo =
        json!({"error": {"message": format!("Incorrect API key: {KEY}")}}).to_string().replace('/', "\\/");
    let text = permanent(CaptionerMisconfigured, http("401 Unauthorized", &[], &echo)).await;
    assert!(text.ends_with("Incorrect API key: [key]"), "{text}");
    permanent(CaptionerMisconfigured, http("401 Unauthorized", &[], &format!("no such key {KEY}"))).await;
    permanent(CaptionerMisconfigured, http("403 Forbidden", &[], r#"{"message":"no permission"}"#)).await;
    let text = permanent(CaptionerMisconfigured, http("404 Not Found", &[], "Not Found")).await;
    assert!(text.ends_with("404 Not Found: Not Found"), "{text}");
    permanent(CaptionerMisconfigured, http("405 Method Not Allowed", &[], "")).await;
    permanent(CaptionerMisconfigured, http("410 Gone", &[], "<html><body>Gone</body></html>")).await;
    let elsewhere = format!("http://elsewhere.invalid/?key={KEY}");
    let redirect = http("307 Temporary Redirect", &[("Location", &elsewhere)], "");
    let text = permanent(CaptionerMisconfigured, redirect).await;
    assert!(text.contains("elsewhere.invalid"), "{text}");
}

#[tokio::test]
async fn the_model_cannot_see() {
    let llama_cpp = r#"{"error":{"code":500,"message":"image input is not supported - hint: if this is unexpected, you may need to provide the mmproj","type":"server_error"}}"#;
    permanent(CaptionerMisconfigured, http("500 Internal Server Error", &[], llama_cpp)).await;
}

#[tokio::test]
async fn the_picture_is_refused() {
    let bad_image = r#"{"error":{"message":"Failed to load image or audio file"}}"#;
    permanent(CaptionerRefused, http("400 Bad Request", &[], bad_image)).await;
    permanent(CaptionerRefused, http("413 Content Too Large", &[], "")).await;
    let text = permanent(
        CaptionerRefused,
        http("422 Unprocessable Entity", &[], r#"{"detail":[{"msg":"too odd"}]}"#),
    )
    .await;
    assert!(text.ends_with("too odd"), "{text}");
}

#[tokio::test]
async fn a_pause_is_asked_for() {
    let busy = "429 Too Many Requests";
    transient(CaptionerRateLimited, None, http(busy, &[], "")).await;
    transient(CaptionerRateLimited, Some(7), http(busy, &[("Retry-After", "7")], "")).await;
    transient(CaptionerRateLimited, Some(3600), http(busy, &[("Retry-After", "86400")], "")).await;
    let date = [("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")];
    transient(CaptionerRateLimited, Some(3600), http(busy, &date, "")).await;
    let loading = r#"{"error":"Model house/model-1 is currently loading","estimated_time":20.0}"#;
    transient(CaptionerUnavailable, Some(20), http("503 Service Unavailable", &[], loading)).await;
    let loading = r#"{"error":"loading","estimated_time":1e300}"#;
    transient(CaptionerUnavailable, None, http("503 Service Unavailable", &[], loading)).await;
    let later = [("Retry-After", "30")];
    transient(CaptionerUnavailable, Some(30), http("503 Service Unavailable", &later, "busy")).await;
    let text = transient(CaptionerMisconfigured, Some(6 * 3600), http("402 Payment Required", &[], "")).await;
    assert!(text.contains("while attempts are left"), "{text}");
}

#[tokio::test]
async fn the_other_side_is_in_trouble() {
    let text =
        transient(CaptionerUnavailable, None, http("500 Internal Server Error", &[], "oops\0\n oops")).await;
    assert!(!text.contains(['\0', '\n']), "{text:?}");
    transient(CaptionerUnavailable, None, http("502 Bad Gateway", &[], "<html>nginx</html>")).await;
    transient(CaptionerUnavailable, None, http("504 Gateway Timeout", &[], "")).await;
    transient(CaptionerUnavailable, None, http("408 Request Timeout", &[], "")).await;
    transient(CaptionerUnavailable, None, Reply::Reset(String::new())).await;
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"choices\":[";
    transient(CaptionerUnavailable, None, Reply::Reset(half.to_owned())).await;
    transient(CaptionerUnavailable, None, Reply::Whole(half.to_owned())).await;
    transient(CaptionerUnavailable, None, Reply::Whole("SSH-2.0-OpenSSH_9.2\r\n".to_owned())).await;
}

#[tokio::test]
async fn nobody_listens() {
    // Bound and never listening: refused for certain, and nobody else can be given the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let free = socket.local_addr().unwrap();
    let settings = settings(CaptionerProvider::OpenaiChat, &format!("http://{free}/v1"));
    let failure = call(&captioner(&settings), "image/jpeg").await.unwrap_err();
    assert_eq!(failure.code(), CaptionerUnavailable, "{failure}");
    assert_eq!(failure.persistence(), Persistence::Transient { retry_after: None });
    assert!(!failure.text().contains(&free.to_string()), "{failure}");
}

#[tokio::test]
async fn silence_and_dripping_end_with_the_time_of_the_call() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    for reply in [Reply::Stall(String::new()), Reply::Stall(head.to_owned()), Reply::Drip(head.to_owned())] {
        let fake = Fake::start(reply).await;
        let settings = settings(CaptionerProvider::OpenaiChat, &format!("http://{}/", fake.address));
        let captioner = captioner(&Settings { call: Duration::from_millis(300), ..settings });
        let failure = within_ten_seconds(&captioner).await;
        assert_eq!(failure.code(), CaptionerUnavailable, "{failure}");
        assert_eq!(failure.persistence(), Persistence::Transient { retry_after: None });
        assert!(failure.text().ends_with("in time"), "{failure}");
    }
}

#[tokio::test]
async fn an_error_is_told_by_its_status_even_if_its_body_never_ends() {
    let head = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000\r\n\r\nno such key";
    let fake = Fake::start(Reply::Stall(head.to_owned())).await;
    let settings = settings(CaptionerProvider::OpenaiChat, &format!("http://{}/", fake.address));
    let captioner = captioner(&Settings { call: Duration::from_millis(300), ..settings });
    let failure = within_ten_seconds(&captioner).await;
    assert_eq!((failure.code(), failure.persistence()), (CaptionerMisconfigured, Persistence::Permanent));
    assert!(failure.text().ends_with("no such key"), "{failure}");
}

#[tokio::test]
async fn an_answer_without_a_caption_is_no_caption() {
    let html = [("Content-Type", "text/html; charset=utf-8")];
    let text = transient(CaptionerBadAnswer, None, http("200 OK", &html, "<!doctype html><p>A dog")).await;
    assert!(text.contains("captioner.url"), "{text}");
    for body in [
        "",
        "[]",
        "{}",
        "null",
        "a dog",
        "\"a dog\"",
        r#"{"error":"a dog"}"#,
        r#"[{"error":"a dog"}]"#,
        r#"{"error":{"message":"rate limited","code":429},"choices":[{"message":{"content":"a dog"}}]}"#,
        r#"{"choices":[{"message":{"content":" ... "}}]}"#,
        r#"{"generated_text":"of the other form"}"#,
    ] {
        transient(CaptionerBadAnswer, None, http("200 OK", &[], body)).await;
    }
    transient(CaptionerBadAnswer, None, http("204 No Content", &[], "")).await;
    for body in ["[]", "{}", "[[]]", r#"[{"error":"x"}]"#, r#"[{"generated_text":null}]"#, GOOD] {
        let (_, answer) = ask(CaptionerProvider::HfImageToText, http("200 OK", &[], body)).await;
        assert_eq!(answer.unwrap_err().code(), CaptionerBadAnswer, "{body}");
    }
}

#[tokio::test]
async fn a_huge_answer_is_cut() {
    let heads = [
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"",
    ];
    for head in heads {
        let (fake, answer) = ask(CaptionerProvider::OpenaiChat, Reply::Flood(head.to_owned())).await;
        let failure = answer.unwrap_err();
        assert_eq!(failure.code(), CaptionerBadAnswer, "{failure}");
        // What filled the sockets' buffers counts too.
        assert!(fake.written() < 64 * 1024 * 1024, "{} bytes", fake.written());
    }
    let error = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n";
    let text = transient(CaptionerUnavailable, None, Reply::Flood(error.to_owned())).await;
    assert!(text.chars().count() < 400, "{text}");
}

#[test]
fn captions_are_off_unless_asked_for() {
    use CaptionerProvider::{Auto, HfImageToText, Off, OpenaiChat};
    let made = |provider, key: Option<&str>| {
        let api_key = key.map(SecretString::from);
        let settings = Settings { api_key, ..settings(provider, "http://127.0.0.1:1") };
        Captioner::from_settings(&settings).unwrap().is_some()
    };
    assert!(!made(Off, Some(KEY)) && !made(Auto, None));
    assert!(made(Auto, Some(KEY)) && made(OpenaiChat, None) && made(HfImageToText, None));
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    for url in [
        "nonsense",
        "localhost:11434/v1",
        "ftp://x/v1",
        "http://",
        "http://me:secret@x/v1",
        "http://x/v1?k=secret",
    ] {
        let error =
            Captioner::from_settings(&settings(CaptionerProvider::OpenaiChat, url)).unwrap_err().to_string();
        assert!(error.contains("captioner.url") && !error.contains("secret"), "{url}: {error}");
    }
    let key = Some(SecretString::from("two\nlines"));
    let settings = Settings { api_key: key, ..settings(CaptionerProvider::OpenaiChat, "http://x/v1") };
    let error = Captioner::from_settings(&settings).unwrap_err();
    assert!(matches!(error, CaptionerError::ApiKey) && !format!("{error:?} {error}").contains("lines"));
}
