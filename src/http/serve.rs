//! The server: routes, and what every request passes through.

use super::access::{Access, with_access};
use super::health::{HealthApi, Probes};
use super::state::State;
use super::{catch, document, request_id};
use crate::settings::Auth;
use poem::http::header;
use poem::listener::{Acceptor, Listener as _, TcpAcceptor, TcpListener};
use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response, Route, Server, get, handler};
use poem_openapi::OpenApiService;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A connection that has asked for nothing is closed after this time.
const IDLE_CONNECTION: Duration = Duration::from_secs(75);

/// A bound socket that does not serve yet.
pub struct Listener {
    acceptor: TcpAcceptor,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// If it is taken or not ours.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let acceptor = TcpListener::bind(address).into_acceptor().await?;
        let bound = acceptor.local_addr().first().and_then(|local| local.0.as_socket_addr().copied());
        Ok(Self { acceptor, address: bound.unwrap_or(address) })
    }

    /// The address in fact.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; requests that are open then have `grace` to end.
    ///
    /// # Errors
    /// If the socket fails.
    pub async fn serve(
        self,
        routes: impl IntoEndpoint<Endpoint: 'static>,
        grace: Duration,
        stop: CancellationToken,
    ) -> io::Result<()> {
        Server::new_with_acceptor(self.acceptor)
            .idle_timeout(IDLE_CONNECTION)
            .run_with_graceful_shutdown(routes, stop.cancelled_owned(), Some(grace))
            .await
    }
}

/// The API server: all operations, the document, Swagger UI.
pub fn api(state: State, probes: Probes, auth: &Auth) -> impl Endpoint<Output = Response> + 'static {
    let service = document::service();
    let routes = Route::new()
        .nest("/docs", service.swagger_ui())
        .at("/openapi.json", get(openapi_json))
        .at("/openapi.yaml", get(openapi_yaml))
        .nest("/", service);
    let access = Access::new(auth);
    let guarded = routes.data(state).data(probes).around(move |endpoint, request| {
        let access = access.clone();
        async move { with_access(access, endpoint, request).await }
    });
    enveloped(guarded)
}

/// The server of a worker: health, and nothing else.
pub fn health_only(probes: Probes) -> impl Endpoint<Output = Response> + 'static {
    let service = OpenApiService::new(HealthApi, "Darkroom worker", env!("CARGO_PKG_VERSION"));
    enveloped(Route::new().nest("/", service).data(probes))
}

/// No answer leaves without an envelope and a request id.
fn enveloped<E: Endpoint + 'static>(endpoint: E) -> impl Endpoint<Output = Response> + 'static {
    endpoint
        .with(CatchPanic::new().with_handler(catch::panicked))
        .catch_all_error(catch::refuse)
        .around(|endpoint, request| async move { request_id::with_request_id(endpoint, request).await })
        .map_to_response()
}

#[handler]
fn openapi_json() -> Response {
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(document::json())
}

#[handler]
fn openapi_yaml() -> Response {
    Response::builder().header(header::CONTENT_TYPE, "application/yaml").body(document::yaml())
}
