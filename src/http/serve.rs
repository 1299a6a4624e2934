//! The routes, and what every request passes through.

use super::access::with_access;
use super::allowed::{Allowed, with_allowed};
use super::bounded::with_bounds;
use super::counted::with_count;
use super::health::{HealthApi, Probes};
use super::metrics::{Gauges, MetricsApi};
use super::state::State;
use super::{catch, document, request_id};
use crate::access::Access;
use crate::metrics::Metrics;
use poem::http::header;
use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt, Response, Route, get, handler};
use poem_openapi::OpenApiService;
use std::time::Duration;

/// The API server: all operations, the gallery, the document, Swagger UI.
pub fn api(
    state: State,
    probes: Probes,
    gauges: Gauges,
    access: Access,
) -> impl Endpoint<Output = Response> + 'static {
    let service = document::service();
    let routes = Route::new()
        .nest("/docs", service.swagger_ui())
        .at("/openapi.json", get(openapi_json))
        .at("/openapi.yaml", get(openapi_yaml))
        .nest("/", service);
    let (limit, metrics) = (state.request, gauges.metrics());
    let guarded = routes.data(state).data(probes).data(gauges).around(move |endpoint, request| {
        let access = access.clone();
        async move { with_access(access, endpoint, request).await }
    });
    counted(enveloped(guarded, limit), metrics)
}

/// The server of a worker: health and metrics, and nothing else. A request may take `limit`.
pub fn worker(probes: Probes, gauges: Gauges, limit: Duration) -> impl Endpoint<Output = Response> + 'static {
    let service = OpenApiService::new((HealthApi, MetricsApi), "Darkroom worker", env!("CARGO_PKG_VERSION"));
    let metrics = gauges.metrics();
    counted(enveloped(Route::new().nest("/", service).data(probes).data(gauges), limit), metrics)
}

/// Health, and nothing else. A request may take `limit`.
pub(super) fn health_only(probes: Probes, limit: Duration) -> impl Endpoint<Output = Response> + 'static {
    let service = OpenApiService::new(HealthApi, "Darkroom worker", env!("CARGO_PKG_VERSION"));
    enveloped(Route::new().nest("/", service).data(probes), limit)
}

/// No answer leaves without an envelope and a request id, and none takes longer than it may.
fn enveloped<E: Endpoint + 'static>(
    endpoint: E,
    limit: Duration,
) -> impl Endpoint<Output = Response> + 'static {
    let allowed = Allowed::new();
    endpoint
        .with(CatchPanic::new().with_handler(catch::panicked))
        .around(move |endpoint, request| async move { with_bounds(limit, endpoint, request).await })
        .catch_all_error(catch::refuse)
        .around(move |endpoint, request| {
            let allowed = allowed.clone();
            async move { with_allowed(allowed, endpoint, request).await }
        })
        .around(|endpoint, request| async move { request_id::with_request_id(endpoint, request).await })
        .map_to_response()
}

fn counted<E: Endpoint + 'static>(
    endpoint: E,
    metrics: Metrics,
) -> impl Endpoint<Output = Response> + 'static {
    endpoint
        .around(move |endpoint, request| {
            let metrics = metrics.clone();
            async move { with_count(metrics, endpoint, request).await }
        })
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
