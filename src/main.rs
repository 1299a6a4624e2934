//! The command line.

use anyhow::Context;
use clap::{ArgGroup, Parser};
use darkroom::app::{self, App, CaptionWish, KeyWish, RetryChoice, Role};
use darkroom::domain::{FailureCode, JobKind, KeyName, Scope, Scopes};
use darkroom::settings::{DEFAULTS, LogFormat, Settings};
use darkroom::telemetry::{self, Tracing};
use darkroom::worker::Stopped;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a process may be asked for instead of being the API server or a worker; one at a time.
const TASKS: [&str; 12] = [
    "standalone",
    "migrate",
    "openapi",
    "print_settings",
    "retry_failed",
    "fill_in",
    "caption_all",
    "fsck",
    "dead_letters",
    "new_key",
    "list_keys",
    "revoke_key",
];

/// An image-processing pipeline with a REST API: photos go in; thumbnails, metadata, a caption and timings come out.
///
/// Without a role it is the API server: uploads, reads, Swagger UI at /docs; it also passes due jobs on to the broker.
///
/// Settings come from built-in defaults, then the file of --config, then the environment: DARKROOM_HTTP__LISTEN is
/// http.listen. See --print-settings for all of them.
#[derive(Parser)]
#[command(
    version,
    group(ArgGroup::new("task").args(TASKS)),
    group(ArgGroup::new("counted").args(["retry_failed", "caption_all", "dead_letters"])),
)]
struct Arguments {
    /// Be a worker: consume jobs. Run as many as you like.
    #[arg(long, conflicts_with = "task")]
    worker: bool,
    /// Which kinds of jobs a worker consumes.
    #[arg(long, requires = "worker", value_delimiter = ',', default_values = ["image", "caption", "webhook"], value_name = "KINDS")]
    queues: Vec<JobKind>,
    /// Be everything in one process. Without database.url it runs a private PostgreSQL from the installed binaries, and
    /// without amqp.url an in-process queue.
    #[arg(long)]
    standalone: bool,
    /// Apply the migrations and exit.
    #[arg(long)]
    migrate: bool,
    /// Print the OpenAPI document and exit.
    #[arg(long)]
    openapi: bool,
    /// Print all settings with their defaults and exit.
    #[arg(long)]
    print_settings: bool,
    /// Ask the server (or, with --worker, the worker) on this machine whether it is ready, and exit with 0 if it is.
    #[arg(long, conflicts_with = "task")]
    healthcheck: bool,
    /// Queue a new job for every image that has failed, print how many, and exit. What was deleted or retried meanwhile is
    /// skipped, and a second run finds nothing left. It writes to the database only, while API and workers run; the API
    /// announces the jobs.
    #[arg(long)]
    retry_failed: bool,
    /// With --retry-failed: instead, the captions that failed, of images that did not.
    #[arg(long, requires = "retry_failed")]
    captions: bool,
    /// With --retry-failed: instead, the webhooks that failed, the newest one of each image.
    #[arg(long, requires = "retry_failed", conflicts_with = "captions")]
    webhooks: bool,
    /// With --retry-failed: only failures with this code, such as storage_full; may be given several times.
    #[arg(long = "code", requires = "retry_failed", value_name = "CODE")]
    codes: Vec<FailureCode>,
    /// With --retry-failed: only count them, by code.
    #[arg(long, requires = "retry_failed")]
    dry_run: bool,
    /// Give images that an earlier version processed what this one makes of each: the name of its camera, and the perceptual
    /// hash that a search for similar images needs. It reads thumbnails and writes rows, while API and workers run; what is
    /// there already stays as it is.
    #[arg(long)]
    fill_in: bool,
    /// Ask for a caption of every image that has none, a few at a time, so that new uploads do not wait; print how many, and
    /// exit when all are queued. What failed is left to --retry-failed --captions. It writes to the database only, while API
    /// and workers run; broken off, the same command does the rest.
    #[arg(long)]
    caption_all: bool,
    /// With --caption-all: also of images whose caption a model gave to another prompt than captioner.prompt of now.
    #[arg(long, requires = "caption_all")]
    older_prompts: bool,
    /// Compare the files on the volume with the rows that name them: print what is missing, of another length, or belongs to
    /// nobody, and exit with 0 if nothing is missing or damaged. Nothing is changed, and API and workers may run; what belongs
    /// to nobody is what the sweep would remove.
    #[arg(long)]
    fsck: bool,
    /// With --fsck: also read every original and compare its SHA-256.
    #[arg(long, requires = "fsck")]
    contents: bool,
    /// Show the messages that could not be delivered (queue <prefix>.dead), oldest first, and exit. They stay where they
    /// are.
    ///
    /// A letter that announces a job tells a story and holds nothing: the job is a row of the database, and is announced
    /// anew without it.
    #[arg(long)]
    dead_letters: bool,
    /// With --dead-letters: remove them once they were printed.
    #[arg(long, requires = "dead_letters")]
    drop: bool,
    /// At most so many images (all, if not given) or letters (50, if not given).
    #[arg(long, requires = "counted", value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Make an API key, print it this once, and exit; only its digest is kept. Needs database.url, or a --standalone that
    /// runs on embedded.dir. Applies the migrations only if there is no table of keys yet.
    #[arg(long, value_name = "NAME", requires = "scopes")]
    new_key: Option<KeyName>,
    /// With --new-key: what it permits (read, write, admin); may be given several times.
    #[arg(long = "scope", requires = "new_key", value_delimiter = ',', value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// With --new-key: requests in a minute, of each API server (limits.requests_per_minute, if not given; 0 for no limit).
    #[arg(long, requires = "new_key", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(..=100_000))]
    requests_per_minute: Option<u32>,
    /// With --new-key: it expires after so many days.
    #[arg(long, requires = "new_key", value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expires_days: Option<u32>,
    /// Show all API keys (never the keys themselves): names, scopes, when they were made and last used, and exit.
    #[arg(long)]
    list_keys: bool,
    /// Revoke the API key of this name, and exit. Servers refuse it within five seconds.
    #[arg(long, value_name = "NAME")]
    revoke_key: Option<KeyName>,
    /// A file of settings, in the form that --print-settings shows.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Arguments {
    /// What the process is, unless it is to do something on the side.
    fn role(&self) -> Option<Role> {
        let about_keys = self.new_key.is_some() || self.list_keys || self.revoke_key.is_some();
        let about_images = self.retry_failed || self.fill_in || self.caption_all || self.fsck;
        match (self.worker, self.standalone) {
            (true, _) => Some(Role::Worker(self.queues.clone())),
            (_, true) => Some(Role::Standalone),
            _ if about_keys || about_images || self.migrate || self.dead_letters => None,
            _ => Some(Role::Server),
        }
    }
}

/// How glibc is to keep what was freed (mallopt(3)): by default it has a heap for each thread, and each of them keeps as
/// much as the largest file it has seen. With these, a worker takes half as much memory and is as fast.
const HEAPS: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    // Larger pieces go back to the system at once. Many smaller ones would cost more time than they save memory.
    ("MALLOC_MMAP_THRESHOLD_", "4194304"),
    ("MALLOC_TRIM_THRESHOLD_", "8388608"),
];

/// Dead letters that are shown where nobody says how many.
const LETTERS: usize = 50;

/// Threads that wait for the volume. There is no use in more than a disk can serve; the default of 512 is memory that a crowd
/// of uploads would leave behind.
const BLOCKING_THREADS: usize = 64;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("darkroom: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.openapi {
        return print(&darkroom::http::yaml());
    }
    if arguments.print_settings {
        return print(DEFAULTS);
    }
    // Before anything is read that can be read but once.
    if !arguments.healthcheck {
        bound_heaps();
    }
    let settings = Settings::load(arguments.config.as_deref(), std::env::vars_os().filter_map(text))?;
    if arguments.healthcheck {
        let listen = if arguments.worker { settings.worker.listen } else { Some(settings.http.listen) };
        let listen = listen.ok_or_else(|| anyhow::anyhow!("worker.listen is not set"))?;
        return app::healthcheck(listen).map(|()| ExitCode::SUCCESS);
    }
    let log = settings.log.format;
    app::raise_descriptor_limit(settings.limits.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    let tracing = arguments.role().map(|role| Tracing {
        settings: &settings.traces,
        role: role.as_str(),
        runtime: runtime.handle().clone(),
    });
    let telemetry = telemetry::start(&settings.log, tracing)?;
    let outcome = runtime.block_on(until_stopped(arguments, settings));
    telemetry.end();
    // Pixels that nobody waits for any more do not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        // The last line, too, is for the machine that reads the others.
        Err(error) if log == LogFormat::Json => {
            tracing::error!(error = format!("{error:#}"), "ended");
            Ok(ExitCode::FAILURE)
        }
        outcome => outcome,
    }
}

/// Makes [`HEAPS`] hold, unless somebody has chosen otherwise: glibc reads them once, before `main`, so that the process
/// replaces itself by the same program with the same id. Where it cannot, it runs as it is.
fn bound_heaps() {
    if !cfg!(target_env = "gnu") || HEAPS.iter().any(|(name, _)| std::env::var_os(name).is_some()) {
        return;
    }
    let mut arguments = std::env::args_os();
    if let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) {
        // Returns only if it fails.
        let _failed = Command::new(program).arg0(name).args(arguments).envs(HEAPS).exec();
    }
}

async fn until_stopped(arguments: &Arguments, settings: Settings) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    if arguments.migrate {
        return Ok(match stop.run_until_cancelled(app::migrate(&settings)).await.transpose()? {
            Some(()) => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        });
    }
    if arguments.retry_failed {
        return retry_failed(arguments, &settings, &stop).await;
    }
    match stop.run_until_cancelled(about_keys(arguments, &settings)).await.transpose()? {
        Some(None) => {}
        Some(Some(done)) => return Ok(done),
        None => return Ok(ExitCode::FAILURE),
    }
    if arguments.fill_in {
        let filled_in = app::fill_in(&settings, &stop).await?;
        return print(&format!(
            "filled in: {} cameras, {} perceptual hashes; {} thumbnails are missing or damaged\n",
            filled_in.cameras, filled_in.hashes, filled_in.unreadable
        ));
    }
    if arguments.caption_all {
        let wish = CaptionWish { older_prompts: arguments.older_prompts, limit: arguments.limit };
        let queued = app::caption_all(&settings, wish, &stop).await?;
        return print(&format!("queued: {queued} captions\n"));
    }
    if arguments.fsck {
        let checked = app::fsck(&settings, arguments.contents, &stop, |line| print(line).map(drop)).await?;
        print(&format!("{checked}\n"))?;
        return Ok(if checked.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if arguments.dead_letters {
        let limit = arguments.limit.map_or(LETTERS, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let showing = app::dead_letters(&settings, limit, arguments.drop, |line| print(line).map(drop));
        return match stop.run_until_cancelled(showing).await.transpose()? {
            Some(done) => print(&done),
            None => Ok(ExitCode::FAILURE),
        };
    }
    let role = arguments.role().unwrap_or(Role::Server);
    // Told to stop while it still waits for a dependency: nothing was begun.
    let Some(app) = stop.run_until_cancelled(App::start(role, settings, stop.clone())).await.transpose()?
    else {
        return Ok(ExitCode::SUCCESS);
    };
    match app.run().await? {
        Stopped::Clean => Ok(ExitCode::SUCCESS),
        Stopped::JobsLeft(jobs) => {
            tracing::warn!(jobs, "stopped with jobs in hand; others take them over when their leases end");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Does what was asked for about keys, if anything was.
async fn about_keys(arguments: &Arguments, settings: &Settings) -> anyhow::Result<Option<ExitCode>> {
    if let Some(name) = arguments.new_key.clone()
        && let Some(scopes) = Scopes::new(arguments.scopes.iter().copied())
    {
        let kept = format!(
            "{name} ({scopes}): shown this once and kept nowhere. Send it as `Authorization: Bearer …` or `X-API-Key: …`"
        );
        let (requests_per_minute, days) = (arguments.requests_per_minute, arguments.expires_days);
        let wish = KeyWish { name: name.clone(), scopes, requests_per_minute, days };
        let key = app::new_key(settings, wish).await?;
        return match print(&format!("{}\n", key.reveal())) {
            Ok(printed) => {
                say(&kept);
                Ok(Some(printed))
            }
            // Perhaps a part of it went somewhere, and nobody has the whole.
            Err(error) => match app::revoke_key(settings, &name).await {
                Ok(_) => Err(error.context(format!("{name} is revoked again, since nobody has seen it"))),
                Err(revoking) => Err(revoking.context(format!("{error}, and {name} is in force: revoke it"))),
            },
        };
    }
    if arguments.list_keys {
        return print(&app::list_keys(settings).await?).map(Some);
    }
    if let Some(name) = &arguments.revoke_key {
        return print(&app::revoke_key(settings, name).await?).map(Some);
    }
    Ok(None)
}

async fn retry_failed(
    arguments: &Arguments,
    settings: &Settings,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let choice = RetryChoice {
        kind: match (arguments.captions, arguments.webhooks) {
            (true, _) => JobKind::Caption,
            (_, true) => JobKind::Webhook,
            _ => JobKind::Image,
        },
        codes: arguments.codes.clone(),
        limit: arguments.limit,
        dry_run: arguments.dry_run,
    };
    let report = app::retry_failed(settings, choice, stop).await?;
    print(&report.to_string())?;
    report.unfinished.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// The first SIGTERM or SIGINT stops in order, the second at once.
fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} };
        next().await;
        tracing::info!("stopping; once more to stop at once");
        stop.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(())
}

/// A variable that is no text cannot be one of ours.
fn text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    name.into_string().ok().zip(value.into_string().ok())
}

/// What was asked for goes to standard output, all of it or with an error.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).context("cannot print")?;
    Ok(ExitCode::SUCCESS)
}

#[expect(
    clippy::print_stderr,
    reason = "for whoever sits before it; the log may not be set up when a start fails"
)]
fn say(text: &str) {
    eprintln!("{text}");
}
