//! An object store that really listens, knows as much of S3 as is asked of one here, and does on demand what real ones do at
//! times. It runs on a thread of its own, so that a test may wait for it and block.
//!
//! What is sent must be what its checksums say.

use base64::Engine;
use poem::http::{HeaderMap, Method, StatusCode, Uri};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::web::Data;
use poem::{Body, EndpointExt, Response, Route, Server, handler};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// What the store does instead of what it is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Whim {
    /// It does as it is asked.
    Obey,
    /// A refusal, with the code that S3 says it with.
    Refuse(u16, &'static str),
    /// It does as it is asked, and answers that it has failed.
    Forget,
    /// It sends half of an object, and hangs up.
    Break,
    /// It does nothing, and never answers.
    Hang,
}

struct Object {
    content: Vec<u8>,
    written: OffsetDateTime,
}

#[derive(Default)]
struct Contents {
    objects: BTreeMap<String, Object>,
    /// By id: the key, and the parts.
    uploads: BTreeMap<String, (String, BTreeMap<u32, Vec<u8>>)>,
    /// Each request, as in `PUT /bucket/key?partNumber=1`.
    asked: Vec<String>,
    /// For the next requests whose line contains the text.
    whims: VecDeque<(String, Whim)>,
    /// For all requests whose line contains the text; the last one counts.
    moods: Vec<(String, Whim)>,
}

type Shared = Arc<Mutex<Contents>>;

/// Ends with its owner.
pub struct FakeS3 {
    address: SocketAddr,
    contents: Shared,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

/// Objects in a page of a listing.
const PAGE: usize = 3;

impl FakeS3 {
    pub fn start() -> Self {
        let (contents, (stop, stopped)) = (Shared::default(), tokio::sync::oneshot::channel::<()>());
        let (told, address) = std::sync::mpsc::channel();
        let served = contents.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
                told.send(*acceptor.local_addr()[0].0.as_socket_addr().unwrap()).unwrap();
                let serving =
                    Server::new_with_acceptor(acceptor).run(Route::new().at("*", answer).data(served));
                tokio::select! {
                    ended = serving => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address: address.recv().unwrap(), contents, stop: Some(stop) }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The next requests whose line contains `of` are treated so, one each.
    pub fn next(&self, of: &str, whims: impl IntoIterator<Item = Whim>) {
        self.contents().whims.extend(whims.into_iter().map(|whim| (of.to_owned(), whim)));
    }

    /// All requests whose line contains `of` are treated so, from now on.
    pub fn always(&self, of: &str, whim: Whim) {
        self.contents().moods.push((of.to_owned(), whim));
    }

    /// Makes an object older.
    pub fn age(&self, key: &str, by: Duration) {
        let mut contents = self.contents();
        let object = contents.objects.get_mut(key).unwrap_or_else(|| panic!("no {key}"));
        object.written -= by;
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.contents().objects.keys().cloned().collect()
    }

    /// How many uploads in parts were begun, and neither completed nor given up.
    pub fn unfinished(&self) -> usize {
        self.contents().uploads.len()
    }

    /// How many requests whose line contains `of` there were.
    pub fn asked(&self, of: &str) -> usize {
        self.contents().asked.iter().filter(|line| line.contains(of)).count()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }
}

impl Drop for FakeS3 {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

fn whim(shared: &Shared, line: &str) -> Whim {
    let mut contents = shared.lock().unwrap();
    contents.asked.push(line.to_owned());
    let next = contents.whims.iter().position(|(of, _)| line.contains(of));
    match next.and_then(|at| contents.whims.remove(at)) {
        Some((_, whim)) => whim,
        None => {
            let mood = contents.moods.iter().rev().find(|(of, _)| line.contains(of));
            mood.map_or(Whim::Obey, |(_, whim)| whim.clone())
        }
    }
}

#[handler]
async fn answer(
    Data(shared): Data<&Shared>,
    method: Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Response {
    let whim = whim(shared, &format!("{method} {uri}"));
    if whim == Whim::Hang {
        std::future::pending::<()>().await;
    }
    let mut contents = shared.lock().unwrap();
    if let Whim::Refuse(status, code) = whim {
        return refusal(status, code);
    }
    for (name, encoded) in [("x-amz-checksum-sha256", true), ("x-amz-content-sha256", false)] {
        let due = Sha256::digest(&body);
        let due = match encoded {
            true => base64::prelude::BASE64_STANDARD.encode(due),
            false => due.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        if headers.get(name).is_some_and(|claimed| *claimed != *due && *claimed != "UNSIGNED-PAYLOAD") {
            return refusal(400, "BadDigest");
        }
    }
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let key = uri.path().splitn(3, '/').nth(2).unwrap_or_default().to_owned();
    let answered = match (method.as_str(), key.is_empty()) {
        ("GET", true) => list(&contents, &query),
        ("GET" | "HEAD", false) => {
            read(&contents, &key, headers, method == Method::HEAD, whim == Whim::Break)
        }
        ("DELETE", false) => remove(&mut contents, &key, query.get("uploadId")),
        _ => write(&mut contents, &key, &query, headers, body),
    };
    if whim == Whim::Forget { refusal(500, "InternalError") } else { answered }
}

fn write(
    contents: &mut Contents,
    key: &str,
    query: &BTreeMap<String, String>,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Response {
    let stored = |content| Object { content, written: OffsetDateTime::now_utc() };
    let upload = query.get("uploadId");
    match (upload, query.get("partNumber")) {
        _ if query.contains_key("uploads") => {
            let id = format!("{:016x}", rand::random::<u64>());
            contents.uploads.insert(id.clone(), (key.to_owned(), BTreeMap::new()));
            xml(&format!(
                "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            ))
        }
        (Some(id), _) if !contents.uploads.contains_key(id) => refusal(404, "NoSuchUpload"),
        (Some(id), Some(part)) => {
            contents.uploads.get_mut(id).unwrap().1.insert(part.parse().unwrap(), body);
            Response::builder().header("ETag", format!("\"part-{part}\"")).finish()
        }
        (Some(id), None) => {
            let (key, parts) = contents.uploads.remove(id).unwrap();
            let named = String::from_utf8(body).unwrap().matches("<PartNumber>").count();
            assert_eq!(named, parts.len());
            contents.objects.insert(key, stored(parts.into_values().flatten().collect()));
            xml("<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>")
        }
        (None, _) if headers.get("if-none-match").is_some() && contents.objects.contains_key(key) => {
            refusal(412, "PreconditionFailed")
        }
        (None, _) => {
            contents.objects.insert(key.to_owned(), stored(body));
            Response::builder().header("ETag", "\"one\"").finish()
        }
    }
}

fn remove(contents: &mut Contents, key: &str, upload: Option<&String>) -> Response {
    match upload {
        Some(id) if contents.uploads.remove(id).is_none() => return refusal(404, "NoSuchUpload"),
        Some(_) => {}
        None => drop(contents.objects.remove(key)),
    }
    Response::builder().status(StatusCode::NO_CONTENT).finish()
}

fn read(contents: &Contents, key: &str, headers: &HeaderMap, is_head: bool, breaks: bool) -> Response {
    let Some(object) = contents.objects.get(key) else { return refusal(404, "NoSuchKey") };
    let whole = object.content.len();
    let range = headers.get("range").map(|range| {
        let (first, last) = range.to_str().unwrap().strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        (first.parse::<usize>().unwrap(), last.parse::<usize>().unwrap().min(whole - 1))
    });
    let (first, last) = range.unwrap_or((0, whole.saturating_sub(1)));
    let part = object.content.get(first..=last).unwrap_or_default();
    let mut response = Response::builder()
        .header("ETag", format!("\"{}\"", object.written.unix_timestamp_nanos()))
        .header("Last-Modified", object.written.format(&Rfc2822).unwrap())
        .header("Content-Length", part.len().to_string());
    if range.is_some() {
        let described = format!("bytes {first}-{last}/{whole}");
        response = response.status(StatusCode::PARTIAL_CONTENT).header("Content-Range", described);
    }
    if is_head {
        return response.finish();
    }
    if breaks {
        let half = part[..part.len() / 2].to_vec();
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        return response.body(Body::from_bytes_stream(futures_util::stream::iter([Ok(half), Err(broken)])));
    }
    response.body(part.to_vec())
}

fn list(contents: &Contents, query: &BTreeMap<String, String>) -> Response {
    let prefix = query.get("prefix").map_or("", String::as_str);
    let after = query.get("continuation-token").map_or("", String::as_str);
    let (mut page, mut folders, mut last) = (String::new(), Vec::new(), None);
    let below = contents.objects.iter().filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
    for (number, (key, object)) in below.enumerate() {
        if number == PAGE {
            page += &format!("<NextContinuationToken>{}</NextContinuationToken>", last.unwrap());
            break;
        }
        last = Some(key);
        match key[prefix.len()..].split_once('/').filter(|_| query.contains_key("delimiter")) {
            Some((folder, _)) => folders.push(format!("{prefix}{folder}/")),
            None => {
                let (size, at) = (object.content.len(), object.written.format(&Rfc3339).unwrap());
                page += &format!(
                    "<Contents><Key>{key}</Key><LastModified>{at}</LastModified><Size>{size}</Size></Contents>"
                );
            }
        }
    }
    folders.dedup();
    let folders =
        folders.iter().map(|folder| format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"));
    xml(&format!("<ListBucketResult>{page}{}</ListBucketResult>", folders.collect::<String>()))
}

fn xml(text: &str) -> Response {
    Response::builder().content_type("application/xml").body(text.to_owned())
}

fn refusal(status: u16, code: &str) -> Response {
    let mut response = xml(&format!("<Error><Code>{code}</Code><Message>no</Message></Error>"));
    response.set_status(StatusCode::from_u16(status).unwrap());
    response
}
