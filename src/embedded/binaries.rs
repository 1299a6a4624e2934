//! Finds the installed PostgreSQL: nothing is downloaded, nothing comes along.

use super::account::Account;
use super::child;
use super::error::EmbeddedError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The programs that are needed, all from one folder.
const NEEDED: [&str; 2] = ["postgres", "initdb"];

/// What the search depends on.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// `PG_BINDIR`: if set, the only place to look.
    pub(super) bindir: Option<OsString>,
    /// Folder with one folder for each major version, as Debian has it.
    pub(super) versions: PathBuf,
    /// `PATH`.
    pub(super) path: Option<OsString>,
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn of_this_process() -> Self {
        Self {
            bindir: std::env::var_os("PG_BINDIR").filter(|dir| !dir.is_empty()),
            versions: PathBuf::from("/usr/lib/postgresql"),
            path: std::env::var_os("PATH"),
        }
    }
}

/// A folder with the programs of one PostgreSQL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Looks in `PG_BINDIR`; else in the folders of versions, first that of `preferred` (the version of data
    /// that exists), then the highest; else along `PATH`.
    ///
    /// # Errors
    /// [`EmbeddedError::NoBinaries`].
    pub(super) fn find(around: &Surroundings, preferred: Option<u32>) -> Result<Self, EmbeddedError> {
        if let Some(bindir) = &around.bindir {
            let looked_in = || format!("PG_BINDIR is {}", bindir.display());
            return Self::in_folder(Path::new(bindir)).ok_or_else(|| not_found(looked_in()));
        }
        let mut majors = majors_below(&around.versions);
        majors.sort_by_key(|major| (Some(*major) == preferred, *major));
        let installed = majors.iter().rev().map(|major| around.versions.join(major.to_string()).join("bin"));
        installed
            .chain(along_path(around.path.as_ref()))
            .find_map(|dir| Self::in_folder(&dir))
            .ok_or_else(|| not_found(format!("looked in PG_BINDIR, {} and PATH", around.versions.display())))
    }

    fn in_folder(dir: &Path) -> Option<Self> {
        let dir = dir.canonicalize().ok()?;
        NEEDED.iter().all(|name| dir.join(name).is_file()).then_some(Self { dir })
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// One of the programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The major version of `postgres`, asked of itself. This also shows whether `account` can run it at all.
    pub(super) fn major(&self, account: &Account) -> Result<u32, EmbeddedError> {
        let program = self.program("postgres");
        let mut command = child::command(&program, account);
        let text = child::run(command.arg("--version"), account, "")?;
        major_of(&text).ok_or(EmbeddedError::UnknownVersion { of: program, text })
    }
}

fn not_found(looked_in: String) -> EmbeddedError {
    EmbeddedError::NoBinaries { looked_in }
}

fn majors_below(versions: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(versions).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The folders along PATH in which `initdb` lives, seen through links: a link may stand alone in its folder.
fn along_path(path: Option<&OsString>) -> impl Iterator<Item = PathBuf> {
    let folders: Vec<PathBuf> = path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    folders
        .into_iter()
        .filter_map(|dir| Some(dir.join("initdb").canonicalize().ok()?.parent()?.to_path_buf()))
}

/// 15 of `postgres (PostgreSQL) 15.18 (Debian …)`, 19 of `… 19devel`.
fn major_of(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn install(dir: &Path) -> PathBuf {
        fs::create_dir_all(dir).unwrap();
        for name in NEEDED {
            fs::write(dir.join(name), "").unwrap();
        }
        dir.canonicalize().unwrap()
    }

    #[test]
    fn the_search_has_an_order() {
        let root = tempfile::tempdir().unwrap();
        let versions = root.path().join("versions");
        let links = root.path().join("links");
        fs::create_dir_all(&links).unwrap();
        let mut around = Surroundings {
            bindir: None,
            versions: versions.clone(),
            path: Some(links.clone().into_os_string()),
        };
        let find =
            |around: &Surroundings, preferred| Binaries::find(around, preferred).map(|found| found.dir);

        let missing = find(&around, None).unwrap_err().to_string();
        assert!(
            missing.contains("`apt-get install -y postgresql`") && missing.contains("`database.url`"),
            "{missing}"
        );

        let linked = install(&root.path().join("opt/bin"));
        symlink(linked.join("initdb"), links.join("initdb")).unwrap();
        assert_eq!(find(&around, None).unwrap(), linked, "PATH, through a link");

        let nine = install(&versions.join("9/bin"));
        let fifteen = install(&versions.join("15/bin"));
        fs::create_dir_all(versions.join("17/bin")).unwrap();
        fs::create_dir_all(versions.join("common")).unwrap();
        assert_eq!(find(&around, None).unwrap(), fifteen, "the highest that is complete, by number");
        assert_eq!(find(&around, Some(9)).unwrap(), nine, "that of the data");
        assert_eq!(find(&around, Some(17)).unwrap(), fifteen);

        around.bindir = Some(linked.clone().into_os_string());
        assert_eq!(find(&around, Some(9)).unwrap(), linked);
        around.bindir = Some(links.into_os_string());
        let missing = find(&around, None).unwrap_err().to_string();
        assert!(missing.contains("PG_BINDIR is"), "a wrong PG_BINDIR is not passed over: {missing}");
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19devel\n"), Some(19));
        assert_eq!(major_of("postgres (PostgreSQL) devel"), None);
        assert_eq!(major_of("cat (GNU coreutils) 9.1"), None);
    }
}
