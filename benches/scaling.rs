//! How much the parts carry, and what a photo costs each of them: `cargo bench --bench scaling`.
//!
//! A server takes `PHOTOS` uploads (200) while no worker runs; then 1, 2 or 4 workers with one job at a time work them off. The
//! same with `TINY` pictures of one pixel (3000), which is the road without the work on pixels. Everything is a real process,
//! on the PostgreSQL and RabbitMQ that the tests use; `ROUNDS` (3) of each, in turns. `PHOTO=file` takes a photo of yours
//! instead of a picture of two megapixels.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a benchmark that ends by panicking, and uses a part of what the tests have"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};
use support::client::Client;
use support::ground::{Carrier, Ground};
use support::pictures;
use support::process::Process;

/// Uploads at a time.
const CLIENTS: usize = 8;

/// Hundredths of a second, of which Linux counts processor time.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    workers: usize,
    /// Jobs that each does at a time.
    concurrency: usize,
    is_tiny: bool,
}

const CASES: [Case; 5] = [
    Case { name: "photos", workers: 1, concurrency: 1, is_tiny: false },
    Case { name: "photos", workers: 2, concurrency: 1, is_tiny: false },
    Case { name: "photos", workers: 4, concurrency: 1, is_tiny: false },
    Case { name: "one pixel", workers: 1, concurrency: 4, is_tiny: true },
    Case { name: "one pixel", workers: 2, concurrency: 4, is_tiny: true },
];

/// Of one run: rates in a second, and processor time in milliseconds for each upload and each job.
struct Run {
    uploads: f64,
    jobs: f64,
    upload_ms: BTreeMap<&'static str, f64>,
    job_ms: BTreeMap<&'static str, f64>,
    worker_mib: u64,
}

fn main() {
    let count =
        |name: &str, usual: usize| std::env::var(name).map_or(usual, |text| text.parse().expect(name));
    let (photos, tiny, rounds) = (count("PHOTOS", 200), count("TINY", 3000), count("ROUNDS", 3));
    let photo = std::env::var("PHOTO")
        .map_or_else(|_| pictures::jpeg(1920, 1080), |file| fs::read(file).expect("PHOTO"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut runs: BTreeMap<usize, Vec<Run>> = BTreeMap::new();
    for round in 1..=rounds {
        for (number, case) in CASES.iter().enumerate() {
            eprintln!("round {round} of {rounds}: {}, {} workers", case.name, case.workers);
            let (picture, count) =
                if case.is_tiny { (pictures::png(1, 1), tiny) } else { (photo.clone(), photos) };
            let run = runtime.block_on(measure(*case, &picture, count));
            runs.entry(number).or_default().push(run);
        }
    }
    println!(
        "| pictures | workers | uploads/s | jobs/s | of jobs, processor ms: worker | server | PostgreSQL | RabbitMQ | memory of a worker |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (number, case) in CASES.iter().enumerate() {
        let of = |value: &dyn Fn(&Run) -> f64| median(runs[&number].iter().map(value).collect());
        let part = |name: &'static str| format!("{:.1}", of(&|run| run.job_ms[name]));
        println!(
            "| {} | {} × {} | {:.0} | {:.0} | {} | {} | {} | {} | {:.0} MiB |",
            case.name,
            case.workers,
            case.concurrency,
            of(&|run| run.uploads),
            of(&|run| run.jobs),
            part("worker"),
            part("server"),
            part("postgres"),
            part("beam.smp"),
            of(&|run| run.worker_mib as f64),
        );
    }
    println!("\n| of uploads, processor ms | server | PostgreSQL | RabbitMQ |");
    println!("|---|---|---|---|");
    for number in [0, 3] {
        let part =
            |name| format!("{:.1}", median(runs[&number].iter().map(|run| run.upload_ms[name]).collect()));
        println!(
            "| {} | {} | {} | {} |",
            CASES[number].name,
            part("server"),
            part("postgres"),
            part("beam.smp")
        );
    }
}

async fn measure(case: Case, picture: &[u8], count: usize) -> Run {
    let ground = Ground::new(Carrier::RabbitMq).await;
    // The tests' settings have everything heal within moments, which costs.
    let concurrency = case.concurrency.to_string();
    let own = [
        ("DARKROOM_DATABASE__MAX_CONNECTIONS", "16"),
        ("DARKROOM_WORKER__LEASE_SECONDS", "60"),
        ("DARKROOM_WORKER__RENEW_SECONDS", "15"),
        ("DARKROOM_RELAY__POLL_SECONDS", "2"),
        ("DARKROOM_RELAY__REANNOUNCE_SECONDS", "600"),
        ("DARKROOM_WORKER__CONCURRENCY", concurrency.as_str()),
        ("DARKROOM_LOG__LEVEL", "info"),
    ];
    let server = Process::start(&ground, &[], &own);
    let client = server.client().await;
    let upload_clock = Clock::start(&[("server", server.id())]);
    upload(&client, picture, count).await;
    let (upload_seconds, upload_ms) = upload_clock.per(count);

    let workers: Vec<_> = (0..case.workers)
        .map(|_| Process::start(&ground, &["--worker", "--queues", "image"], &own))
        .collect();
    until_done(&ground, 1).await;
    let done = done(&ground).await;
    let mut parts: Vec<_> = workers.iter().map(|worker| ("worker", worker.id())).collect();
    parts.push(("server", server.id()));
    let job_clock = Clock::start(&parts);
    until_done(&ground, count).await;
    let jobs = count - done;
    let (job_seconds, job_ms) = job_clock.per(jobs);
    let worker_mib = workers.iter().map(|worker| worker.kibibytes("VmHWM") / 1024).max().unwrap();
    for process in workers.iter().chain([&server]) {
        process.signal("-TERM");
    }
    for mut process in workers.into_iter().chain([server]) {
        assert!(process.ended().await.success(), "{}", process.log());
    }
    let (uploads, jobs) = (count as f64 / upload_seconds, jobs as f64 / job_seconds);
    Run { uploads, jobs, upload_ms, job_ms, worker_mib }
}

async fn upload(client: &Client, picture: &[u8], count: usize) {
    let sending = (0..count)
        .map(async |number| client.upload("p.jpg", &pictures::unlike(picture.to_vec(), number as u64)).await);
    let sent = futures_util::stream::iter(sending).buffer_unordered(CLIENTS).count().await;
    assert_eq!(sent, count);
}

async fn done(ground: &Ground) -> usize {
    let sql = "select count(*) from jobs where kind = 'image' and state = 'succeeded'";
    usize::try_from(ground.database.number(sql).await).unwrap()
}

async fn until_done(ground: &Ground, due: usize) {
    let begun = Instant::now();
    while done(ground).await < due {
        assert!(begun.elapsed() < Duration::from_secs(600), "the backlog is not worked off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Time, and the processor time of processes: those named, and the servers of the machine by the names of their programs.
struct Clock {
    begun: Instant,
    processes: Vec<(&'static str, u32)>,
    before: BTreeMap<&'static str, f64>,
}

impl Clock {
    fn start(processes: &[(&'static str, u32)]) -> Self {
        let processes = processes.to_vec();
        Self { before: spent(&processes), processes, begun: Instant::now() }
    }

    /// The seconds that passed, and the milliseconds of processor time that each of `count` took of each part.
    fn per(&self, count: usize) -> (f64, BTreeMap<&'static str, f64>) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let each =
            |(name, after): (&'static str, f64)| (name, (after - self.before[name]) * 1e3 / count as f64);
        (seconds, spent(&self.processes).into_iter().map(each).collect())
    }
}

/// Seconds of processor time so far.
fn spent(processes: &[(&'static str, u32)]) -> BTreeMap<&'static str, f64> {
    let mut spent = BTreeMap::from([("postgres", 0.0), ("beam.smp", 0.0)]);
    for (name, id) in processes {
        *spent.entry(name).or_default() += stat(&id.to_string()).expect("it runs").1;
    }
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        if let Some((program, seconds)) = entry.file_name().to_str().and_then(stat)
            && let Some(sum) = spent.get_mut(program.as_str())
        {
            *sum += seconds;
        }
    }
    spent
}

/// The program of a process, and its processor time with that of children that have ended (proc_pid_stat(5)).
fn stat(id: &str) -> Option<(String, f64)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (program, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let ticks: f64 =
        rest.split_whitespace().skip(11).take(4).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Some((program.to_owned(), ticks / TICKS_PER_SECOND))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
