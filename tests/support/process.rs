//! The real binary, as a process that can be killed.

use crate::support::client::Client;
use crate::support::ground::{Ground, eventually};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_darkroom");

/// A running `darkroom`; killed with its owner.
pub struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Process {
    pub fn start(ground: &Ground, arguments: &[&str], own: &[(&str, &str)]) -> Self {
        Self::spawn(command(arguments).envs(ground.environment(own)))
    }

    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()), log.clone());
        let reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, log, reader }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A client, once the process says where it listens.
    pub async fn client(&self) -> Client {
        let address = eventually("the process listens", || async {
            let log = self.log();
            let rest = log.split("listening on http://").nth(1)?;
            let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
            rest[..end].parse::<SocketAddr>().ok()
        });
        Client::new(Some(address.await))
    }

    /// A figure of /proc/PID/status, in KiB, such as `VmHWM`.
    pub fn kibibytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Processor time so far, in hundredths of a second.
    pub fn processor_time(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let after_name: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        after_name[11].parse::<u64>().unwrap() + after_name[12].parse::<u64>().unwrap()
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub async fn ended(&mut self) -> ExitStatus {
        let child = Mutex::new(&mut self.child);
        let status =
            eventually("the process ends", || async { child.lock().unwrap().try_wait().unwrap() }).await;
        // Its last words may still be in the pipe.
        eventually("the log is read", || async { self.reader.is_finished().then_some(()) }).await;
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("log of the process:\n{}", self.log());
        }
    }
}

/// Runs the binary to its end on this ground: whether it succeeded, and what it printed to standard output and to standard
/// error.
pub async fn output(ground: &Ground, arguments: &[&str], own: &[(&str, &str)]) -> (bool, String, String) {
    let mut command = command(arguments);
    command.envs(ground.environment(own));
    // Elsewhere, so that whatever the test runs goes on.
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// The binary, in an environment without settings of ours.
pub fn command(arguments: &[&str]) -> Command {
    command_of(Path::new(PROGRAM), arguments)
}

/// Another build of the program, likewise.
pub fn command_of(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, _) in std::env::vars() {
        if ["DARKROOM_", "AWS_", "HF_API_KEY"].iter().any(|start| name.starts_with(start)) {
            command.env_remove(name);
        }
    }
    command
}
