//! Starts the server on a cluster and waits until it takes connections.

use super::binaries::Binaries;
use super::child::{self, Running};
use super::error::{EmbeddedError, io_error};
use super::log::ServerLog;
use super::place::Place;
use rustix::process::{Pid, Signal};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A server that lost its darkroom is given this long to go.
const PREDECESSOR_LIMIT: Duration = Duration::from_secs(10);
/// Recovery after a crash replays the log: at worst a gigabyte from a slow disk.
const READY_LIMIT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(10);
const RETRY: Duration = Duration::from_millis(200);

/// What differs from PostgreSQL's defaults: small, quiet, no TCP. `fsync` is what makes "accepted" true.
const OPTIONS: [&str; 9] = [
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "fsync=on",
    "max_connections=60",
    "shared_buffers=64MB",
    "jit=off",
    "log_checkpoints=off",
    "cluster_name=darkroom",
];

/// Starts the server. The calling thread must live as long as the server shall.
///
/// # Errors
/// [`EmbeddedError::OldServer`] if another server stays on the data, [`EmbeddedError::NotStarted`] with the
/// end of its log.
pub(super) fn start(
    place: &Place,
    binaries: &Binaries,
    socket_dir: &Path,
    log: &ServerLog,
) -> Result<Running, EmbeddedError> {
    let data = place.data();
    let deadline = Instant::now() + PREDECESSOR_LIMIT;
    loop {
        await_predecessor(&data, deadline)?;
        // If it was killed it leaves this file, and perhaps children that PostgreSQL waits for by refusing to
        // start.
        let uncleanly = data.join(PidFile::NAME).exists();
        let mut command = server_command(place, binaries, socket_dir);
        command.stdout(log.writer()?).stderr(log.writer()?);
        let server = Running::spawn(&mut command, &place.account)?;
        match await_ready(&server, &data) {
            Ok(()) => return Ok(server),
            Err(Unready::Ended(_)) if uncleanly && Instant::now() < deadline => sleep(RETRY),
            Err(Unready::Ended(how)) => return Err(EmbeddedError::NotStarted { how, log: log.tail() }),
            Err(Unready::Late) => {
                server.signal(Signal::QUIT);
                // Its end cannot be told better than by its log.
                let _ = server.wait();
                let how = format!("not ready after {} seconds", READY_LIMIT.as_secs());
                return Err(EmbeddedError::NotStarted { how, log: log.tail() });
            }
        }
    }
}

fn server_command(place: &Place, binaries: &Binaries, socket_dir: &Path) -> Command {
    let mut command = child::command(&binaries.program("postgres"), &place.account);
    command.arg("-D").arg(place.data());
    for option in OPTIONS {
        command.args(["-c", option]);
    }
    command.arg("-c").arg(socket_option(socket_dir));
    command
}

/// The value is a list with commas, in which quotes protect and are doubled.
fn socket_option(socket_dir: &Path) -> OsString {
    let mut option = b"unix_socket_directories=\"".to_vec();
    for byte in socket_dir.as_os_str().as_bytes() {
        if *byte == b'"' {
            option.push(b'"');
        }
        option.push(*byte);
    }
    option.push(b'"');
    OsString::from_vec(option)
}

/// The folder of the socket, if a server that takes connections runs on `data`.
pub(super) fn socket_dir_of_running(data: &Path) -> Option<PathBuf> {
    let file = PidFile::read(data).filter(|file| file.ready)?;
    matches!(occupant(file.pid), Occupant::Postgres).then_some(file.socket_dir)
}

enum Unready {
    Ended(String),
    Late,
}

fn await_ready(server: &Running, data: &Path) -> Result<(), Unready> {
    let deadline = Instant::now() + READY_LIMIT;
    while Instant::now() < deadline {
        match server.ended() {
            Ok(None) => {}
            Ok(Some(status)) => return Err(Unready::Ended(status.to_string())),
            Err(error) => return Err(Unready::Ended(error.to_string())),
        }
        if PidFile::read(data).is_some_and(|file| file.pid == server.pid() && file.ready) {
            return Ok(());
        }
        sleep(POLL);
    }
    Err(Unready::Late)
}

/// Waits until no server runs on the data. We hold the folder's lock, so one that does has lost its darkroom.
fn await_predecessor(data: &Path, deadline: Instant) -> Result<(), EmbeddedError> {
    while let Some(PidFile { pid, .. }) = PidFile::read(data) {
        match occupant(pid) {
            Occupant::Nobody => return Ok(()),
            Occupant::Stranger => return PidFile::remove(data),
            Occupant::Postgres if Instant::now() < deadline => sleep(POLL),
            Occupant::Postgres => return Err(EmbeddedError::OldServer { data: data.to_path_buf(), pid }),
        }
    }
    Ok(())
}

/// Who has a process number now.
enum Occupant {
    Nobody,
    /// The number was given anew, as happens in a container, where numbers begin again with each start.
    /// PostgreSQL only asks whether the number is alive, and would refuse to start for ever.
    Stranger,
    /// PostgreSQL, or nobody knows (a system without /proc).
    Postgres,
}

fn occupant(pid: i32) -> Occupant {
    let alive = match Pid::from_raw(pid).map(rustix::process::test_kill_process) {
        None | Some(Err(rustix::io::Errno::SRCH)) => false,
        Some(Ok(()) | Err(_)) => true,
    };
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        _ if !alive => Occupant::Nobody,
        Ok(name) if !matches!(name.trim_end(), "postgres" | "postmaster") => Occupant::Stranger,
        _ => Occupant::Postgres,
    }
}

/// `postmaster.pid`: line 1 is the server's process number, line 5 the folder of its socket, line 8 its state (PostgreSQL's
/// `miscadmin.h`).
struct PidFile {
    pid: i32,
    socket_dir: PathBuf,
    ready: bool,
}

impl PidFile {
    const NAME: &str = "postmaster.pid";

    /// `None` if there is none, or it is not written yet.
    fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join(Self::NAME)).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let pid = text.lines().next()?.trim().parse().ok()?;
        let ready = text.lines().nth(7).is_some_and(|state| state.trim() == "ready");
        let socket_dir = text.lines().nth(4).unwrap_or_default().into();
        Some(Self { pid, socket_dir, ready })
    }

    fn remove(data: &Path) -> Result<(), EmbeddedError> {
        let path: PathBuf = data.join(Self::NAME);
        tracing::info!("{} names a process that is no PostgreSQL: removed", path.display());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_is_read() {
        let starting = "4711\n/data\n1790000000\n5432\n/socket\n\n  12345  0\nstarting\n";
        let ready = starting.replace("starting", "ready   ");
        assert!(PidFile::parse(starting).is_some_and(|file| file.pid == 4711 && !file.ready));
        assert!(PidFile::parse(starting).is_some_and(|file| file.socket_dir == Path::new("/socket")));
        assert!(PidFile::parse(&ready).is_some_and(|file| file.ready));
        assert!(PidFile::parse("4711\n").is_some_and(|file| !file.ready));
        assert!(PidFile::parse("").is_none());
    }

    #[test]
    fn the_socket_folder_is_quoted() {
        let option = socket_option(Path::new("/a, \"b\""));
        assert_eq!(option, "unix_socket_directories=\"/a, \"\"b\"\"\"");
    }

    #[test]
    fn a_number_is_nobodys_a_strangers_or_postgres() {
        let own = Pid::as_raw(Some(rustix::process::getpid()));
        assert!(!matches!(occupant(own), Occupant::Nobody));
        assert!(!cfg!(target_os = "linux") || matches!(occupant(own), Occupant::Stranger));
        assert!(matches!(occupant(i32::MAX), Occupant::Nobody));
    }
}
