//! A PostgreSQL that may be stopped, killed and restarted.

use super::keeper::{Keeper, command};
use super::{Scratch, free_port, wait_until};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

pub struct Postgres {
    keeper: Arc<Keeper>,
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    server: Mutex<Child>,
}

/// How a server is told to end (PostgreSQL manual, "Shutting Down the Server").
#[derive(Debug, Clone, Copy)]
pub enum Shutdown {
    /// Connections are cut, transactions rolled back.
    Fast,
    /// At once, with recovery at the next start.
    Immediate,
    /// By `kill -9` of the postmaster.
    Killed,
}

impl Postgres {
    pub fn start(keeper: Arc<Keeper>, scratch: &Scratch) -> Self {
        let (programs, folder, port) = (programs(), scratch.folder("postgres"), free_port());
        let initialised = command(&folder, "postgres", "INT")
            .arg(programs.join("initdb"))
            .args(["-D", "data", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg("--no-sync")
            .stdin(Stdio::null())
            .output()
            .expect("initdb");
        assert!(initialised.status.success(), "{}", String::from_utf8_lossy(&initialised.stderr));
        let server = Mutex::new(spawn(&keeper, &programs, &folder, port));
        let postgres = Self { keeper, programs, folder, port, server };
        postgres.wait();
        postgres
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub fn stop(&self, how: Shutdown) {
        let mut server = self.server.lock().unwrap();
        let signal = match how {
            Shutdown::Fast => "-INT",
            Shutdown::Immediate => "-QUIT",
            Shutdown::Killed => "-KILL",
        };
        Command::new("kill").args([signal, &server.id().to_string()]).status().unwrap();
        server.wait().unwrap();
    }

    /// After a [`Postgres::stop`]. Right after a kill its children may still hold on to the data folder.
    pub fn start_again(&self) {
        wait_until("PostgreSQL is back", || {
            let mut server = self.server.lock().unwrap();
            if server.try_wait().unwrap().is_some() {
                *server = spawn(&self.keeper, &self.programs, &self.folder, self.port);
            }
            drop(server);
            self.answers()
        });
    }

    fn wait(&self) {
        wait_until("PostgreSQL answers", || self.answers());
    }

    pub fn answers(&self) -> bool {
        let mut asked = Command::new(self.programs.join("pg_isready"));
        asked.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        asked.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop(Shutdown::Immediate);
    }
}

/// What the tests leave behind does not outlive them, so nothing waits for the disk.
fn spawn(keeper: &Keeper, programs: &std::path::Path, folder: &std::path::Path, port: u16) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.with_extension("log")).unwrap();
    let mut server = command(folder, "postgres", "INT");
    server.arg(programs.join("postgres")).args(["-D", "data", "-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=200", "log_statement=none"] {
        server.args(["-c", setting]);
    }
    server.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
    server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    keeper.spawn(server)
}

/// The folder of the programs: `PG_BINDIR`, or the newest that is installed.
fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("PG_BINDIR") {
        return folder.into();
    }
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed
        .map(|version| version.path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    newest.expect("PostgreSQL's programs (apt-get install postgresql), or PG_BINDIR").join("bin")
}
