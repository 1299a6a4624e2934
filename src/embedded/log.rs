//! The server's own log: a file that grows over restarts up to a limit, and its last lines for an error.

use super::error::{EmbeddedError, io_error};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes after which a start begins a new file; the old one is kept beside it, once.
const ROTATE_AT: u64 = 1 << 20;
/// What an error quotes at the most.
const TAIL_BYTES: u64 = 8 << 10;
const TAIL_LINES: usize = 12;

/// The log file, and where this start begins in it.
#[derive(Debug, Clone)]
pub(super) struct ServerLog {
    path: PathBuf,
    from: u64,
}

impl ServerLog {
    /// Begins a new file if the old one has become large.
    pub(super) fn open(path: PathBuf) -> Result<Self, EmbeddedError> {
        let mut from = fs::metadata(&path).map_or(0, |found| found.len());
        if from > ROTATE_AT {
            fs::rename(&path, path.with_extension("log.old")).map_err(io_error("rename", &path))?;
            from = 0;
        }
        Ok(Self { path, from })
    }

    /// A handle that appends, to be the server's standard output and error.
    pub(super) fn writer(&self) -> Result<File, EmbeddedError> {
        let options = OpenOptions::new().append(true).create(true).mode(0o600).to_owned();
        options.open(&self.path).map_err(io_error("open", &self.path))
    }

    /// The last lines since this start. A log that cannot be read says so in their place.
    pub(super) fn tail(&self) -> LogTail {
        let lines =
            last_lines(&self.path, self.from).unwrap_or_else(|error| format!("(unreadable: {error})"));
        LogTail { path: self.path.clone(), lines }
    }
}

fn last_lines(path: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let begin = file.metadata()?.len().saturating_sub(TAIL_BYTES).max(from);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let rest = lines.len().saturating_sub(TAIL_LINES);
    Ok(lines.into_iter().skip(rest).collect::<Vec<_>>().join("\n"))
}

/// The last lines of the server's log, with the name of the file.
#[derive(Debug)]
pub struct LogTail {
    path: PathBuf,
    lines: String,
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines.is_empty() {
            return write!(f, "{} says nothing about it", self.path.display());
        }
        write!(f, "the end of {}:\n{}", self.path.display(), self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_tail_is_of_this_start_and_short() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.log");
        fs::write(&path, "an older start\n").unwrap();
        let log = ServerLog::open(path).unwrap();
        assert!(log.tail().to_string().ends_with("says nothing about it"));

        let mut writer = log.writer().unwrap();
        for n in 0..1000 {
            writeln!(writer, "line {n}").unwrap();
        }
        let tail = log.tail().to_string();
        assert!(tail.contains("server.log:\nline 988\n") && tail.ends_with("line 999"), "{tail}");
    }

    #[test]
    fn a_large_file_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.log");
        fs::write(&path, vec![b'x'; 1 + usize::try_from(ROTATE_AT).unwrap()]).unwrap();
        let log = ServerLog::open(path.clone()).unwrap();
        log.writer().unwrap().write_all(b"new\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new\n");
        assert!(dir.path().join("server.log.old").exists());
    }
}
