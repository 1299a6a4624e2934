//! With the real PostgreSQL, which must be installed.

use super::*;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// Names the folder to the process that is killed below.
const HELD: &str = "EMBEDDED_TEST_HELD";

/// A folder that a stand-in for root can walk to.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

async fn start(dir: &Path) -> Embedded {
    Embedded::start(dir).await.unwrap_or_else(|error| panic!("{error} (these tests need PostgreSQL)"))
}

async fn connect(embedded: &Embedded) -> Client {
    let (client, connection) = tokio_postgres::connect(&embedded.database_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn write_row(embedded: &Embedded, n: i32) {
    let client = connect(embedded).await;
    client.batch_execute("CREATE TABLE IF NOT EXISTS kept (n int)").await.unwrap();
    client.execute("INSERT INTO kept VALUES ($1)", &[&n]).await.unwrap();
}

async fn rows(embedded: &Embedded) -> Vec<i32> {
    let rows = connect(embedded).await.query("SELECT n FROM kept ORDER BY n", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn data_survives_a_stop_and_the_death_of_the_server() {
    let dir = folder();
    let first = start(dir.path()).await;
    write_row(&first, 1).await;
    first.stop().await;

    let mut second = start(dir.path()).await;
    assert_eq!(rows(&second).await, [1]);
    write_row(&second, 2).await;
    second.server.signal(Signal::KILL);
    let died = second.exited().await.to_string();
    assert!(died.contains("signal: 9") && died.contains("server.log"), "{died}");
    second.stop().await;

    let third = start(dir.path()).await;
    assert_eq!(rows(&third).await, [1, 2]);
    drop(third);

    // Dropped without a word, and started again at once.
    let fourth = start(dir.path()).await;
    assert_eq!(rows(&fourth).await, [1, 2]);
    fourth.stop().await;
}

#[tokio::test]
async fn the_server_is_private_durable_and_in_the_folder() {
    let dir = folder();
    let embedded = start(dir.path()).await;
    let client = connect(&embedded).await;
    for (name, expected) in [("listen_addresses", ""), ("fsync", "on"), ("data_checksums", "on")] {
        let value: String = client.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get(0);
        assert_eq!(value, expected, "{name}");
    }
    let place: String = client.query_one("SHOW data_directory", &[]).await.unwrap().get(0);
    assert_eq!(Path::new(&place), dir.path().canonicalize().unwrap().join("pgdata"));
    for private in [Path::new(&place), &embedded.socket_dir] {
        assert_eq!(fs::metadata(private).unwrap().permissions().mode() & 0o777, 0o700);
    }
    embedded.stop().await;
}

#[tokio::test]
async fn a_second_darkroom_is_told_who_has_the_folder() {
    let dir = folder();
    let first = start(dir.path()).await;
    let refused = Embedded::start(dir.path()).await.unwrap_err();
    let EmbeddedError::InUse { owner, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*owner, std::process::id().to_string());
    write_row(&first, 1).await;
    first.stop().await;
}

#[tokio::test]
async fn what_keeps_the_server_from_starting_is_told() {
    // Deep enough for a socket that must live elsewhere.
    let dir = folder();
    let deep = dir.path().join("d".repeat(60)).join("e, \"f\"".repeat(6));
    let embedded = start(&deep).await;
    assert!(embedded.socket_dir.starts_with("/tmp"));
    write_row(&embedded, 1).await;
    let socket_dir = embedded.socket_dir.clone();
    embedded.stop().await;
    assert!(!socket_dir.exists());

    let options = deep.join("pgdata/postgresql.auto.conf");
    fs::write(&options, "no_such_option = on\n").unwrap();
    let refused = Embedded::start(&deep).await.unwrap_err().to_string();
    assert!(
        refused.contains("did not start, exit status: 1") && refused.contains("\"no_such_option\""),
        "{refused}"
    );

    fs::write(deep.join("pgdata/PG_VERSION"), "9\n").unwrap();
    let refused = Embedded::start(&deep).await.unwrap_err();
    assert!(matches!(refused, EmbeddedError::OtherMajor { found: 9, .. }), "{refused}");
}

#[tokio::test]
async fn left_overs_are_cleared_away() {
    let dir = folder();
    let unfinished = dir.path().join("pgdata.unfinished-1");
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    start(dir.path()).await.stop().await;
    assert!(!unfinished.exists());

    // A live process of the server's own user has got the number of a server of old.
    let account = account::Account::for_data(&dir.path().join("pgdata")).unwrap();
    let mut sleep = child::command(Path::new("/bin/sleep"), &account);
    let mut stranger = sleep.arg("600").spawn().unwrap();
    let file = format!("{}\n/data\n1790000000\n5432\n/socket\n\n12345 0\nready\n", stranger.id());
    fs::write(dir.path().join("pgdata/postmaster.pid"), file).unwrap();
    start(dir.path()).await.stop().await;
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_start_that_nobody_awaits_leaves_no_server() {
    let dir = folder();
    let mut starting = Box::pin(Embedded::start(dir.path()));
    assert!(timeout(Duration::ZERO, &mut starting).await.is_err());
    drop(starting);
    // The first one ends its initdb, sees that nobody waits, and gives way.
    let deadline = Instant::now() + Duration::from_secs(60);
    let embedded = loop {
        match Embedded::start(dir.path()).await {
            Ok(embedded) => break embedded,
            Err(EmbeddedError::InUse { .. }) if Instant::now() < deadline => {}
            Err(error) => panic!("{error}"),
        }
    };
    write_row(&embedded, 1).await;
    embedded.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn data_survives_the_death_of_the_process_that_holds_it() {
    let dir = folder();
    let holder =
        format!("{}::holds_the_folder_until_it_is_killed", module_path!().split_once("::").unwrap().1);
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &holder, "--ignored", "--nocapture"])
        .env(HELD, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "held"), "the holder ended early");
    process.kill().unwrap();

    // At once: the other server is still going down.
    let embedded = start(dir.path()).await;
    assert_eq!(rows(&embedded).await, [7]);
    embedded.stop().await;
    process.wait().unwrap();
}

#[tokio::test]
#[ignore = "a part of data_survives_the_death_of_the_process_that_holds_it, which runs and kills it"]
async fn holds_the_folder_until_it_is_killed() {
    let Some(dir) = std::env::var_os(HELD) else { return };
    let mut embedded = start(Path::new(&dir)).await;
    write_row(&embedded, 7).await;
    writeln!(std::io::stdout(), "\nheld").unwrap();
    panic!("{}", embedded.exited().await);
}

#[test]
fn the_url_is_read_back() {
    let folder = Path::new("/a b/ü%,:@?#/socket");
    let url = format!("postgresql://u@{}/d", percent_encoded(folder));
    let config: tokio_postgres::Config = url.parse().unwrap();
    assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix(folder.to_path_buf())]);
    assert_eq!((config.get_user(), config.get_dbname()), (Some("u"), Some("d")));
}
