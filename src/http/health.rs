//! Signs of life. `/livez` depends on nothing; `/readyz` tells which dependency is away.

use super::Tag;
use super::asked::{Question, Unanswered};
use super::envelope::HealthAnswer;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How long a dependency may take to answer before it is reported as silent.
const PATIENCE: Duration = Duration::from_secs(3);

/// Characters of an answer that are passed on; a dependency may say anything.
const LONGEST: usize = 300;

type Answer = Result<(), String>;

/// A question to one dependency.
struct Probe {
    name: &'static str,
    /// Whether this process is of no use without it.
    essential: bool,
    question: Question<Answer>,
}

/// All dependencies of this process.
#[derive(Clone, Default)]
pub struct Probes(Vec<Arc<Probe>>);

impl Probes {
    /// Adds a dependency. One that is not `essential` is reported, and does not make the process unready. What the check
    /// says is shown to everybody: it must hold no secret and no path.
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
        let question = Question::new(move || {
            let asked = check();
            async move { asked.await.map_err(|error| error.to_string().chars().take(LONGEST).collect()) }
        });
        self.0.push(Arc::new(Probe { name, essential, question }));
        self
    }

    async fn ask(&self) -> (bool, Health) {
        let asked = self.0.iter().map(|probe| async move { (probe, probe.answer().await) });
        let (mut ready, mut checks) = (true, BTreeMap::new());
        for (probe, answer) in futures_util::future::join_all(asked).await {
            ready &= answer.is_ok() || !probe.essential;
            checks.insert(probe.name.to_owned(), answer.err().unwrap_or_else(|| "ok".to_owned()));
        }
        (ready, Health { ready, version: env!("CARGO_PKG_VERSION").to_owned(), checks })
    }
}

impl Probe {
    async fn answer(&self) -> Answer {
        match self.question.answer(PATIENCE).await {
            Ok(answer) => answer,
            Err(Unanswered::TooLate) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
            Err(Unanswered::BrokenOff) => Err("the check broke off".to_owned()),
        }
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
    ///
    /// Asks no dependency.
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

#[cfg(test)]
mod tests {
    use super::super::asked::FRESH;
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_dependency_that_hangs_is_asked_once_however_many_ask() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let probes = Probes::default().with("volume", true, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<Answer>()
        });
        let all = futures_util::future::join_all((0..50).map(|_| probes.ask())).await;
        for (ready, health) in all {
            assert_eq!((ready, health.checks["volume"].as_str()), (false, "no answer within 3 seconds"));
        }
        assert_eq!(probes.0[0].question.answer(Duration::ZERO).await, Err(Unanswered::TooLate));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_answer_is_passed_on_for_a_moment_and_then_asked_for_anew() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let probes = Probes::default().with("database", true, move || {
            let healthy = counted.fetch_add(1, Ordering::Relaxed) > 0;
            async move { if healthy { Ok(()) } else { Err("away".repeat(1000)) } }
        });
        for _ in 0..3 {
            let (ready, health) = probes.ask().await;
            assert!(!ready && health.checks["database"].len() == LONGEST);
        }
        tokio::time::sleep(FRESH).await;
        assert!(probes.ask().await.0);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
