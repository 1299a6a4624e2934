//! A whole Darkroom of its own processes: APIs and workers, with a proxy before each of the servers.

use crate::caller::Caller;
use crate::ledger::{Fate, Ledger};
use crate::residents::Residents;
use crate::servers::{Postgres, RabbitMq, free_port};
use crate::support::broker::Broker;
use crate::support::database::Database;
use crate::support::fake_captioner::{FakeCaptioner, Mode};
use crate::support::ground::Ground;
use crate::support::pictures;
use crate::support::process::{PROGRAM, Process, command_of};
use crate::support::proxy::Proxy;
use crate::support::raw::Raw;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// The longest that a careful client repeats an upload, and that anything may take to become quiet again.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A lease of these sites; long enough for a machine that is busy with other trials.
pub const LEASE: Duration = Duration::from_secs(3);

/// So many files of a trial differ.
static NUMBER: AtomicU64 = AtomicU64::new(1);

pub struct Site {
    pub ground: Ground,
    pub to_postgres: Proxy,
    pub to_broker: Proxy,
    pub captioner: FakeCaptioner,
    pub caller: Caller,
    pub ledger: Ledger,
    pub residents: Residents,
    /// What is started from now on: the program under test, or another release of it.
    pub program: PathBuf,
    own: Vec<(String, String)>,
    ports: Vec<u16>,
    /// What the files of this site show.
    pub picture: Vec<u8>,
}

impl Site {
    /// A site on these servers, on which nothing runs yet. `own` settings override those of all sites.
    pub async fn prepare(postgres: &Postgres, rabbitmq: &RabbitMq, own: &[(&str, &str)]) -> Self {
        let database = Database::create_on(postgres.url()).await;
        let ground = Ground::on(database, Some(Broker::on(rabbitmq.url())));
        let to_postgres = Proxy::before(ground.database.address()).await;
        let to_broker = Proxy::before(ground.broker().address()).await;
        let captioner = FakeCaptioner::start(Mode::Caption("A pattern in blue and red.")).await;
        let mut settings: Vec<(String, String)> = [
            ("DARKROOM_DATABASE__URL", ground.database.url_through(to_postgres.address).as_str()),
            ("DARKROOM_AMQP__URL", &ground.broker().url_through(to_broker.address)),
            ("DARKROOM_CAPTIONER__PROVIDER", "openai_chat"),
            ("DARKROOM_CAPTIONER__URL", &captioner.url()),
            ("DARKROOM_CAPTIONER__CALL_SECONDS", "3"),
            ("DARKROOM_WORKER__CAPTION_SECONDS", "3"),
            ("DARKROOM_WORKER__LEASE_SECONDS", "3"),
            ("DARKROOM_WORKER__RENEW_SECONDS", "0.5"),
            ("DARKROOM_WORKER__IMAGE_SECONDS", "15"),
            ("DARKROOM_WORKER__MAX_ATTEMPTS", "5"),
            ("DARKROOM_WORKER__BACKOFF_LONGEST_SECONDS", "1"),
            ("DARKROOM_WORKER__CONCURRENCY", "2"),
            ("DARKROOM_FILES__SWEEP_AFTER_SECONDS", "25"),
            ("DARKROOM_FILES__SWEEP_EVERY_SECONDS", "0.5"),
            ("HF_API_KEY", "hf_secret"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        settings.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
        settings.extend(own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let ports = vec![free_port()];
        Self {
            caller: Caller::new(ports[0]),
            ledger: Ledger::default(),
            residents: Residents::default(),
            program: PROGRAM.into(),
            own: settings,
            ports,
            picture: pictures::camera_jpeg(900, 700, 6),
            ground,
            to_postgres,
            to_broker,
            captioner,
        }
    }

    /// A site with an API and a worker, warm: one image has gone all the way.
    pub async fn open(postgres: &Postgres, rabbitmq: &RabbitMq, own: &[(&str, &str)]) -> Self {
        let mut site = Self::prepare(postgres, rabbitmq, own).await;
        site.start_api(0);
        site.start_worker(&[]);
        site.upload(1).await;
        site.quiet().await;
        site.residents.remember().await;
        site
    }

    /// Starts API number `number`, at the address it has had before.
    pub fn start_api(&mut self, number: usize) {
        while self.ports.len() <= number {
            self.ports.push(free_port());
        }
        let listen = format!("127.0.0.1:{}", self.ports[number]);
        let api = self.start(&[], &[("DARKROOM_HTTP__LISTEN", &listen)]);
        self.residents.move_in(format!("api {number}"), api);
    }

    /// Starts a worker; returns its name.
    pub fn start_worker(&mut self, arguments: &[&str]) -> String {
        self.start_worker_with(arguments, &[])
    }

    pub fn start_worker_with(&mut self, arguments: &[&str], own: &[(&str, &str)]) -> String {
        let worker = self.start(&[&["--worker"], arguments].concat(), own);
        let name = format!("worker {}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.residents.move_in(name.clone(), worker);
        name
    }

    /// Starts the program with the settings of this site.
    pub fn start(&self, arguments: &[&str], own: &[(&str, &str)]) -> Process {
        Process::spawn(command_of(&self.program, arguments).envs(self.environment(own)))
    }

    /// All variables of this site, overridden by `own`.
    pub fn environment(&self, own: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut settings: Vec<_> = self.own.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        settings.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
        settings.extend(own);
        self.ground.environment(&settings)
    }

    /// A caller of all APIs by turns.
    pub fn balanced_caller(&self) -> Caller {
        self.caller.at(&self.ports)
    }

    /// Where the APIs listen.
    pub fn ports(&self) -> Vec<u16> {
        self.ports.clone()
    }

    /// A connection to the first API.
    pub async fn raw(&self) -> Raw {
        Raw::connect(&format!("127.0.0.1:{}", self.ports[0])).await
    }

    /// A picture that nobody has uploaded yet.
    pub fn file(&self) -> Vec<u8> {
        pictures::unlike(self.picture.clone(), NUMBER.fetch_add(1, Ordering::Relaxed))
    }

    /// Uploads so many pictures, eight at a time, each until it is acknowledged.
    pub async fn upload(&self, count: usize) -> Vec<i64> {
        use futures_util::StreamExt;
        let uploads = futures_util::stream::iter(0..count).map(|_| async {
            let file = self.file();
            let delivered = self.ledger.deliver(&self.caller, &file, Fate::Success, PATIENCE).await;
            delivered.expect("an upload was never acknowledged")
        });
        uploads.buffer_unordered(8).collect().await
    }

    /// Uploads so many pictures on threads of the runtime, one after the other, while a trial stops and starts servers.
    pub fn uploading(&self, count: usize) -> JoinHandle<()> {
        let (caller, ledger) = (self.caller.clone(), self.ledger.clone());
        let files: Vec<_> = (0..count).map(|_| self.file()).collect();
        tokio::spawn(async move {
            for file in files {
                let delivered = ledger.deliver(&caller, &file, Fate::Success, PATIENCE).await;
                assert!(delivered.is_some(), "an upload was never acknowledged");
            }
        })
    }

    /// Waits until every acknowledged image has a final status and nothing is queued.
    pub async fn quiet(&self) {
        self.quiet_within(PATIENCE).await;
    }

    pub async fn quiet_within(&self, patience: Duration) {
        let begun = Instant::now();
        loop {
            let open = self
                .ground
                .database
                .number(
                    "select (select count(*) from images where status = 'processing')
                          + (select count(*) from jobs where state in ('queued', 'running'))",
                )
                .await;
            if open == 0 {
                return;
            }
            assert!(
                begun.elapsed() < patience,
                "{open} images and jobs are stuck\n{}",
                self.residents.last_words()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Makes all files look old, so that the sweep takes those that nobody needs. Only when everything is quiet.
    pub fn age_files(&self) {
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
        for name in self.ground.files() {
            // The sweep may have been faster.
            if let Ok(file) = std::fs::File::options().append(true).open(self.ground.volume().join(name)) {
                file.set_modified(long_ago).unwrap();
            }
        }
    }
}
