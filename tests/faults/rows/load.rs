//! More than it can do at once: every answer is documented, memory and descriptors stay bounded, the backlog drains.

use crate::ledger::Fate;
use crate::residents::footprint;
use crate::site::{PATIENCE, Site};
use crate::support::pictures;
use crate::support::raw::request;
use crate::trial::{Arena, rows};
use futures_util::future::join_all;
use std::time::{Duration, Instant};

rows! { "load":
    // A crowd takes the whole machine: for everybody else the servers are as good as broken, and others beside it would make its
    // own callers wait for longer than I8 allows.
    Both { a_thousand_uploads_at_once }
    Nothing {
        thousands_of_idle_connections,
        bombs_and_oversize_at_once,
        uploads_faster_than_the_workers,
    }
}

/// Megabytes of memory that a process may take more than when it was warm, at any moment of a trial. A thousand uploads at once
/// take 112 to 128, the more the busier the machine is: how many are in the midst of sending is up to chance.
const MORE_MEGABYTES: u64 = 160;

/// How long a thousand may take: the last one waits for all others.
const A_CROWD: Duration = PATIENCE.saturating_mul(3);

/// Twice: what a crowd leaves behind in buffers, the next one finds there, and nothing grows.
async fn a_thousand_uploads_at_once(arena: Arena) {
    let mut site = arena.site(&[]).await;
    const FIRST: &str = "1,000 uploads at once";
    for wave in [FIRST, "1,000 more"] {
        let mut watch = Watch::start(&site, "api 0");
        let uploads = (0..1000).map(|_| {
            let (ledger, caller, file) = (&site.ledger, &site.caller, site.file());
            async move { ledger.deliver(caller, &file, Fate::Success, A_CROWD).await }
        });
        let begun = Instant::now();
        let ids = watch.during(join_all(uploads)).await;
        println!("{wave}: the last one was acknowledged after {:?}", begun.elapsed());
        assert!(ids.iter().all(Option::is_some), "each is acknowledged in the end");
        let distinct: std::collections::BTreeSet<_> = ids.iter().flatten().collect();
        assert_eq!(distinct.len(), 1000);
        site.quiet_within(A_CROWD).await;
        watch.report(wave);
        // Once: the second crowd is held against what the first one has left.
        if wave == FIRST {
            site.residents.remember().await;
        }
    }
    site.verify().await;
}

async fn thousands_of_idle_connections(arena: Arena) {
    let site = arena.site(&[]).await;
    let mut watch = Watch::start(&site, "api 0");
    let mut idle = Vec::new();
    for _ in 0..arena.dose(1500, 5000) {
        let mut connection = site.raw().await;
        connection.send(request("GET", "/livez", "")).await;
        idle.push(connection);
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let begun = Instant::now();
        assert_eq!(watch.during(site.caller.get("/api/images")).await.unwrap().status, 200);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "others wait {slowest:?}");
    site.upload(20).await;
    watch.report(&format!("{} idle connections", idle.len()));
    drop(idle);
    site.verify().await;
}

async fn bombs_and_oversize_at_once(arena: Arena) {
    let own = [
        ("DARKROOM_LIMITS__MAX_UPLOAD_BYTES", "1000000"),
        ("DARKROOM_WORKER__MEMORY_BUDGET_BYTES", "100000000"),
    ];
    let site = arena.site(&own).await;
    let (api, worker) = ("api 0", site.residents.names("worker").remove(0));
    let mut watches = [Watch::start(&site, api), Watch::start(&site, &worker)];
    // Interlaced, 11,000 × 9,000: 400 MB if it were decoded.
    let bomb = pictures::interlaced_png(11_000, 9_000);
    let (promise, oversize) = (pictures::png_header(60_000, 60_000), pictures::padded(30_000_000));
    let attacks = (0..20_u64).map(|number| {
        let (site, bomb) = (&site, pictures::unlike(bomb.clone(), number));
        let (promise, oversize) = (&promise, &oversize);
        async move {
            let accepted = site.ledger.deliver(&site.caller, &bomb, Fate::Failed, PATIENCE).await;
            assert!(accepted.is_some(), "a legal picture; the worker refuses it");
            let refused = site.caller.upload(&format!("promise {number}"), promise).await.unwrap();
            assert_eq!(refused.status, 422, "{refused:?}");
            let refused = site.caller.upload(&format!("oversize {number}"), oversize).await;
            assert!(refused.is_none_or(|answer| answer.status == 413));
        }
    });
    let [first, second] = &mut watches;
    first.during(second.during(join_all(attacks))).await;
    second.during(site.quiet()).await;
    site.upload(5).await;
    first.report("bombs, API");
    second.report("bombs, worker");
    site.verify().await;
}

async fn uploads_faster_than_the_workers(arena: Arena) {
    let site =
        arena.site(&[("DARKROOM_WORKER__CONCURRENCY", "1"), ("DARKROOM_CAPTIONER__PROVIDER", "off")]).await;
    let mut watch = Watch::start(&site, "api 0");
    let begun = Instant::now();
    let uploading = async {
        while begun.elapsed() < arena.dose(Duration::from_secs(4), Duration::from_secs(600)) {
            site.upload(40).await;
        }
    };
    let mut reads = Vec::new();
    let reading = async {
        loop {
            for path in ["/api/images?limit=20", "/api/images?status=failed", "/api/stats", "/livez"] {
                let begun = Instant::now();
                assert_eq!(site.caller.get(path).await.expect("an answer").status, 200, "{path}");
                reads.push(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    watch
        .during(async {
            tokio::select! { () = uploading => {}, () = reading => {} }
        })
        .await;
    let backlog = site.ground.database.number("select count(*) from jobs where state = 'queued'").await;
    reads.sort();
    let p99 = reads[reads.len() * 99 / 100];
    let uploaded = site.ledger.acknowledged().len();
    println!("{uploaded} uploads, a backlog of {backlog}, reads p99 {p99:?}");
    assert!(backlog > 100, "they were not faster: {backlog} jobs wait");
    assert!(p99 < Duration::from_secs(2), "reads wait: p99 {p99:?}");
    watch.report("uploads faster than workers");
    let drained = Instant::now();
    site.quiet_within(Duration::from_secs(900)).await;
    println!("drained in {:?}", drained.elapsed());
    site.verify().await;
}

/// Looks at a process again and again.
struct Watch {
    pid: u32,
    warm: u64,
    most: u64,
    descriptors: usize,
}

impl Watch {
    fn start(site: &Site, name: &str) -> Self {
        let pid = site.residents.get(name).id();
        let warm = footprint(pid).resident;
        Self { pid, warm, most: warm, descriptors: 0 }
    }

    async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            let now = footprint(self.pid);
            self.most = self.most.max(now.resident);
            self.descriptors = self.descriptors.max(now.descriptors);
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
    }

    /// Tells, and holds, what it took.
    fn report(&self, what: &str) {
        let Self { warm, most, descriptors, .. } = self;
        println!(
            "{what}: {} MB when warm, {} MB at most, {descriptors} descriptors",
            warm / 1024,
            most / 1024
        );
        assert!(most - warm < MORE_MEGABYTES * 1024, "{what}: {warm} KiB when warm, {most} KiB at most");
    }
}
