//! What can go wrong with the private server, in words for the person who started it.

use super::log::LogTail;
use std::io;
use std::path::{Path, PathBuf};

/// Why the private PostgreSQL is not there, or no longer there.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No PostgreSQL is installed.
    #[error(
        "found no PostgreSQL programs ({looked_in}): install them with `apt-get install -y postgresql`, \
         or name a server of your own in the setting `database.url`"
    )]
    NoBinaries {
        /// The places that were searched.
        looked_in: String,
    },
    /// A live process holds the folder.
    #[error("{} is in use by another darkroom, process {owner}", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The other's process number, as the other counts it.
        owner: String,
    },
    /// A server that is nobody's child still runs on the data.
    #[error(
        "a PostgreSQL server that this darkroom did not start, process {pid}, does not leave {}",
        data.display()
    )]
    OldServer {
        /// The data.
        data: PathBuf,
        /// The server.
        pid: i32,
    },
    /// PostgreSQL reads only data of its own major version.
    #[error(
        "the data in {} belongs to PostgreSQL {found}, but the programs in {} are version {major}: install \
         PostgreSQL {found} beside it, or carry the data over with pg_dump",
        data.display(), binaries.display()
    )]
    OtherMajor {
        /// The data.
        data: PathBuf,
        /// What PG_VERSION says.
        found: u32,
        /// The folder of the programs.
        binaries: PathBuf,
        /// What the programs say.
        major: u32,
    },
    /// A version that cannot be read.
    #[error("{} tells no PostgreSQL version: {text:?}", of.display())]
    UnknownVersion {
        /// A program, or a PG_VERSION file.
        of: PathBuf,
        /// What it says instead.
        text: String,
    },
    /// PostgreSQL refuses to be run by root, and there is nobody else.
    #[error("root may not run PostgreSQL, and /etc/passwd names neither `postgres` nor `nobody` to do it")]
    NoAccount,
    /// The data is there, but out of reach of the user who has to serve it.
    #[error(
        "{user} cannot enter {}: let others walk that path, or choose another `embedded.dir`",
        dir.display()
    )]
    Unreachable {
        /// The folder.
        dir: PathBuf,
        /// The user.
        user: String,
    },
    /// The folder for the socket is there, and not private.
    #[error("{} is not a private folder of {user}: remove it", dir.display())]
    SocketFolder {
        /// The folder.
        dir: PathBuf,
        /// Who should own it.
        user: String,
    },
    /// A program could not be run at all.
    #[error("cannot run {} as {user}", program.display())]
    NotRun {
        /// The program.
        program: PathBuf,
        /// As whom.
        user: String,
        /// Why.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("{} failed, {how}: {output}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// Its exit status.
        how: String,
        /// What it wrote.
        output: String,
    },
    /// The server did not come up.
    #[error("PostgreSQL did not start, {how}; {log}")]
    NotStarted {
        /// Its exit status, or how long it was waited for.
        how: String,
        /// What it wrote.
        log: LogTail,
    },
    /// The server was up and went away unasked.
    #[error("PostgreSQL ended unexpectedly, {how}; {log}")]
    Died {
        /// Its exit status.
        how: String,
        /// What it wrote.
        log: LogTail,
    },
    /// A file or folder could not be handled.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// The attempt.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The thread that keeps the server could not be had.
    #[error("cannot start the thread that keeps PostgreSQL")]
    Thread(#[source] io::Error),
    /// That thread ended without a word.
    #[error("the thread that keeps PostgreSQL ended before it had an answer")]
    ThreadLost,
}

/// For `map_err`: what was attempted, and on which file or folder.
pub(super) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    move |source| EmbeddedError::Io { doing, path: path.to_path_buf(), source }
}
