//! A captioner that really listens, and answers as it is told.

use crate::support::fake_server::{FakeServer, Question, Reply};
use serde_json::Value;
use std::time::Duration;

/// What the fake answers.
#[derive(Clone)]
pub enum Mode {
    /// A caption.
    Caption(&'static str),
    /// A caption, after a while.
    Late(Duration, &'static str),
    /// This status and text.
    Refuse(u16, &'static str),
    /// This status, these headers and this text.
    RefuseWith(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Nothing, for a long time.
    Hang,
    /// A byte now and then, without end.
    Drip,
    /// As many bytes as anybody takes, without end.
    Flood,
}

/// An OpenAI-compatible server; it ends with its owner.
pub struct FakeCaptioner(FakeServer);

impl FakeCaptioner {
    pub async fn start(mode: Mode) -> Self {
        Self(FakeServer::start(mode.into()).await)
    }

    pub fn set(&self, mode: Mode) {
        self.0.set(mode.into());
    }

    /// Answers the next question so.
    pub fn first(&self, mode: Mode) {
        self.0.first([mode.into()]);
    }

    /// The questions so far, with their headers.
    pub fn questions(&self) -> Vec<Question> {
        self.0.asked()
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Value> {
        self.0.asked().iter().map(|question| serde_json::from_slice(&question.body).unwrap()).collect()
    }

    /// Host and port, for a proxy before it.
    pub fn address(&self) -> String {
        self.0.address()
    }

    pub fn url(&self) -> String {
        self.0.url("/v1")
    }
}

impl From<Mode> for Reply {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Caption(text) => caption(Duration::ZERO, text),
            Mode::Late(after, text) => caption(after, text),
            Mode::Refuse(status, text) => Self::new(status, text),
            Mode::RefuseWith(status, headers, text) => Self::with(status, headers, text),
            Mode::Hang => Self::Hang,
            Mode::Drip => Self::Drip,
            Mode::Flood => Self::Flood,
        }
    }
}

fn caption(after: Duration, text: &str) -> Reply {
    let answer = serde_json::json!({"choices": [{"message": {"role": "assistant", "content": text}}]});
    let headers = &[("content-type", "application/json")];
    Reply::Text { after, status: 200, headers, body: answer.to_string() }
}
