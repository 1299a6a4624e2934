//! Signs of life. `/livez` depends on nothing; `/readyz` tells which dependency is away.

use super::Tag;
use super::envelope::HealthAnswer;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long a dependency may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// A question to one dependency.
#[derive(Clone)]
pub struct Probe {
    name: &'static str,
    /// Whether this process is of no use without it.
    essential: bool,
    check: Check,
}

/// All dependencies of this process.
#[derive(Clone, Default)]
pub struct Probes(Vec<Probe>);

impl Probes {
    /// Adds a dependency. One that is not `essential` is reported, and does not make the process unready.
    #[must_use]
    pub fn with<E, F>(
        mut self,
        name: &'static str,
        essential: bool,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        E: std::fmt::Display,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let check: Check = Arc::new(move || {
            let asked = check();
            Box::pin(async move { asked.await.map_err(|error| error.to_string()) })
        });
        self.0.push(Probe { name, essential, check });
        self
    }

    async fn ask(&self) -> (bool, Health) {
        let asked = self.0.iter().map(|probe| async move {
            let answer = tokio::time::timeout(PATIENCE, (probe.check)()).await;
            (probe, answer.unwrap_or_else(|_| Err("no answer in time".to_owned())))
        });
        let (mut ready, mut checks) = (true, BTreeMap::new());
        for (probe, answer) in futures_util::future::join_all(asked).await {
            ready &= answer.is_ok() || !probe.essential;
            checks.insert(probe.name.to_owned(), answer.err().unwrap_or_else(|| "ok".to_owned()));
        }
        (ready, Health { ready, version: env!("CARGO_PKG_VERSION").to_owned(), checks })
    }
}

/// How this process is.
#[derive(Object)]
pub(super) struct Health {
    /// Whether it can do its work.
    ready: bool,
    version: String,
    /// By dependency: `ok`, or what is wrong with it.
    checks: BTreeMap<String, String>,
}

#[derive(ApiResponse)]
enum LiveResponse {
    /// The process answers.
    #[oai(status = 200, content_type = "application/json")]
    Live(Json<HealthAnswer>),
}

#[derive(ApiResponse)]
enum ReadyResponse {
    /// It can do its work.
    #[oai(status = 200, content_type = "application/json")]
    Ready(Json<HealthAnswer>),
    /// A dependency is away; `checks` names it.
    #[oai(status = 503, content_type = "application/json")]
    Unready(Json<HealthAnswer>, #[oai(header = "Retry-After")] u64),
}

pub(super) struct HealthApi;

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// Is the process alive?
    #[oai(path = "/livez", method = "get", operation_id = "get_liveness")]
    async fn get_liveness(&self) -> LiveResponse {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        LiveResponse::Live(Json(Health { ready: true, version, checks: BTreeMap::new() }.into()))
    }

    /// Can it do its work?
    ///
    /// Names each dependency. An API server is ready while the broker is away: uploads are taken, and wait.
    #[oai(path = "/readyz", method = "get", operation_id = "get_readiness")]
    async fn get_readiness(&self, probes: Data<&Probes>) -> ReadyResponse {
        match probes.ask().await {
            (true, health) => ReadyResponse::Ready(Json(health.into())),
            (false, health) => ReadyResponse::Unready(Json(health.into()), 1),
        }
    }
}
