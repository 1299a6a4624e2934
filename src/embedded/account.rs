//! As whom PostgreSQL runs. It refuses root, so root hands the work and the data to a user without powers.

use super::error::{EmbeddedError, io_error};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

const PASSWD: &str = "/etc/passwd";
/// Who may do it for root, the better one first.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// The user who runs PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    /// Whoever runs darkroom.
    Own,
    /// Another, since darkroom is run by root.
    StandIn {
        /// For messages.
        name: String,
        uid: u32,
        gid: u32,
    },
}

impl Account {
    /// For root, the owner of `data` if there is one already (the passwd file may have changed since), else
    /// the first of `postgres` and `nobody` that exists. For all others, themselves.
    pub(super) fn for_data(data: &Path) -> Result<Self, EmbeddedError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        if let Ok(found) = fs::metadata(data)
            && found.uid() != 0
        {
            return Ok(Self::StandIn {
                name: format!("uid {}", found.uid()),
                uid: found.uid(),
                gid: found.gid(),
            });
        }
        let passwd = fs::read_to_string(PASSWD).map_err(io_error("read", Path::new(PASSWD)))?;
        STAND_INS.iter().find_map(|name| Self::named(name, &passwd)).ok_or(EmbeddedError::NoAccount)
    }

    /// The line of passwd(5) that begins with `name`.
    fn named(name: &str, passwd: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (found, _password) = (fields.next()?, fields.next()?);
            let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (found == name && uid != 0).then(|| Self::StandIn { name: name.to_owned(), uid, gid })
        })
    }

    /// Lets `command` run as this user. The standard library drops root's further groups along with it.
    pub(super) fn run(&self, command: &mut Command) {
        if let Self::StandIn { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
    }

    /// Gives `path` and all below it to this user, if root owns it: that is new, or was brought back from a
    /// backup.
    pub(super) fn adopt(&self, path: &Path) -> io::Result<()> {
        let Self::StandIn { uid, gid, .. } = self else { return Ok(()) };
        let found = fs::symlink_metadata(path)?;
        if found.is_dir() && found.uid() == 0 {
            for entry in fs::read_dir(path)? {
                self.adopt(&entry?.path())?;
            }
        }
        // A folder comes after its contents, so that an interrupted round is taken up again.
        if found.uid() == 0 { lchown(path, Some(*uid), Some(*gid)) } else { Ok(()) }
    }

    /// Whether `uid` is this user.
    pub(super) fn is(&self, uid: u32) -> bool {
        match self {
            Self::Own => rustix::process::geteuid().as_raw() == uid,
            Self::StandIn { uid: own, .. } => *own == uid,
        }
    }

    /// Whether this user can walk to `dir`. The kernel is asked, for it knows of groups, lists and mounts.
    pub(super) fn can_enter(&self, dir: &Path) -> Result<bool, EmbeddedError> {
        let shell = Path::new("/bin/sh");
        let mut command = Command::new(shell);
        command.args(["-c", ":"]).current_dir(dir).stdin(Stdio::null());
        self.run(&mut command);
        match command.status() {
            Ok(_) => Ok(true),
            // Not EPERM, with which the kernel denies the change of user.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::ACCESS) => Ok(false),
            Err(source) => {
                Err(EmbeddedError::NotRun { program: shell.to_path_buf(), user: self.to_string(), source })
            }
        }
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Own => write!(f, "uid {}", rustix::process::geteuid().as_raw()),
            Self::StandIn { name, .. } => write!(f, "the user {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn passwd_is_read_by_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nnobody:x:65534:65533:n:/:/bin/false\n";
        let nobody = Account::StandIn { name: "nobody".into(), uid: 65534, gid: 65533 };
        assert_eq!(Account::named("nobody", passwd), Some(nobody));
        assert_eq!(Account::named("postgres", passwd), None);
        assert_eq!(Account::named("root", passwd), None, "root is no stand-in");
        assert_eq!(Account::named("broken", passwd), None);
    }

    #[test]
    fn only_root_needs_a_stand_in() {
        let dir = tempfile::tempdir().unwrap();
        let account = Account::for_data(dir.path()).unwrap();
        let root = rustix::process::geteuid().is_root();
        assert_eq!(matches!(account, Account::StandIn { .. }), root);
        assert!(!account.is(0) || !root);

        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(account.can_enter(dir.path()).unwrap(), !root);
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert!(account.can_enter(dir.path()).unwrap());
    }

    #[test]
    fn adopting_reaches_all_that_is_roots() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("data/base");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("1"), "x").unwrap();
        std::os::unix::fs::symlink("/", inner.join("link")).unwrap();
        let data = dir.path().join("data");
        let account = Account::for_data(&data).unwrap();
        account.adopt(&data).unwrap();
        for path in [&data, &inner, &inner.join("1"), &inner.join("link")] {
            assert!(account.is(fs::symlink_metadata(path).unwrap().uid()), "{}", path.display());
        }
        let owner = fs::metadata(&data).unwrap().uid();
        assert!(Account::for_data(&data).unwrap().is(owner), "data that exists is served by its owner");
    }
}
