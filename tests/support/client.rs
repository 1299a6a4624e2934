//! A caller, who holds every answer against the contract.

use crate::support::ground::eventually;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::net::SocketAddr;

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

/// An answer with a body of JSON whose envelope was checked.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn data(&self) -> &Value {
        &self.body["data"]
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or("none"))
    }
}

impl Client {
    pub fn new(address: Option<SocketAddr>) -> Self {
        // A second installation changes nothing.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base: address.map_or_else(String::new, |address| format!("http://{address}")) }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn raw(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn delete(&self, id: i64) -> u16 {
        self.request(Method::DELETE, &format!("/api/images/{id}")).send().await.unwrap().status().as_u16()
    }

    pub async fn retry(&self, id: i64) -> Answer {
        answer(self.request(Method::POST, &format!("/api/images/{id}/retry"))).await
    }

    pub async fn send(&self, name: &str, bytes: &[u8]) -> Answer {
        answer(self.upload_request(name, bytes)).await
    }

    pub fn upload_request(&self, name: &str, bytes: &[u8]) -> RequestBuilder {
        let part = Part::bytes(bytes.to_vec()).file_name(name.to_owned());
        self.request(Method::POST, "/api/images").multipart(Form::new().part("file", part))
    }

    /// Uploads what must be accepted.
    pub async fn upload(&self, name: &str, bytes: &[u8]) -> i64 {
        let sent = self.send(name, bytes).await;
        assert_eq!(sent.status, 202, "{sent:?}");
        let id = sent.data()["image_id"].as_i64().unwrap();
        assert_eq!(sent.header("location"), Some(format!("/api/images/{id}").as_str()));
        assert!(sent.header("retry-after").is_some());
        id
    }

    pub async fn image(&self, id: i64) -> Value {
        let found = self.get(&format!("/api/images/{id}")).await;
        assert_eq!(found.status, 200, "{found:?}");
        found.data().clone()
    }

    /// Waits until the status of an image is final.
    pub async fn settled(&self, id: i64) -> Value {
        eventually(&format!("image {id} has a final status"), || async move {
            let found = answer(self.request(Method::GET, &format!("/api/images/{id}?wait=5"))).await;
            (found.status == 200 && found.data()["status"] != "processing").then(|| found.data().clone())
        })
        .await
    }

    pub async fn picture(&self, path: &str) -> image::DynamicImage {
        let response = self.raw(path).await;
        assert_eq!(response.status(), 200, "{path}");
        image::load_from_memory(&response.bytes().await.unwrap()).unwrap()
    }
}

/// Sends, and checks the envelope.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    assert_eq!(headers["content-type"], "application/json", "{text}");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
    assert!(!headers["x-request-id"].is_empty());
    if status < 400 || body["data"].is_object() {
        assert_eq!(body["status"], "success", "{body}");
        assert!(body["error"].is_null() && body["data"].is_object(), "{body}");
    } else {
        assert_eq!(body["status"], "error", "{body}");
        assert!(body["data"].is_null(), "{body}");
        assert!(body["error"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        assert!(body["code"].is_string(), "{body}");
        assert_eq!(body["request_id"], headers["x-request-id"].to_str().unwrap());
    }
    Answer { status, headers, body }
}
