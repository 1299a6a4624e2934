//! How long the database takes when it is full: `cargo bench --bench store`.
//!
//! It makes a database of its own on the server that `DARKROOM_BENCH_DATABASE_URL` names (else one on this machine), fills
//! it with `IMAGES` finished images and a `BACKLOG` of waiting ones, and drops it at the end. `IMAGES=1000000
//! BACKLOG=100000` takes two minutes to fill and 3 GB. `TEMPLATE=name` copies a database that was filled so before.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark may stop at what it did not expect"
)]

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use darkroom::domain::{
    FileKey, FindingCode, ImageFormat, ImageId, ImageStatus, JobId, JobKind, Metadata, Orientation,
    OriginalName, PerceptualHash, Sha256, Stage, StageRun, ThumbnailFormat, ThumbnailSize,
};
use darkroom::settings::Settings;
use darkroom::store::{
    Claim, Ending, Finish, ListFilter, MadeImage, MadeThumbnail, NewImage, Position, Similar, Sort,
    SortValue, Span, Store, Work,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::macros::datetime;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

const LEASE: Duration = Duration::from_secs(30);

/// Jobs claimed and finished at the same time.
const WORKERS: u64 = 4;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let server = std::env::var("DARKROOM_BENCH_DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
    let name = format!("darkroom_bench_{:016x}", rand::random::<u64>());
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    let bench = runtime.block_on(async {
        let template = std::env::var("TEMPLATE").ok();
        let copied = template.as_ref().map_or_else(String::new, |full| format!(" template {full}"));
        let create = format!("create database {name}{copied}");
        connect(&server).await.batch_execute(&create).await.expect("a database");
        let bench = Bench::new(format!("{base}/{name}")).await;
        if template.is_none() {
            bench.fill().await;
        }
        bench
    });
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    bench.reads(&mut criterion, &runtime);
    bench.relay(&mut criterion, &runtime);
    bench.jobs(&mut criterion, &runtime);
    criterion.final_summary();
    drop(bench);
    runtime.block_on(async {
        let drop = format!("drop database {name} with (force)");
        connect(&server).await.batch_execute(&drop).await.expect("the database is ours");
    });
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL");
    tokio::spawn(connection);
    client
}

fn size(variable: &str, otherwise: i64) -> i64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// A full database, and a second way to it for what the program itself never does.
struct Bench {
    store: Store,
    direct: Client,
}

impl Bench {
    async fn new(url: String) -> Self {
        let settings = Settings::load(None, [("DARKROOM_DATABASE__URL".to_owned(), url.clone())]);
        let database = settings.expect("the URL is one").database;
        let store = Store::new(database.url.as_ref().expect("it was set"), &database).expect("a pool");
        Self { store, direct: connect(&url).await }
    }

    async fn fill(&self) {
        self.store.migrate().await.expect("an empty database");
        let (images, backlog) = (size("IMAGES", 50_000), size("BACKLOG", 5_000));
        let sizes = format!("set darkroom.images = {images}; set darkroom.backlog = {backlog}");
        for sql in [&sizes, include_str!("store/fill.sql"), "vacuum analyze"] {
            self.direct.batch_execute(sql).await.expect("room for the rows");
        }
    }

    /// What callers read.
    fn reads(&self, criterion: &mut Criterion, runtime: &Runtime) {
        let middle = ImageId::new(size("IMAGES", 50_000) / 2);
        let mut group = criterion.benchmark_group("reads");
        for (name, filter, sort, after) in lists(middle) {
            let read = || async {
                drop(self.store.images(black_box(&filter), sort, after.as_ref(), 50).await.expect("a page"));
            };
            measure(&mut group, name, runtime, read);
        }
        // A picture like no other, and one of a cluster of a hundred.
        for (name, image, distance) in [
            ("similar", middle.get() + 1, 8),
            ("similar, cluster", middle.get(), 8),
            ("similar, near", middle.get() + 1, 3),
            ("similar, far", middle.get() + 1, 15),
        ] {
            let read = || async {
                let similar = self.store.similar(black_box(ImageId::new(image)), distance, None, 50);
                assert!(matches!(similar.await.expect("an answer"), Similar::Found(..)), "it has a hash");
            };
            measure(&mut group, name, runtime, read);
        }
        let read = || async { drop(self.store.image(black_box(middle)).await.expect("an answer")) };
        measure(&mut group, "image", runtime, read);
        let read = || async { drop(self.store.stats().await.expect("an answer")) };
        measure(&mut group, "stats", runtime, read);
        group.finish();
    }

    /// What the relay does: one batch on its way to the broker, and one round of the rest.
    fn relay(&self, criterion: &mut Criterion, runtime: &Runtime) {
        let mut group = criterion.benchmark_group("relay");
        group.throughput(Throughput::Elements(64));
        group.bench_function("batch of 64", |bencher| {
            bencher.iter_custom(|batches| runtime.block_on(self.announced(batches)));
        });
        group.throughput(Throughput::Elements(1));
        measure(&mut group, "round of the reaper", runtime, || self.reaped());
        group.finish();
    }

    async fn announced(&self, batches: u64) -> Duration {
        let mut spent = Duration::ZERO;
        for _ in 0..batches {
            let begun = Instant::now();
            let due = self.store.due_jobs(JobKind::Image, 64, LEASE).await.expect("an answer");
            let Some((lease, due)) = due else {
                let sql = "update jobs set announce_at = now() where state = 'queued'";
                self.direct.batch_execute(sql).await.expect("the backlog is due again");
                continue;
            };
            let jobs: Vec<_> = due.iter().map(|due| due.job).collect();
            self.store.mark_announced(lease, &jobs).await.expect("an answer");
            spent += begun.elapsed();
        }
        spent
    }

    async fn reaped(&self) {
        for kind in JobKind::ALL {
            self.store.requeue_expired(*kind, 5).await.expect("an answer");
            self.store.expired_for_good(*kind, 5).await.expect("an answer");
        }
        for kind in JobKind::ALL {
            self.store.reannounce(*kind, false, LEASE).await.expect("an answer");
        }
        self.store.fold_tallies().await.expect("an answer");
        self.store.forget_idempotency_keys().await.expect("an answer");
        self.store.forget_superseded_jobs(LEASE).await.expect("an answer");
    }

    /// What workers and uploads do.
    fn jobs(&self, criterion: &mut Criterion, runtime: &Runtime) {
        let mut group = criterion.benchmark_group("jobs");
        group.throughput(Throughput::Elements(WORKERS));
        group.bench_function("uploads", |bencher| {
            bencher.iter_custom(|rounds| runtime.block_on(at_once(|| upload(self.store.clone(), rounds))));
        });
        group.bench_function("claim and finish", |bencher| {
            bencher.iter_custom(|rounds| runtime.block_on(self.worked_off(rounds)));
        });
        group.finish();
    }

    async fn worked_off(&self, rounds: u64) -> Duration {
        let limit = i64::try_from(rounds * WORKERS).expect("a small number");
        let oldest = "select id from jobs where state = 'queued' and kind = 'image' and due_at <= now()
                      order by id limit $1";
        let mut waiting = self.direct.query(oldest, &[&limit]).await.expect("an answer");
        if waiting.len() as u64 != rounds * WORKERS {
            at_once(|| upload(self.store.clone(), rounds)).await;
            waiting = self.direct.query(oldest, &[&limit]).await.expect("an answer");
        }
        let waiting: Arc<Vec<_>> = Arc::new(waiting.iter().map(|row| JobId::new(row.get(0))).collect());
        let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        at_once(|| {
            let (store, waiting, next) = (self.store.clone(), waiting.clone(), next.clone());
            async move {
                while let Some(job) = waiting.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    finish(&store, *job).await;
                }
            }
        })
        .await
    }
}

type List = (&'static str, ListFilter, Sort, Option<Position>);

/// Lists as callers ask for them.
fn lists(middle: ImageId) -> Vec<List> {
    let named = |text: &str| ListFilter { name_contains: Some(text.to_owned()), ..ListFilter::default() };
    let camera = |text: &str| ListFilter { camera_contains: Some(text.to_owned()), ..ListFilter::default() };
    let of = |status| ListFilter { status: Some(status), ..ListFilter::default() };
    let all = ListFilter::default;
    let newest = |name, filter| (name, filter, Sort::Newest, None);
    let sorted = |name, sort| (name, all(), sort, None);
    let taken = |from, before| ListFilter { taken: Span { from: Some(from), before: Some(before) }, ..all() };
    let long_ago = datetime!(2000-01-01 00:00);
    let now = time::OffsetDateTime::now_utc();
    let now = time::PrimitiveDateTime::new(now.date(), now.time());
    let days = |days| now - time::Duration::days(days);
    vec![
        newest("list", all()),
        ("list, deep", all(), Sort::Newest, Some(Position { value: SortValue::Absent, id: middle })),
        newest("list, failed", of(ImageStatus::Failed)),
        newest("list, success", of(ImageStatus::Success)),
        newest("list, name of many", named("img")),
        newest("list, name of few", named("axolotl")),
        newest("list, name of none", named("quagga")),
        newest(
            "list, failed, name of none",
            ListFilter { name_contains: Some("quagga".into()), ..of(ImageStatus::Failed) },
        ),
        newest("list, camera of many", camera("canon")),
        newest("list, camera of few", camera("leica")),
        newest("list, taken on one day of many", taken(days(8), days(7))),
        newest("list, taken long ago", taken(long_ago, days(40))),
        newest("list, taken by nobody", taken(long_ago, long_ago)),
        newest(
            "list, small files",
            ListFilter { bytes: Span { from: None, before: Some(2_000_500) }, ..all() },
        ),
        newest("list, no position", ListFilter { has_gps: Some(false), ..all() }),
        newest("list, data after the end", ListFilter { finding: Some(FindingCode::DataAfterEnd), ..all() }),
        newest("list, png", ListFilter { format: Some(ImageFormat::Png), ..all() }),
        sorted("list, oldest", Sort::Oldest),
        sorted("list, taken_newest", Sort::TakenNewest),
        sorted("list, taken_oldest", Sort::TakenOldest),
        sorted("list, largest", Sort::Largest),
        sorted("list, smallest", Sort::Smallest),
        sorted("list, by name", Sort::Name),
        ("list, failed, by name", of(ImageStatus::Failed), Sort::Name, None),
        ("list, camera of few, by size", camera("leica"), Sort::Largest, None),
    ]
}

/// Also tells what the slowest call of a hundred takes, which a mean hides.
fn measure<F: Future<Output = ()>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    runtime: &Runtime,
    call: impl Fn() -> F,
) {
    let mut times = Vec::new();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|calls| {
            let spent = (0..calls).map(|_| {
                let begun = Instant::now();
                runtime.block_on(call());
                begun.elapsed()
            });
            let spent: Vec<_> = spent.collect();
            times.extend_from_slice(&spent);
            spent.iter().sum()
        });
    });
    times.sort();
    let at = |percent| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("{name}: p50 {:?}, p99 {:?} of {} calls", at(50), at(99), times.len());
}

/// How long the work takes when all workers do it at the same time.
async fn at_once<F: Future<Output = ()> + Send + 'static>(work: impl Fn() -> F) -> Duration {
    let begun = Instant::now();
    let working: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(work())).collect();
    for worker in working {
        worker.await.expect("no worker panics");
    }
    begun.elapsed()
}

async fn upload(store: Store, times: u64) {
    for _ in 0..times {
        let image = NewImage {
            original_name: OriginalName::clean("IMG_0815.JPG").expect("a name"),
            format: ImageFormat::Jpeg,
            sha256: Sha256::new(rand::random()),
            size_bytes: 3_000_000,
            key: FileKey::original(rand::random(), ImageFormat::Jpeg),
            idempotency_key: None,
            callback_url: None,
        };
        let _ = store.record_upload(&image).await.expect("an answer");
    }
}

async fn finish(store: &Store, job: JobId) {
    let claim = store.claim(job, rand::random(), LEASE).await.expect("an answer").expect("it waits");
    let Claim { lease, work: Work::Image { original, .. }, .. } = claim else {
        panic!("an image job was claimed")
    };
    let made = |size, width, height| {
        let key = original.thumbnail(lease.job, lease.attempt, size, ThumbnailFormat::Jpeg);
        MadeThumbnail { size, key, format: ThumbnailFormat::Jpeg, width, height, size_bytes: 20_000 }
    };
    let thumbnails = [made(ThumbnailSize::Small, 128, 96), made(ThumbnailSize::Medium, 512, 384)];
    let exif = (1..=40).map(|field| (format!("Field{field}"), format!("value {}", field * 997))).collect();
    let metadata = Metadata {
        width: 4000,
        height: 3000,
        format: ImageFormat::Jpeg,
        taken_at: None,
        orientation: Orientation::UPRIGHT,
        camera: Some("Canon EOS 80D".to_owned()),
        description: None,
        has_gps: false,
        exif,
        warnings: Vec::new(),
    };
    let run = |stage| StageRun { stage, run: Duration::from_millis(20), failure: None };
    let perceptual_hash = Some(PerceptualHash::new(rand::random()));
    let made =
        MadeImage { metadata, thumbnails, perceptual_hash, findings: Vec::new(), wants_caption: false };
    let history = vec![run(Stage::Metadata), run(Stage::Thumbnails)].into();
    let ended = store.end_job(lease, &Ending::Image(Box::new(made)), &history).await.expect("an answer");
    assert!(matches!(ended, Finish::Recorded { .. }), "the lease was lost");
}
