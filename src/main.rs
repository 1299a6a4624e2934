//! The command line.

use clap::{ArgGroup, Parser};
use darkroom::app::{self, App, Role};
use darkroom::domain::JobKind;
use darkroom::settings::{DEFAULTS, Settings};
use darkroom::worker::Stopped;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// An image-processing pipeline with a REST API: photos go in; thumbnails, metadata, a caption and timings come out.
///
/// Without a role it is the API server: uploads, reads, Swagger UI at /docs; it also passes due jobs on to the broker.
///
/// Settings come from built-in defaults, then the file of --config, then the environment: DARKROOM_HTTP__LISTEN is
/// http.listen. See --print-settings for all of them.
#[derive(Parser)]
#[command(version, group(ArgGroup::new("task").args(["standalone", "migrate", "openapi", "print_settings"])))]
struct Arguments {
    /// Be a worker: consume jobs. Run as many as you like.
    #[arg(long, conflicts_with = "task")]
    worker: bool,
    /// Which kinds of jobs a worker consumes.
    #[arg(long, requires = "worker", value_delimiter = ',', default_values = ["image", "caption"], value_name = "KINDS")]
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
    /// A file of settings, in the form that --print-settings shows.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How glibc is to keep what was freed (mallopt(3)): by default it has a heap for each thread, and each of them keeps as
/// much as the largest file it has seen. With these, a worker takes half as much memory and is as fast.
const HEAPS: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    // Larger pieces go back to the system at once. Many smaller ones would cost more time than they save memory.
    ("MALLOC_MMAP_THRESHOLD_", "4194304"),
    ("MALLOC_TRIM_THRESHOLD_", "8388608"),
];

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
    let settings = Settings::load(arguments.config.as_deref(), std::env::vars_os().filter_map(text))?;
    if arguments.healthcheck {
        let listen = if arguments.worker { settings.worker.listen } else { Some(settings.http.listen) };
        let listen = listen.ok_or_else(|| anyhow::anyhow!("worker.listen is not set"))?;
        return app::healthcheck(listen).map(|()| ExitCode::SUCCESS);
    }
    bound_heaps();
    darkroom::telemetry::start(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(until_stopped(arguments, settings));
    // Pixels that nobody waits for any more do not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
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
    let role = match (arguments.worker, arguments.standalone) {
        (true, _) => Role::Worker(arguments.queues.clone()),
        (_, true) => Role::Standalone,
        _ => Role::Server,
    };
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

#[expect(clippy::print_stdout, reason = "what was asked for goes to standard output")]
fn print(text: &str) -> anyhow::Result<ExitCode> {
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "the log may not be set up when a start fails")]
fn say(text: &str) {
    eprintln!("{text}");
}
