//! A captioner that really listens, and answers as it is told.

use poem::http::StatusCode;
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::{Data, Json};
use poem::{Body, EndpointExt, Response, Route, Server, handler, post};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
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

#[derive(Clone)]
struct State {
    mode: Arc<Mutex<Mode>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

/// An OpenAI-compatible server; it ends with its owner.
pub struct FakeCaptioner {
    address: SocketAddr,
    state: State,
    server: tokio::task::JoinHandle<()>,
}

impl FakeCaptioner {
    pub async fn start(mode: Mode) -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].0.as_socket_addr().unwrap();
        let state = State { mode: Arc::new(Mutex::new(mode)), asked: Arc::default() };
        let routes = Route::new().at("/v1/chat/completions", post(complete)).data(state.clone());
        let server =
            tokio::spawn(async move { Server::new_with_acceptor(acceptor).run(routes).await.unwrap() });
        Self { address, state, server }
    }

    pub fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    /// The questions so far.
    pub fn asked(&self) -> Vec<Value> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Host and port, for a proxy before it.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

impl Drop for FakeCaptioner {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[handler]
async fn complete(Data(state): Data<&State>, Json(question): Json<Value>) -> Response {
    state.asked.lock().unwrap().push(question);
    let mode = state.mode.lock().unwrap().clone();
    match mode {
        Mode::Caption(text) => caption(text),
        Mode::Late(wait, text) => {
            tokio::time::sleep(wait).await;
            caption(text)
        }
        Mode::Refuse(status, text) => {
            Response::builder().status(StatusCode::from_u16(status).unwrap()).body(text)
        }
        Mode::RefuseWith(status, headers, text) => {
            let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            response.body(text)
        }
        Mode::Drip => endless(1, Duration::from_millis(200)),
        Mode::Flood => endless(64 * 1024, Duration::ZERO),
        Mode::Hang => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Response::default()
        }
    }
}

fn caption(text: &str) -> Response {
    let answer = serde_json::json!({"choices": [{"message": {"role": "assistant", "content": text}}]});
    Response::builder().content_type("application/json").body(answer.to_string())
}

fn endless(bytes: usize, pause: Duration) -> Response {
    let chunks = futures_util::stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(vec![b' '; bytes]), ()))
    });
    Response::builder().content_type("application/json").body(Body::from_bytes_stream(chunks))
}
