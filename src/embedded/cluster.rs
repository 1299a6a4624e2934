//! The cluster on disk: made once, as a whole or not at all, and served only by the PostgreSQL that made it.

use super::account::Account;
use super::binaries::{Binaries, Surroundings};
use super::child;
use super::error::{EmbeddedError, io_error};
use super::place::Place;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The superuser and the database; nobody else can reach the socket, so there is no password.
pub(super) const USER: &str = "darkroom";
pub(super) const DATABASE: &str = "darkroom";

/// Finds the programs, and makes the cluster if there is none.
///
/// # Errors
/// [`EmbeddedError::NoBinaries`], [`EmbeddedError::OtherMajor`], or what initdb says.
pub(super) fn prepare(place: &Place, around: &Surroundings) -> Result<Binaries, EmbeddedError> {
    place.remove_unfinished()?;
    let data = place.data();
    if !data.exists() {
        let binaries = Binaries::find(around, None)?;
        make(place, &binaries)?;
        return Ok(binaries);
    }
    let found = data_major(&data)?;
    let binaries = Binaries::find(around, Some(found))?;
    let major = binaries.major(&place.account)?;
    if major != found {
        return Err(EmbeddedError::OtherMajor { data, found, binaries: binaries.dir().to_path_buf(), major });
    }
    place.account.adopt(&data).map_err(io_error("hand over", &data))?;
    Ok(binaries)
}

fn data_major(data: &Path) -> Result<u32, EmbeddedError> {
    let path = data.join("PG_VERSION");
    let text = fs::read_to_string(&path).map_err(io_error("read", &path))?;
    text.trim().parse().map_err(|_| EmbeddedError::UnknownVersion { of: path, text })
}

/// initdb and the database, under another name until both are on disk.
fn make(place: &Place, binaries: &Binaries) -> Result<(), EmbeddedError> {
    let (data, unfinished) = (place.data(), place.unfinished_data());
    DirBuilder::new().mode(0o700).create(&unfinished).map_err(io_error("create", &unfinished))?;
    place.account.adopt(&unfinished).map_err(io_error("hand over", &unfinished))?;
    tracing::info!("making a PostgreSQL cluster in {}, run by {}", data.display(), place.account);
    initdb(&unfinished, binaries, &place.account)?;
    create_database(&unfinished, binaries, &place.account)?;
    fs::rename(&unfinished, &data).map_err(io_error("rename", &unfinished))?;
    File::open(place.home()).and_then(|home| home.sync_all()).map_err(io_error("sync", place.home()))
}

fn initdb(data: &Path, binaries: &Binaries, account: &Account) -> Result<(), EmbeddedError> {
    let mut initdb = child::command(&binaries.program("initdb"), account);
    initdb.arg("-D").arg(data).args(["-U", USER, "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"]);
    initdb.args(["--auth-local=trust", "--auth-host=reject", "--no-instructions"]);
    child::run(&mut initdb, account, "").map(drop)
}

/// In single-user mode, which needs no server and no client, and ends with a checkpoint.
fn create_database(data: &Path, binaries: &Binaries, account: &Account) -> Result<(), EmbeddedError> {
    let mut single = child::command(&binaries.program("postgres"), account);
    single.arg("--single").arg("-D").arg(data).args(["-c", "exit_on_error=on", "postgres"]);
    child::run(&mut single, account, &format!("CREATE DATABASE {DATABASE}\n")).map(drop)
}
