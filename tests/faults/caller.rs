//! A caller who holds every answer against the document (invariant I8): a documented status, JSON, in time.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

/// The longest that any answer may take: I8's ten seconds, and what a machine that is busy with other trials adds.
const LONGEST: Duration = Duration::from_secs(12);

/// The document of the program itself.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&darkroom::http::json()).unwrap());

/// What was heard of a request.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    pub fn data(&self) -> &Value {
        &self.body["data"]
    }
}

/// A client of one server, or of several by turns. Its clones share their complaints.
#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    bases: Vec<String>,
    turn: Arc<AtomicUsize>,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Caller {
    pub fn new(port: u16) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        // Idle connections are closed soon, so that the server's descriptors are its own.
        let http = reqwest::Client::builder().no_proxy().timeout(LONGEST);
        let http = http.pool_idle_timeout(Duration::from_secs(2)).build().unwrap();
        Self { http, bases: vec![base(port)], turn: Arc::default(), complaints: Arc::default() }
    }

    /// The same memory of complaints, at these servers by turns, as behind a load balancer.
    pub fn at(&self, ports: &[u16]) -> Self {
        Self { bases: ports.iter().map(|port| base(*port)).collect(), ..self.clone() }
    }

    fn base(&self) -> &str {
        &self.bases[self.turn.fetch_add(1, Ordering::Relaxed) % self.bases.len()]
    }

    /// What was wrong with answers so far.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    pub async fn get(&self, path: &str) -> Option<Answer> {
        self.ask(Method::GET, path, |request| request).await
    }

    pub async fn image(&self, id: i64) -> Option<Answer> {
        self.get(&format!("/api/images/{id}")).await
    }

    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Option<Answer> {
        self.ask(method, path, |request| request.json(body)).await
    }

    pub async fn retry(&self, id: i64) -> Option<Answer> {
        self.ask(Method::POST, &format!("/api/images/{id}/retry"), |request| request).await
    }

    pub async fn delete(&self, id: i64) -> Option<Answer> {
        self.ask(Method::DELETE, &format!("/api/images/{id}"), |request| request).await
    }

    pub async fn upload(&self, key: &str, file: &[u8]) -> Option<Answer> {
        let part = Part::bytes(file.to_vec()).file_name("photo.jpg");
        self.ask(Method::POST, "/api/images", |request| {
            request.header("Idempotency-Key", key).multipart(Form::new().part("file", part))
        })
        .await
    }

    /// The bytes of a picture; `None` if it is not to be had.
    pub async fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let response = self.http.get(format!("{}{path}", self.base())).send().await.ok()?;
        (response.status() == 200).then_some(())?;
        response.bytes().await.ok().map(Into::into)
    }

    /// `None` if nobody answered: the server is down, or hung up. Silence is a complaint.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Option<Answer> {
        let begun = Instant::now();
        let request = with(self.http.request(method.clone(), format!("{}{path}", self.base())));
        let sent = request.send().await;
        let heard = match sent {
            Ok(response) => {
                let (status, kind) =
                    (response.status().as_u16(), response.headers().get("content-type").cloned());
                response.text().await.map(|text| (status, kind, text))
            }
            Err(error) => Err(error),
        };
        match heard {
            Ok((status, kind, text)) => {
                let body = serde_json::from_str(&text).unwrap_or_default();
                let is_json = kind.is_some_and(|kind| kind == "application/json") && body != Value::Null;
                if !documented(&method, path, status) || (!is_json && status != 204) {
                    self.complain(format!("{method} {path}: {status} {text}"));
                }
                Some(Answer { status, body })
            }
            Err(error) if error.is_timeout() => {
                self.complain(format!("{method} {path}: silent for {:?}", begun.elapsed()));
                None
            }
            Err(_) => None,
        }
    }

    fn complain(&self, complaint: String) {
        self.complaints.lock().unwrap().push(complaint);
    }
}

fn base(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Whether the document knows this status of this operation. It also knows 500, which no fault excuses.
fn documented(method: &Method, path: &str, status: u16) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let template: Vec<_> = path
        .split('/')
        .map(|part| if part.bytes().all(|b| b.is_ascii_digit()) && !part.is_empty() { "{id}" } else { part })
        .collect();
    let operation = &DOCUMENT["paths"][template.join("/")][method.as_str().to_lowercase()];
    status != 500 && operation["responses"].get(status.to_string()).is_some()
}
