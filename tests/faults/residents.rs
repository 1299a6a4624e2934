//! The processes of a site, and what they take: descriptors and memory (invariant I9).

use crate::support::process::Process;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// What a process takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Footprint {
    pub descriptors: usize,
    /// Resident memory in kilobytes.
    pub resident: u64,
    pub threads: u64,
}

/// How much more than when it was warm a process may take once everything is quiet again: buffers grow with the largest
/// thing they have held, and the threads that wait for the disk are kept for as long as the sweep, which goes round all the
/// time here, has something for them.
const MORE: Footprint = Footprint { descriptors: 16, resident: 64 * 1024, threads: 64 };

#[derive(Default)]
pub struct Residents {
    all: BTreeMap<String, Process>,
    /// By role: the first word of the name.
    warm: BTreeMap<String, Footprint>,
    /// The logs of those that are gone.
    past: String,
}

impl Residents {
    pub fn move_in(&mut self, name: String, process: Process) {
        if let Some(before) = self.all.insert(name.clone(), process) {
            self.bury(&name, &before);
        }
    }

    /// Names of those whose name begins so.
    pub fn names(&self, role: &str) -> Vec<String> {
        self.all.keys().filter(|name| name.starts_with(role)).cloned().collect()
    }

    pub fn get(&self, name: &str) -> &Process {
        self.all.get(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    pub fn signal(&self, name: &str, signal: &str) {
        self.get(name).signal(signal);
    }

    /// Ends it by `kill -9`.
    pub fn kill(&mut self, name: &str) {
        let process = self.all.remove(name).unwrap_or_else(|| panic!("there is no {name}"));
        process.signal("-KILL");
        self.bury(name, &process);
    }

    /// Ends it by SIGTERM; whether it ended well.
    pub async fn stop(&mut self, name: &str) -> bool {
        let mut process = self.all.remove(name).unwrap_or_else(|| panic!("there is no {name}"));
        process.signal("-TERM");
        let ended = process.ended().await.success();
        self.bury(name, &process);
        ended
    }

    pub fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// Those that ended by themselves are removed; their names.
    pub fn dead(&mut self) -> Vec<String> {
        let dead: Vec<_> = self
            .all
            .iter_mut()
            .filter_map(|(name, process)| process.has_ended().then(|| name.clone()))
            .collect();
        for name in &dead {
            if let Some(process) = self.all.remove(name) {
                self.bury(name, &process);
            }
        }
        dead
    }

    fn bury(&mut self, name: &str, process: &Process) {
        writeln!(self.past, "--- {name}\n{}", process.log()).unwrap();
    }

    /// All logs, of the living and of the dead.
    pub fn logs(&self) -> String {
        let mut logs = self.past.clone();
        for (name, process) in &self.all {
            writeln!(logs, "--- {name}\n{}", process.log()).unwrap();
        }
        logs
    }

    /// The end of each log.
    pub fn last_words(&self) -> String {
        let mut words = String::new();
        for (name, process) in &self.all {
            let log = process.log();
            let lines: Vec<_> = log.lines().rev().take(15).collect();
            writeln!(words, "--- {name}").unwrap();
            lines.iter().rev().for_each(|line| writeln!(words, "{line}").unwrap());
        }
        words
    }

    /// Remembers what a warm process of each role takes.
    pub async fn remember(&mut self) {
        for (name, process) in &self.all {
            self.warm.insert(role(name), footprint(process.id()));
        }
    }

    /// Waits until every process takes about what it took when it was warm.
    pub async fn settle(&self) {
        let begun = Instant::now();
        loop {
            let swollen = self.all.iter().filter_map(|(name, process)| {
                let (now, warm) = (footprint(process.id()), self.warm.get(&role(name)).copied()?);
                let fits = now.descriptors <= warm.descriptors + MORE.descriptors
                    && now.resident <= warm.resident + MORE.resident
                    && now.threads <= warm.threads + MORE.threads;
                (!fits).then(|| format!("{name}: {now:?}, warm {warm:?}"))
            });
            let swollen: Vec<_> = swollen.collect();
            if swollen.is_empty() {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(45), "I9: {swollen:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn role(name: &str) -> String {
    name.split(' ').next().unwrap_or_default().to_owned()
}

/// What a process takes, by /proc (proc(5)).
pub fn footprint(pid: u32) -> Footprint {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    Footprint { descriptors, resident: field("VmRSS:"), threads: field("Threads:") }
}
