//! A crowd of clients for a server that runs already: how it bears many at once.
//!
//!     cargo bench --bench crowd -- uploads ADDRESS PID COUNT    COUNT uploads of some 20 kB at the same moment
//!     cargo bench --bench crowd -- idle ADDRESS PID COUNT       COUNT idle connections, and how quick others are meanwhile
//!
//! PID is the process whose memory, descriptors and processor time are shown. Both run on one Linux machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "a tool that ends by panicking, and uses a part of what the tests have"
)]

#[path = "../tests/support/pictures.rs"]
mod pictures;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::time::timeout;

/// The longest that one client waits.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [what, address, pid, count] = &arguments[..] else {
        println!("crowd: uploads or idle, an address, a process id and a count are needed");
        return;
    };
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let (pid, count) = (pid.parse().unwrap(), count.parse().unwrap());
    match what.as_str() {
        "uploads" => uploads(address, pid, count).await,
        "idle" => idle(address, pid, count).await,
        other => panic!("{other} is neither uploads nor idle"),
    }
}

async fn uploads(address: &str, pid: u32, count: usize) {
    show("before", pid);
    let start = Arc::new(Barrier::new(count));
    let picture = pictures::jpeg(640, 480);
    println!("{count} uploads of {} bytes", picture.len());
    let clients = (0..count).map(|number| {
        let (start, address) = (start.clone(), address.to_owned());
        let request = upload(&pictures::unlike(picture.clone(), rand_seed() ^ number as u64));
        tokio::spawn(async move {
            let connected = timeout(PATIENCE, TcpStream::connect(&address)).await;
            start.wait().await;
            let begun = Instant::now();
            let answered = match connected {
                Ok(Ok(mut stream)) => timeout(PATIENCE, ask(&mut stream, &request))
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            (answered.map_err(|error| error.kind()), begun.elapsed())
        })
    });
    let clients: Vec<_> = clients.collect();
    let watched = tokio::spawn(async move {
        let mut most = 0;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            most = most.max(descriptors(pid));
        }
        show("during", pid);
        println!("{most} descriptors at the most, in the first second");
    });
    let (mut counts, mut times) =
        (BTreeMap::<String, usize>::new(), BTreeMap::<String, Vec<Duration>>::new());
    for client in clients {
        let (answered, took) = client.await.unwrap();
        let name = answered.map_or_else(|kind| kind.to_string(), |status| status.to_string());
        *counts.entry(name.clone()).or_default() += 1;
        times.entry(name).or_default().push(took);
    }
    watched.await.unwrap();
    for (name, times) in times {
        println!("{name}: {} times, {}", counts[&name], percentiles(times));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    show("after", pid);
}

async fn idle(address: &str, pid: u32, count: usize) {
    show("before", pid);
    let begun = Instant::now();
    let (mut crowd, mut refused) = (Vec::new(), 0);
    for _ in 0..count {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            refused += 1;
            continue;
        };
        match timeout(Duration::from_secs(5), ask(&mut stream, &get("/livez"))).await {
            Ok(Ok(200)) => crowd.push(stream),
            _ => refused += 1,
        }
    }
    println!("{} connections are idle after {:?}, {refused} came to nothing", crowd.len(), begun.elapsed());
    show("during", pid);
    for path in ["/livez", "/api/images", "/api/stats"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (mut times, mut fresh, mut failed) = (Vec::new(), Vec::new(), 0);
        for _ in 0..500 {
            let begun = Instant::now();
            match timeout(PATIENCE, ask(&mut stream, &get(path))).await {
                Ok(Ok(200)) => times.push(begun.elapsed()),
                _ => {
                    failed += 1;
                    stream = TcpStream::connect(address).await.unwrap();
                }
            }
            let begun = Instant::now();
            let mut newcomer = TcpStream::connect(address).await.unwrap();
            match timeout(PATIENCE, ask(&mut newcomer, &get(path))).await {
                Ok(Ok(200)) => fresh.push(begun.elapsed()),
                _ => failed += 1,
            }
        }
        println!(
            "{path}: kept open {}; connected anew {}; {failed} failed",
            percentiles(times),
            percentiles(fresh)
        );
    }
    let mut open = 0;
    for stream in &crowd {
        open += usize::from(
            matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock),
        );
    }
    println!("{open} of the idle connections are still open");
    show("still idle", pid);
    let (spent, begun) = (processor_time(pid), Instant::now());
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!(
        "processor time while nothing happens: {:?} in {:?}",
        processor_time(pid) - spent,
        begun.elapsed()
    );
    drop(crowd);
    tokio::time::sleep(Duration::from_secs(2)).await;
    show("after", pid);
}

/// Sends, and reads one answer to its end; gives the status.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> io::Result<u16> {
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        let complete = length.map_or(body.ends_with("0\r\n\r\n"), |length: usize| body.len() >= length);
        if complete {
            return Ok(head.split(' ').nth(1).unwrap().parse().unwrap());
        }
    }
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

fn upload(picture: &[u8]) -> Vec<u8> {
    let part = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"crowd.jpg\"\r\n\r\n";
    let form = [&part[..], picture, b"\r\n--b--\r\n"].concat();
    let head = format!(
        "POST /api/images HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n\r\n",
        form.len()
    );
    [head.as_bytes(), &form].concat()
}

/// Another run sends other pictures.
fn rand_seed() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() << 20
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| {
        times.get(((times.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or_default()
    };
    format!("p50 {:.1?}, p99 {:.1?}, longest {:.1?}", at(0.5), at(0.99), at(1.0))
}

fn show(when: &str, pid: u32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let figure = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() as f64 / 1024.0
    };
    let descriptors = descriptors(pid);
    println!(
        "{when}: {:.1} MiB, {:.1} MiB at the peak, {descriptors} descriptors, {:?} of processor time",
        figure("VmRSS"),
        figure("VmHWM"),
        processor_time(pid)
    );
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let hundredths = |at: usize| fields[at].parse::<u64>().unwrap();
    Duration::from_millis(10 * (hundredths(11) + hundredths(12)))
}
