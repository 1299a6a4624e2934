//! Where the private server lives.
//!
//! One folder holds a lock, the server's log, `pgdata` and the folder of the socket. It stays with the user
//! who runs darkroom; only `pgdata` and the socket's folder belong to the [`Account`] that runs PostgreSQL,
//! so root never writes below what another owns.

use super::account::Account;
use super::error::{EmbeddedError, io_error};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where root's data goes when the stand-in cannot walk to the folder that was asked for.
pub(super) const ELSEWHERE: &str = "/var/lib/darkroom";
/// Bytes of a socket's path: `sun_path` has 108 on Linux, with a zero at the end (unix(7)).
const SOCKET_PATH_MAX: usize = 107;
/// PostgreSQL's name for the socket of port 5432, which no TCP port stands behind.
const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// A killed darkroom loses its lock when the kernel has taken it apart, which is soon but not at once.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How the names of half-made clusters begin.
const UNFINISHED: &str = "pgdata.unfinished-";
const POLL: Duration = Duration::from_millis(20);

/// The folder, and the user who runs PostgreSQL in it.
#[derive(Debug)]
pub(super) struct Place {
    home: PathBuf,
    pub(super) account: Account,
}

impl Place {
    /// Makes `dir` and decides whether the data can live there; else it lives below `elsewhere`, under the
    /// same path. Data that exists is never left behind silently.
    pub(super) fn settle(dir: &Path, elsewhere: &Path) -> Result<Self, EmbeddedError> {
        let home = make_walkable(dir)?;
        let account = Account::for_data(&data_in(&home))?;
        if account == Account::Own {
            return Ok(Self { home, account });
        }
        let reachable = account.can_enter(&home)?;
        if data_in(&home).exists() {
            return match reachable {
                true => Ok(Self { home, account }),
                false => Err(EmbeddedError::Unreachable { dir: home, user: account.to_string() }),
            };
        }
        let other = elsewhere.join(home.strip_prefix("/").unwrap_or(&home));
        if reachable && !data_in(&other).exists() {
            return Ok(Self { home, account });
        }
        let other = make_walkable(&other)?;
        tracing::warn!(
            "{account} cannot enter {}: the database is kept in {}",
            home.display(),
            other.display()
        );
        let account = Account::for_data(&data_in(&other))?;
        Ok(Self { home: other, account })
    }

    /// The folder of the cluster, `PGDATA`.
    pub(super) fn data(&self) -> PathBuf {
        data_in(&self.home)
    }

    /// Where this process makes a new cluster, so that a half-made one is never taken for a cluster. Each
    /// process has a name of its own, for the initdb of a killed darkroom may still be tidying up under the
    /// other name.
    pub(super) fn unfinished_data(&self) -> PathBuf {
        self.home.join(format!("{UNFINISHED}{}", std::process::id()))
    }

    /// Removes what half-made clusters were left behind. One that is still being tidied up by its initdb may
    /// resist, and is in nobody's way.
    pub(super) fn remove_unfinished(&self) -> Result<(), EmbeddedError> {
        for entry in fs::read_dir(&self.home).map_err(io_error("list", &self.home))? {
            let entry = entry.map_err(io_error("list", &self.home))?;
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                tracing::debug!("cannot remove {}: {error}", entry.path().display());
            }
        }
        Ok(())
    }

    /// The folder that holds everything.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// The server's log.
    pub(super) fn log(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// Takes the folder for this process, for as long as the file stays open. The kernel lets go of the lock
    /// when the process dies, however it dies.
    ///
    /// # Errors
    /// [`EmbeddedError::InUse`] with the holder's process number, after [`LOCK_PATIENCE`].
    pub(super) fn lock(&self) -> Result<File, EmbeddedError> {
        let path = self.home.join("darkroom.lock");
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).to_owned();
        let mut file = options.open(&path).map_err(io_error("open", &path))?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => sleep(POLL),
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    file.read_to_string(&mut owner).map_err(io_error("read", &path))?;
                    return Err(EmbeddedError::InUse { dir: self.home.clone(), owner });
                }
                Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
            }
        }
        file.set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(io_error("write", &path))?;
        Ok(file)
    }

    /// Makes the private folder of the socket: here, or in `/tmp` (short, and open to every user) if the path
    /// would be too long for a socket. In `/tmp` anyone could have made it before us, so its owner and mode
    /// are looked at.
    pub(super) fn make_socket_dir(&self) -> Result<PathBuf, EmbeddedError> {
        let mut dir = self.home.join("socket");
        if dir.as_os_str().len() + 1 + SOCKET_NAME.len() > SOCKET_PATH_MAX {
            let mut hasher = DefaultHasher::new();
            self.home.hash(&mut hasher);
            dir = PathBuf::from(format!("/tmp/darkroom-{:016x}", hasher.finish()));
        }
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(io_error("create", &dir)(error));
            }
            _ => self.account.adopt(&dir).map_err(io_error("hand over", &dir))?,
        }
        let found = fs::symlink_metadata(&dir).map_err(io_error("look at", &dir))?;
        if !found.is_dir() || !self.account.is(found.uid()) || found.mode() & 0o077 != 0 {
            return Err(EmbeddedError::SocketFolder { dir, user: self.account.to_string() });
        }
        Ok(dir)
    }
}

/// Where the data of `dir` may be, the likelier place first; nothing is made or changed.
pub(super) fn data_of(dir: &Path, elsewhere: &Path) -> Vec<PathBuf> {
    let Ok(home) = dir.canonicalize() else { return Vec::new() };
    let other = elsewhere.join(home.strip_prefix("/").unwrap_or(&home));
    vec![data_in(&home), data_in(&other)]
}

fn data_in(home: &Path) -> PathBuf {
    home.join("pgdata")
}

/// Makes what is missing of `dir`, to be walked by all and listed by none, whatever the umask says; what
/// exists keeps its mode. The answer has no links and no dots in it.
fn make_walkable(dir: &Path) -> Result<PathBuf, EmbeddedError> {
    fn make(dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        if let Some(parent) = dir.parent() {
            make(parent)?;
        }
        match fs::create_dir(dir) {
            Ok(()) => fs::set_permissions(dir, Permissions::from_mode(0o711)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }
    let absolute = std::path::absolute(dir).map_err(io_error("find", dir))?;
    make(&absolute).map_err(io_error("create", &absolute))?;
    absolute.canonicalize().map_err(io_error("find", &absolute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tempdir(mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
        dir
    }

    #[test]
    fn the_folder_is_made_and_locked_once() {
        let dir = tempdir(0o755);
        let wanted = dir.path().join("a/b");
        let place = Place::settle(&wanted, Path::new("/nowhere")).unwrap();
        assert_eq!(place.home(), wanted.canonicalize().unwrap());

        let held = place.lock().unwrap();
        let refused = place.lock().unwrap_err().to_string();
        let expected = format!("in use by another darkroom, process {}", std::process::id());
        assert!(refused.ends_with(&expected), "{refused}");
        drop(held);
        place.lock().unwrap();
    }

    #[test]
    fn data_that_the_stand_in_cannot_reach_lives_elsewhere_and_stays_there() {
        let (private, open) = (tempdir(0o700), tempdir(0o755));
        let wanted = private.path().join("db");
        let place = Place::settle(&wanted, open.path()).unwrap();
        let canonical = wanted.canonicalize().unwrap();
        if place.account == Account::Own {
            assert_eq!(place.home(), canonical, "no stand-in, no reason to move");
            return;
        }
        let other = open.path().canonicalize().unwrap().join(canonical.strip_prefix("/").unwrap());
        assert_eq!(place.home(), other);
        assert!(place.account.can_enter(&other).unwrap());

        // Once there is data, it is found again even when the first choice has become reachable.
        fs::create_dir(place.data()).unwrap();
        fs::set_permissions(private.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(Place::settle(&wanted, open.path()).unwrap().home(), other);

        // Data in the first choice wins, and is an error if it cannot be reached.
        fs::create_dir(wanted.join("pgdata")).unwrap();
        assert_eq!(Place::settle(&wanted, open.path()).unwrap().home(), canonical);
        fs::set_permissions(private.path(), Permissions::from_mode(0o700)).unwrap();
        let refused = Place::settle(&wanted, open.path()).unwrap_err();
        assert!(matches!(refused, EmbeddedError::Unreachable { .. }), "{refused}");
    }

    #[test]
    fn a_deep_folder_has_its_socket_elsewhere_and_in_private() {
        let dir = tempdir(0o755);
        let near = Place::settle(dir.path(), Path::new("/nowhere")).unwrap().make_socket_dir().unwrap();
        assert_eq!(near, dir.path().canonicalize().unwrap().join("socket"));

        let deep = Place::settle(&dir.path().join("d".repeat(100)), Path::new("/nowhere")).unwrap();
        let far = deep.make_socket_dir().unwrap();
        assert!(far.starts_with("/tmp") && far.as_os_str().len() < 60, "{}", far.display());
        assert_eq!(deep.make_socket_dir().unwrap(), far, "the same again after a crash");

        fs::set_permissions(&far, Permissions::from_mode(0o770)).unwrap();
        let refused = deep.make_socket_dir().unwrap_err();
        assert!(matches!(refused, EmbeddedError::SocketFolder { .. }), "{refused}");
        fs::remove_dir(&far).unwrap();
        std::os::unix::fs::symlink(dir.path(), &far).unwrap();
        let refused = deep.make_socket_dir().unwrap_err();
        fs::remove_file(&far).unwrap();
        assert!(matches!(refused, EmbeddedError::SocketFolder { .. }), "{refused}");
    }
}
