//! The private PostgreSQL of `darkroom --standalone`: the installed programs, run on a unix socket, gone when
//! we are.
//!
//! A thread of its own makes, starts and keeps the server, since the kernel ends the server with the thread
//! that started it (see `child.rs`). It holds the lock on the folder until the server is gone. [`Embedded`]
//! is the handle to both.
//!
//! | found at start | then |
//! |---|---|
//! | a live darkroom has the folder | [`EmbeddedError::InUse`] |
//! | a server whose darkroom was killed is going down | waits for it, 10 s at the most |
//! | the server was killed too | PostgreSQL recovers from its log |
//! | a half-made cluster | it is made again |

mod account;
mod binaries;
mod child;
mod cluster;
mod error;
mod log;
mod place;
mod server;
#[cfg(test)]
mod tests;

pub use error::EmbeddedError;
pub use log::LogTail;

use binaries::Surroundings;
use child::Running;
use log::ServerLog;
use place::Place;
use rustix::process::Signal;
use std::fmt::Write;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// How the server is asked to go, in growing earnest, and how long each is given: after a checkpoint; at once
/// (it kills what remains of its children after 5 s); not asked. None of them loses what was committed.
const STOPS: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(10)),
    (Signal::QUIT, Duration::from_secs(7)),
    (Signal::KILL, Duration::from_secs(3)),
];

/// A running private PostgreSQL. Dropping it without [`stop`](Self::stop) ends the server too, but waits for
/// nothing.
#[derive(Debug)]
#[must_use = "the server ends when this is dropped"]
pub struct Embedded {
    server: Arc<Running>,
    socket_dir: PathBuf,
    log: ServerLog,
    /// How the server ended, once it has.
    ended: watch::Receiver<Option<String>>,
}

impl Embedded {
    /// Starts the server whose data is in `dir`; on the first start, makes `dir`, a cluster and an empty
    /// database `darkroom`. Run by root, the server runs as the user `postgres` or `nobody`, and if that user
    /// cannot walk to `dir`, the data is kept below `/var/lib/darkroom`; the log says so.
    ///
    /// # Errors
    /// No programs, a folder in use, data of another version, or whatever PostgreSQL says: see
    /// [`EmbeddedError`].
    pub async fn start(dir: &Path) -> Result<Self, EmbeddedError> {
        let (answer, answered) = oneshot::channel();
        let dir = dir.to_path_buf();
        let thread = std::thread::Builder::new().name("embedded-db".to_owned());
        thread.spawn(move || keep(&dir, answer)).map_err(EmbeddedError::Thread)?;
        answered.await.map_err(|_| EmbeddedError::ThreadLost)?
    }

    /// Where to connect, in the form that tokio-postgres and libpq read. It holds no secret: only the
    /// socket's folder guards the server.
    #[must_use]
    pub fn database_url(&self) -> String {
        database_url(&self.socket_dir)
    }

    /// Waits until the server ends by itself, and gives the reason as the error to end with. May be awaited
    /// again.
    pub async fn exited(&mut self) -> EmbeddedError {
        let how = match self.ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or_default(),
            Err(_) => return EmbeddedError::ThreadLost,
        };
        EmbeddedError::Died { how, log: self.log.tail() }
    }

    /// Ends the server and waits until it is gone: normally within 0.1 s, in no case longer than 20 s.
    pub async fn stop(mut self) {
        for (signal, patience) in STOPS {
            self.server.signal(signal);
            if timeout(patience, self.ended.wait_for(Option::is_some)).await.is_ok() {
                return;
            }
            tracing::warn!("PostgreSQL has not ended {} s after {signal:?}", patience.as_secs());
        }
    }
}

impl Drop for Embedded {
    /// SIGQUIT: an immediate shutdown that hangs on nothing. To a server that has ended, nothing is sent.
    fn drop(&mut self) {
        self.server.signal(Signal::QUIT);
    }
}

/// Where to connect to the server that another process keeps on `dir` at this moment, if there is one and this user may look
/// into its folder.
#[must_use]
pub fn running(dir: &Path) -> Option<String> {
    let data = place::data_of(dir, Path::new(place::ELSEWHERE));
    data.iter().find_map(|data| server::socket_dir_of_running(data)).map(|dir| database_url(&dir))
}

fn database_url(socket_dir: &Path) -> String {
    format!("postgresql://{}@{}/{}", cluster::USER, percent_encoded(socket_dir), cluster::DATABASE)
}

/// The life of the thread that keeps the server.
fn keep(dir: &Path, answer: oneshot::Sender<Result<Embedded, EmbeddedError>>) {
    let begun = Instant::now();
    let Kept { lock, server, socket_dir, log } = match bring_up(dir) {
        Ok(kept) => kept,
        Err(error) => return drop(answer.send(Err(error))),
    };
    let server = Arc::new(server);
    tracing::info!("PostgreSQL is ready after {} ms, process {}", begun.elapsed().as_millis(), server.pid());
    let (end, ended) = watch::channel(None);
    let embedded = Embedded { server: Arc::clone(&server), socket_dir: socket_dir.clone(), log, ended };
    // If nobody waits for the answer any more, it is dropped here, and the server with it.
    drop(answer.send(Ok(embedded)));

    let how = server.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    remove_socket_dir(&socket_dir);
    // Before the end is told, so that whoever waited for it can start again at once.
    drop(lock);
    end.send_replace(Some(how));
}

/// What the thread holds while the server runs.
struct Kept {
    lock: File,
    server: Running,
    socket_dir: PathBuf,
    log: ServerLog,
}

fn bring_up(dir: &Path) -> Result<Kept, EmbeddedError> {
    let place = Place::settle(dir, Path::new(place::ELSEWHERE))?;
    let lock = place.lock()?;
    let binaries = cluster::prepare(&place, &Surroundings::of_this_process())?;
    let log = ServerLog::open(place.log())?;
    let socket_dir = place.make_socket_dir()?;
    tracing::info!("starting PostgreSQL on {}; its log is {}", place.data().display(), place.log().display());
    let server = server::start(&place, &binaries, &socket_dir, &log)
        .inspect_err(|_| remove_socket_dir(&socket_dir))?;
    Ok(Kept { lock, server, socket_dir, log })
}

/// A folder that is not empty, as after SIGKILL, stays and is used again.
fn remove_socket_dir(dir: &Path) {
    let _ = std::fs::remove_dir(dir);
}

/// All but the unreserved characters of RFC 3986, section 2.3.
fn percent_encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
