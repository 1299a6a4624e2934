//! A bucket as it looks from outside, of a server that checks no signature: one that tests/s3/run has started, or the
//! fake. What a test does here blocks, as with files in a folder.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The part of a bucket that one test has for itself; emptied at its end.
pub struct Bucket {
    /// Host and port.
    address: String,
    name: String,
    prefix: String,
}

/// A signature that nobody looks at. Without one, what was stored with one is refused.
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

impl Bucket {
    /// In the bucket that `DARKROOM_TEST_S3_URL` names, such as `http://127.0.0.1:5000/bucket`, if it names one.
    pub fn named() -> Option<Self> {
        let url = std::env::var("DARKROOM_TEST_S3_URL").ok()?;
        let (address, name) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        Some(Self::at(address, name))
    }

    pub fn at(address: &str, name: &str) -> Self {
        let prefix = format!("test-{:016x}", rand::random::<u64>());
        Self { address: address.to_owned(), name: name.to_owned(), prefix }
    }

    /// The variables that lead a Darkroom here.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("DARKROOM_FILES__URL", self.url()),
            ("DARKROOM_FILES__S3_ENDPOINT", format!("http://{}", self.address)),
            ("DARKROOM_FILES__S3_ALLOW_HTTP", "true".to_owned()),
            ("DARKROOM_FILES__S3_ACCESS_KEY_ID", "test".to_owned()),
            ("DARKROOM_FILES__S3_SECRET_ACCESS_KEY", "s3cret".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    pub fn url(&self) -> String {
        format!("s3://{}/{}", self.name, self.prefix)
    }

    /// What the keys of all objects here begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The names of all objects, without what all begin with.
    pub fn names(&self) -> BTreeSet<String> {
        let (mut names, mut next) = (BTreeSet::new(), String::new());
        loop {
            let query = format!("?list-type=2&prefix={}/{next}", self.prefix);
            let (status, page) = self.ask("GET", &query, b"");
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&page));
            let page = String::from_utf8(page).unwrap();
            for key in page.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap()) {
                names.insert(key.strip_prefix(&self.prefix).unwrap().trim_start_matches('/').to_owned());
            }
            let Some(token) = page.split("<NextContinuationToken>").nth(1) else { return names };
            next = format!("&continuation-token={}", token.split('<').next().unwrap());
        }
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        let (status, content) = self.ask("GET", &format!("/{}/{name}", self.prefix), b"");
        assert_eq!(status, 200, "{name}");
        content
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        let (status, answer) = self.ask("PUT", &format!("/{}/{name}", self.prefix), content);
        assert_eq!(status, 200, "{name}: {}", String::from_utf8_lossy(&answer));
    }

    pub fn remove(&self, name: &str) {
        assert_eq!(self.ask("DELETE", &format!("/{}/{name}", self.prefix), b"").0, 204, "{name}");
    }

    fn ask(&self, method: &str, target: &str, content: &[u8]) -> (u16, Vec<u8>) {
        let (address, name, length) = (&self.address, &self.name, content.len());
        let head = format!(
            "{method} /{name}{target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Authorization: {SIGNED}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).expect("the object store");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&[head.as_bytes(), content].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, answer.split_off(end))
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // After a failure the store may be away, and a second panic would end all that is to be told of the first.
        if std::thread::panicking() {
            return;
        }
        for name in self.names() {
            self.remove(&name);
        }
    }
}
