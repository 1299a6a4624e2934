//! What answers while a process still waits for what it stands on: signs of life, and "not yet".

use super::catch::answer;
use super::health::Probes;
use super::incoming::Incoming;
use super::refusal::Refusal;
use super::request_id::with_request_id;
use super::serve::health_only;
use poem::endpoint::BoxEndpoint;
use poem::{Endpoint, EndpointExt, Request, Response, Result};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The routes of a process that is starting, to be replaced once by those it was started for.
#[derive(Clone, Default)]
pub struct Opening(Arc<OnceLock<BoxEndpoint<'static, Response>>>);

impl Opening {
    /// From now on, `routes` answer.
    pub fn open(&self, routes: impl Endpoint<Output = Response> + 'static) {
        // Whoever opened first has opened.
        self.0.set(routes.boxed()).ok();
    }

    /// The routes to be served from the beginning: until [`Opening::open`], `probes` tell what is being waited for.
    /// A request may take `limit`.
    pub fn routes(&self, probes: Probes, limit: Duration) -> impl Endpoint<Output = Response> + 'static {
        // What is waited for may be there a moment before the routes are.
        let probes = probes.with("start", true, || async { Err("it is not over yet") });
        Doors { opened: self.0.clone(), health: health_only(probes, limit) }
    }
}

struct Doors<H> {
    opened: Arc<OnceLock<BoxEndpoint<'static, Response>>>,
    health: H,
}

impl<H: Endpoint<Output = Response>> Endpoint for Doors<H> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match (self.opened.get(), request.uri().path()) {
            (Some(routes), _) => routes.call(request).await,
            (None, "/livez" | "/readyz") => self.health.call(request).await,
            (None, _) => with_request_id(NotYet, request).await,
        }
    }
}

struct NotYet;

impl Endpoint for NotYet {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        Incoming::new(request.take_body(), request.headers()).drain().await;
        Ok(answer(&Refusal::Starting))
    }
}
