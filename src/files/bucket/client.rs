//! How the store is called: signed by the library, and sent by the HTTP client that everything else is sent by.
//!
//! The library can bring a client of its own, whose bounds do not fit: one for a whole answer would cut off those who read
//! slowly, and one for a silence takes the pause of a reader for one of the store.

use super::trouble::{Busy, NoRoom};
use crate::outgoing;
use crate::settings::{Files as Settings, S3Addressing, S3Identity};
use http_body_util::{BodyExt, StreamBody};
use hyper::{Response, StatusCode};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig};
use secrecy::ExposeSecret;
use std::time::Duration;
use tokio::time::timeout;

/// The longest that one answer may take to be read, by the slowest reader there is.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How often what may pass is tried again: 0.1, 0.2 and 0.4 seconds later at the most. Whoever asked tries again, too.
const RETRIES: usize = 3;

/// What calls the bucket `name`. Nothing is asked of it yet.
pub(super) fn build(settings: &Settings, name: &str) -> object_store::Result<AmazonS3> {
    let mut builder = AmazonS3Builder::new();
    builder = match settings.s3_identity() {
        S3Identity::Key { id, secret } => {
            builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret())
        }
        S3Identity::Aws(variables) => variables.into_iter().try_fold(builder, |builder, (name, value)| {
            Ok::<_, object_store::Error>(
                builder.with_config(name.to_ascii_lowercase().parse()?, value.expose_secret()),
            )
        })?,
    };
    if let Some(region) = settings.s3_region() {
        builder = builder.with_region(region);
    }
    let is_virtual = settings.s3_addressing == S3Addressing::Virtual;
    if let Some(mut endpoint) = settings.s3_endpoint.clone() {
        if is_virtual {
            let host = format!("{name}.{}", endpoint.host_str().unwrap_or_default());
            endpoint
                .set_host(Some(&host))
                .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })?;
        }
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    builder
        .with_bucket_name(name)
        .with_virtual_hosted_style_request(is_virtual)
        .with_allow_http(settings.s3_allow_http)
        // What is sent arrives as it was, or is refused; and the store keeps the digest beside it.
        .with_checksum_algorithm(Checksum::SHA256)
        // One object is removed at a time, which every store knows how to do.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(1),
                base: 2.0,
            },
            max_retries: RETRIES,
            // A store that hangs is not asked a second time.
            retry_timeout: settings.s3_call / 2,
        })
        .with_http_connector(Connector { call: settings.s3_call })
        .build()
}

#[derive(Debug)]
struct Connector {
    call: Duration,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Where credentials of a machine come from, there is no TLS; the library says so here.
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let http = outgoing::client(self.call).timeout(LONGEST).https_only(!allow_http).build();
        let failed = |error| object_store::Error::Generic { store: "S3", source: Box::new(error) };
        Ok(HttpClient::new(Service { http: http.map_err(failed)?, call: self.call }))
    }
}

#[derive(Debug)]
struct Service {
    http: reqwest::Client,
    /// The longest that a request may take until it is answered, and the longest silence within the answer.
    call: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("nothing came for {0:?}")]
struct Silence(Duration);

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url =
            parts.uri.to_string().parse().map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let body = body.as_bytes().cloned().map_or_else(|| reqwest::Body::wrap(body), reqwest::Body::from);
        *request.body_mut() = Some(body);

        let call = self.call;
        let silent = move |_| HttpError::new(HttpErrorKind::Timeout, Silence(call));
        let answered = timeout(call, self.http.execute(request)).await.map_err(silent)?.map_err(broken)?;
        if answered.status() == StatusCode::INSUFFICIENT_STORAGE {
            return Err(HttpError::new(HttpErrorKind::Unknown, NoRoom));
        }
        if answered.status().is_server_error() || answered.status() == StatusCode::TOO_MANY_REQUESTS {
            // The library knows the status, and tells nobody. Said so, it tries again in the same way.
            return Err(HttpError::new(HttpErrorKind::Request, Busy(answered.status())));
        }
        let (parts, body) = Response::<reqwest::Body>::from(answered).into_parts();
        // The time runs only while somebody waits for the next piece, and one that is there is taken first.
        let pieces = futures_util::stream::try_unfold(body, move |mut body| async move {
            let piece = timeout(call, body.frame()).await.map_err(silent)?;
            Ok(piece.transpose().map_err(broken)?.map(|piece| (piece, body)))
        });
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(StreamBody::new(pieces))))
    }
}

fn broken(error: reqwest::Error) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_timeout() {
        HttpErrorKind::Timeout
    } else {
        HttpErrorKind::Interrupted
    };
    HttpError::new(kind, error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings as All;
    use object_store::path::Path;
    use object_store::signer::Signer;

    /// Where an object would be asked for.
    async fn address(variables: &[(&str, &str)]) -> String {
        let own = [
            ("DARKROOM_FILES__URL", "s3://photos"),
            ("DARKROOM_FILES__S3_REGION", "eu-west-9"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "y"),
        ];
        let variables = own.iter().chain(variables).map(|(name, value)| ((*name).into(), (*value).into()));
        let store = build(&All::load(None, variables).unwrap().files, "photos").unwrap();
        let (key, second) = (Path::from("a/b.jpg"), Duration::from_secs(1));
        let mut url = store.signed_url(hyper::Method::GET, &key, second).await.unwrap();
        url.set_query(None);
        url.into()
    }

    #[tokio::test]
    async fn a_bucket_is_named_in_the_path_or_in_the_host() {
        let (path, host) =
            (("DARKROOM_FILES__S3_ADDRESSING", "path"), ("DARKROOM_FILES__S3_ADDRESSING", "virtual"));
        let endpoint = ("DARKROOM_FILES__S3_ENDPOINT", "https://store.example.com:9000");
        for (variables, due) in [
            (&[path][..], "https://s3.eu-west-9.amazonaws.com/photos/a/b.jpg"),
            (&[host], "https://photos.s3.eu-west-9.amazonaws.com/a/b.jpg"),
            (&[path, endpoint], "https://store.example.com:9000/photos/a/b.jpg"),
            (&[host, endpoint], "https://photos.store.example.com:9000/a/b.jpg"),
        ] {
            assert_eq!(address(variables).await, due);
        }
    }
}
