//! A client that minds no rules: bytes over a socket.

use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The longest that an answer may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
pub struct Raw(pub TcpStream);

/// An answer as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct RawAnswer {
    pub status: u16,
    /// In lower case, with the values as they are.
    pub head: String,
    pub body: Vec<u8>,
}

impl RawAnswer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The code of a refusal, whose envelope is checked.
    pub fn code(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {self:?}"));
        assert_eq!((&body["status"], &body["data"]), (&"error".into(), &Value::Null), "{body}");
        assert!(body["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{body}");
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        body["code"].as_str().unwrap().to_owned()
    }
}

impl Raw {
    pub async fn connect(address: &str) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Sends; a server that has heard enough may have closed before the end.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// The next answer on this connection; `None` if it was closed without one. Answers come with a length or in chunks.
    pub async fn answer(&mut self) -> Option<RawAnswer> {
        timeout(PATIENCE, self.read_answer()).await.expect("an answer should come in time")
    }

    /// The next answer, which is one to HEAD and has no body, whatever it says of its length.
    pub async fn head(&mut self) -> RawAnswer {
        timeout(PATIENCE, self.read_head()).await.expect("an answer should come in time").expect("an answer")
    }

    async fn read_head(&mut self) -> Option<RawAnswer> {
        let head = self.until("\r\n\r\n").await?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.lines().map(|line| match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}\n", name.to_lowercase()),
            None => format!("{line}\n"),
        });
        Some(RawAnswer { status, head: head.collect(), body: Vec::new() })
    }

    async fn read_answer(&mut self) -> Option<RawAnswer> {
        let mut answer = self.read_head().await?;
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut answer.body).await.unwrap();
        } else if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = self.until("\r\n").await.unwrap();
                let mut chunk = vec![0; usize::from_str_radix(length.trim(), 16).unwrap() + 2];
                self.0.read_exact(&mut chunk).await.unwrap();
                if chunk.len() == 2 {
                    break;
                }
                answer.body.extend(&chunk[..chunk.len() - 2]);
            }
        }
        Some(answer)
    }

    async fn until(&mut self, end: &str) -> Option<String> {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            text.push(self.0.read_u8().await.ok()?);
        }
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    /// Waits until the server has closed, without another byte.
    pub async fn closed(&mut self) {
        let mut byte = [0];
        let read = timeout(PATIENCE, self.0.read(&mut byte)).await.expect("it should be closed in time");
        assert!(!matches!(read, Ok(1)), "a byte came instead of the end: {byte:?}");
    }
}

/// One request, and its answer.
pub async fn ask(address: &str, request: impl AsRef<[u8]>) -> RawAnswer {
    let mut raw = Raw::connect(address).await;
    raw.send(request).await;
    raw.answer().await.expect("an answer")
}

/// A request without a body.
pub fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
}

/// An upload: the head (with `headers`, which announce the length) and the form, up to where the file begins.
pub fn upload_head(headers: &str, disposition: &[u8]) -> Vec<u8> {
    let head = request(
        "POST",
        "/api/images",
        &format!("Content-Type: multipart/form-data; boundary=b\r\n{headers}\r\n"),
    );
    [head.as_bytes(), b"--b\r\nContent-Disposition: form-data; ", disposition, b"\r\n\r\n"].concat()
}
