//! A server of somebody else's that really listens, and answers as it is told.

use poem::http::{HeaderMap, StatusCode};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{Body, EndpointExt, Response, Route, Server, handler};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the fake answers.
#[derive(Clone)]
pub enum Reply {
    /// This, after a while.
    Text { after: Duration, status: u16, headers: &'static [(&'static str, &'static str)], body: String },
    /// Nothing, for a long time.
    Hang,
    /// A byte now and then, without end.
    Drip,
    /// As many bytes as anybody takes, without end.
    Flood,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self::with(status, &[], body)
    }

    pub fn with(
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: impl Into<String>,
    ) -> Self {
        Self::Text { after: Duration::ZERO, status, headers, body: body.into() }
    }
}

/// What the fake was asked, once all of it had arrived.
#[derive(Debug, Clone)]
pub struct Question {
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Question {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }
}

#[derive(Clone)]
struct State {
    reply: Arc<Mutex<Reply>>,
    first: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<Question>>>,
}

/// It ends with its owner.
pub struct FakeServer {
    address: SocketAddr,
    state: State,
    server: tokio::task::JoinHandle<()>,
}

impl FakeServer {
    pub async fn start(reply: Reply) -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let address = *acceptor.local_addr()[0].0.as_socket_addr().unwrap();
        let state =
            State { reply: Arc::new(Mutex::new(reply)), first: Arc::default(), asked: Arc::default() };
        let routes = Route::new().at("*", answer).data(state.clone());
        let server =
            tokio::spawn(async move { Server::new_with_acceptor(acceptor).run(routes).await.unwrap() });
        Self { address, state, server }
    }

    pub fn set(&self, reply: Reply) {
        *self.state.reply.lock().unwrap() = reply;
    }

    /// Answers the next questions so, one each, before it goes on as it was told.
    pub fn first(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.first.lock().unwrap().extend(replies);
    }

    /// The questions so far.
    pub fn asked(&self) -> Vec<Question> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Host and port, for a proxy before it.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[handler]
async fn answer(Data(state): Data<&State>, headers: &HeaderMap, body: Vec<u8>) -> Response {
    let question = Question { at: Instant::now(), headers: headers.clone(), body };
    state.asked.lock().unwrap().push(question);
    let first = state.first.lock().unwrap().pop_front();
    let reply = first.unwrap_or_else(|| state.reply.lock().unwrap().clone());
    match reply {
        Reply::Text { after, status, headers, body } => {
            tokio::time::sleep(after).await;
            let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            response.body(body)
        }
        Reply::Drip => endless(1, Duration::from_millis(200)),
        Reply::Flood => endless(64 * 1024, Duration::ZERO),
        Reply::Hang => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Response::default()
        }
    }
}

fn endless(bytes: usize, pause: Duration) -> Response {
    let chunks = futures_util::stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(vec![b' '; bytes]), ()))
    });
    Response::builder().content_type("application/json").body(Body::from_bytes_stream(chunks))
}
