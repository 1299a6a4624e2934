//! Trials: what they need of the servers, and when they run.

use crate::servers::{Postgres, RabbitMq, Servers};
use crate::site::Site;
use libtest_mimic::{Failed, Trial};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::future::Future;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

/// What all trials of a run share.
pub struct Run {
    servers: OnceLock<Servers>,
    pub seed: u64,
    /// As long and as often as the list of faults says, and not only for a quick look.
    pub thorough: bool,
}

impl Run {
    pub fn new(seed: u64, thorough: bool) -> Arc<Self> {
        Arc::new(Self { servers: OnceLock::new(), seed, thorough })
    }

    /// The servers, started by whoever needs them first.
    pub fn servers(&self) -> &Servers {
        self.servers.get_or_init(Servers::start)
    }
}

/// A server, alone or with others.
pub enum Held<T> {
    Shared(OwnedRwLockReadGuard<T>),
    Alone(OwnedRwLockWriteGuard<T>),
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Shared(held) => held,
            Self::Alone(held) => held,
        }
    }
}

/// What a trial is given.
pub struct Arena {
    pub postgres: Held<Postgres>,
    pub rabbitmq: Held<RabbitMq>,
    /// Drawn from the seed of the run and the name of the trial.
    pub chance: StdRng,
    pub thorough: bool,
}

impl Arena {
    /// The servers of `run`, held alone where it says so. PostgreSQL first, always, so that nobody waits in a circle.
    pub async fn enter(run: &Run, name: &str, breaks: Breaks) -> Self {
        let servers = run.servers();
        let (postgres, rabbitmq) = (servers.postgres.clone(), servers.rabbitmq.clone());
        let postgres = match breaks {
            Breaks::Postgres | Breaks::Both => Held::Alone(postgres.write_owned().await),
            _ => Held::Shared(postgres.read_owned().await),
        };
        let rabbitmq = match breaks {
            Breaks::RabbitMq | Breaks::Both => Held::Alone(rabbitmq.write_owned().await),
            _ => Held::Shared(rabbitmq.read_owned().await),
        };
        let own =
            name.bytes().fold(run.seed, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Self { postgres, rabbitmq, chance: StdRng::seed_from_u64(own), thorough: run.thorough }
    }

    /// A warm site with an API and a worker.
    pub async fn site(&self, own: &[(&str, &str)]) -> Site {
        Site::open(&self.postgres, &self.rabbitmq, own).await
    }

    /// A site on which nothing runs yet.
    pub async fn empty_site(&self, own: &[(&str, &str)]) -> Site {
        Site::prepare(&self.postgres, &self.rabbitmq, own).await
    }

    /// So many for a quick look, or for a thorough one.
    pub fn dose<T>(&self, quick: T, thorough: T) -> T {
        if self.thorough { thorough } else { quick }
    }
}

/// Which of the servers a trial breaks for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    Nothing,
    Postgres,
    RabbitMq,
    Both,
}

type Course = Pin<Box<dyn Future<Output = ()>>>;

/// A row of the list of faults.
pub struct Row {
    name: String,
    breaks: Breaks,
    left_out: bool,
    course: fn(Arena) -> Course,
}

impl Row {
    pub fn new(name: &str, breaks: Breaks, course: fn(Arena) -> Course) -> Self {
        Self { name: name.to_owned(), breaks, left_out: false, course }
    }

    /// It cannot be tried here.
    pub fn left_out(self, left_out: bool) -> Self {
        Self { left_out, ..self }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn into_trial(self, run: Arc<Run>) -> Trial {
        let Self { name, breaks, left_out, course } = self;
        let own = name.clone();
        Trial::test(name, move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let trying = AssertUnwindSafe(|| {
                runtime.block_on(async {
                    let arena = Arena::enter(&run, &own, breaks).await;
                    course(arena).await;
                });
            });
            catch_unwind(trying).map_err(|panic| {
                eprintln!("{own} failed; the servers' last words:\n{}", run.servers().last_words());
                runtime.block_on(run.servers().mend());
                let text = panic.downcast_ref::<String>().map(String::as_str);
                Failed::from(text.or_else(|| panic.downcast_ref().copied()).unwrap_or("it panicked"))
            })
        })
        .with_ignored_flag(left_out)
    }
}

/// Rows whose names are those of their functions.
macro_rules! rows {
    ($room:literal: $($breaks:ident { $($name:ident),+ $(,)? })+) => {
        pub fn rows() -> Vec<crate::trial::Row> {
            vec![$($({
                crate::trial::Row::new(
                    concat!($room, "::", stringify!($name)),
                    crate::trial::Breaks::$breaks,
                    |arena| Box::pin($name(arena)),
                )
            },)+)+]
        }
    };
}
pub(crate) use rows;
