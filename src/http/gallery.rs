//! The gallery: the page at `/` and what belongs to it, built into the binary.
//!
//! Plain files in `gallery/`, shown as they are: no build step, no outside asset.

use super::pictures::{NOSNIFF, names};
use poem::Result;
use poem::error::NotFoundError;
use poem::http::{StatusCode, header};
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::{self, Binary};
use std::hash::{DefaultHasher, Hasher};
use std::sync::LazyLock;

/// Only what comes from here runs, and nothing that was put into the page as text. Pictures that need a key are shown by way
/// of `blob:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the gallery.
struct Asset {
    name: &'static str,
    content: &'static [u8],
    /// Of the content, so that a browser keeps what a new version has not changed.
    tag: String,
}

macro_rules! assets {
    ($($name:literal)+) => {
        vec![$(Asset::new($name, include_bytes!(concat!("gallery/", $name)))),+]
    };
}

const PAGE: &str = "index.html";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    assets! {
        "index.html" "icon.svg"
        "theme.css" "page.css" "vitals.css" "cards.css" "uploads.css" "dialogs.css" "details.css"
        "announce.js" "api.js" "banner.js" "caption.js" "card.js" "connection.js" "deliveries.js" "details.js" "dom.js" "drop.js" "event_stream.js"
        "facts.js" "filters.js" "format.js" "grid.js" "key.js" "library.js" "live.js" "main.js" "memory.js" "pictures.js"
        "retries.js" "rows.js" "similar.js" "sparkline.js" "stages.js" "states.js" "theme.js" "transfer.js" "tray.js"
        "uploads.js" "vitals.js"
    }
});

impl Asset {
    fn new(name: &'static str, content: &'static [u8]) -> Self {
        let mut hash = DefaultHasher::new();
        hash.write(content);
        let tag = format!("\"{:016x}\"", hash.finish());
        Self { name, content, tag }
    }

    fn media_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        }
    }

    /// Asked for again each time, so that no page goes on with modules of an older version, and sent again only if it has
    /// changed.
    fn answer(&self, if_none_match: Option<&str>) -> Answer {
        let (status, body) = match names(if_none_match, &self.tag) {
            true => (StatusCode::NOT_MODIFIED, &[][..]),
            false => (StatusCode::OK, self.content),
        };
        payload::Response::new(Binary(body))
            .status(status)
            .header(header::CONTENT_TYPE, self.media_type())
            .header(header::ETAG, &self.tag)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::CONTENT_SECURITY_POLICY, POLICY)
            .header(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF)
            .header(header::REFERRER_POLICY, "no-referrer")
    }
}

type Answer = payload::Response<Binary<&'static [u8]>>;

/// Not in the document: this is for people. It stands beside the operations all the same, since they are nested at `/` and
/// leave it to no other route.
pub(super) struct GalleryApi;

#[OpenApi]
impl GalleryApi {
    #[oai(path = "/", method = "get", hidden = true)]
    async fn page(
        &self,
        #[oai(name = "If-None-Match")] if_none_match: Header<Option<String>>,
    ) -> Result<Answer> {
        answer(PAGE, &if_none_match)
    }

    #[oai(path = "/gallery/:name", method = "get", hidden = true)]
    async fn asset(
        &self,
        name: Path<String>,
        #[oai(name = "If-None-Match")] if_none_match: Header<Option<String>>,
    ) -> Result<Answer> {
        answer(&name, &if_none_match)
    }
}

fn answer(name: &str, if_none_match: &Header<Option<String>>) -> Result<Answer> {
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or(NotFoundError)?;
    Ok(asset.answer(if_none_match.0.as_deref()))
}
