//! Rows and files compared, and a whole installation out of a backup.

use crate::support::database::Database;
use crate::support::ground::{Carrier, Ground};
use crate::support::pictures;
use crate::support::process::output;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

async fn fsck(ground: &Ground, own: &[&str]) -> (bool, String) {
    let (success, said, log) = output(ground, &[&["--fsck"], own].concat(), &[]).await;
    assert!(said.contains("checked: "), "{said}{log}");
    (success, said)
}

#[tokio::test]
async fn what_is_missing_or_damaged_is_told_and_nothing_is_changed() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    for number in 0..4 {
        let id = app.client.upload("p.jpg", &pictures::unlike(pictures::jpeg(300, 200), number)).await;
        app.client.settled(id).await;
    }
    let (sound, said) = fsck(&ground, &["--contents"]).await;
    assert!(sound, "{said}");
    assert_eq!(said, "checked: 4 images; 12 files are sound, 0 missing, 0 damaged; 0 belong to nobody\n");
    app.stop().await;

    let rows = ground.database.rows("select original_key from images order by id").await;
    let originals: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let thumbnail = "select file_key from thumbnails where image_id = 4 and size = 'small'";
    let thumbnail: String = ground.database.rows(thumbnail).await[0].get(0);
    ground.remove_file(&originals[0]);
    ground.write_file(&originals[1], &ground.read_file(&originals[1])[..9]);
    let mut rotten = ground.read_file(&originals[2]);
    rotten[100] ^= 1;
    ground.write_file(&originals[2], &rotten);
    ground.remove_file(&thumbnail);
    ground.write_file(ORPHAN, b"x");
    let before = ground.files();

    let told = [
        format!("missing {} of image 1", originals[0]),
        format!("damaged {} of image 2", originals[1]),
        format!("missing {thumbnail} of image 4"),
    ];
    let (sound, said) = fsck(&ground, &[]).await;
    assert!(!sound && told.iter().all(|line| said.lines().any(|told| told == line)), "{said}");
    assert!(!said.contains("orphan"), "what is new may have its row still to come: {said}");
    assert!(said.ends_with("9 files are sound, 2 missing, 1 damaged; 0 belong to nobody\n"), "{said}");
    let (sound, said) = fsck(&ground, &["--contents"]).await;
    let rotten = format!("damaged {} of image 3\n", originals[2]);
    assert!(
        !sound && said.contains(&rotten),
        "of the right length, and other than what was uploaded: {said}"
    );
    assert_eq!(ground.files(), before);
}

const ORPHAN: &str = "originals/00/0000000000000000000000000000beef.jpg";

/// In a folder.
#[tokio::test]
async fn what_is_old_unreadable_or_away_in_a_folder_is_told() {
    let ground = Ground::new(Carrier::InProcess).await;
    let app = ground.start_all(&[]).await;
    let id = app.client.upload("p.jpg", &pictures::jpeg(300, 200)).await;
    app.client.settled(id).await;
    app.stop().await;
    ground.write_file(ORPHAN, b"x");
    let (sound, said) = fsck(&ground, &[]).await;
    assert!(sound && !said.contains("orphan"), "{said}");
    let old = SystemTime::now() - Duration::from_secs(4000);
    let orphan = ground.volume().join(ORPHAN);
    std::fs::File::options().append(true).open(orphan).unwrap().set_modified(old).unwrap();
    let (sound, said) = fsck(&ground, &[]).await;
    assert!(sound && said.contains(&format!("orphan {ORPHAN}\n")), "{said}");
    assert!(said.ends_with("0 damaged; 1 belong to nobody\n") && ground.files().contains(ORPHAN), "{said}");

    // What cannot be read is a fault, and not the end.
    let original: String = ground.database.rows("select original_key from images").await[0].get(0);
    ground.remove_file(&original);
    std::fs::create_dir(ground.volume().join(&original)).unwrap();
    let (sound, said) = fsck(&ground, &["--contents"]).await;
    let unreadable = format!("damaged {original} of image {id}: ");
    assert!(!sound && said.contains(&unreadable) && said.contains("0 missing, 1 damaged"), "{said}");

    // A volume that is away says nothing of any file, and is not made anew.
    let elsewhere = ground.volume().with_extension("unmounted");
    std::fs::rename(ground.volume(), &elsewhere).unwrap();
    let (success, said, log) = output(&ground, &["--fsck"], &[]).await;
    assert!(!success && said.is_empty() && log.contains("installation"), "{said}{log}");
    assert!(!ground.volume().exists());
    std::fs::rename(elsewhere, ground.volume()).unwrap();
}

/// A program of PostgreSQL's, found where the program itself looks for `initdb`.
fn postgres(program: &str) -> Command {
    let folders = std::env::var_os("PG_BINDIR").map(|folder| vec![PathBuf::from(folder)]);
    let folders = folders.unwrap_or_else(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        versions.map(|version| version.path().join("bin")).collect()
    });
    // The newest can read what the others wrote.
    let found = folders.iter().map(|folder| folder.join(program)).filter(|path| path.exists()).max();
    Command::new(found.unwrap_or_else(|| PathBuf::from(program)))
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn copy(from: &Path, to: &Path) {
    succeeds(Command::new("cp").arg("--archive").arg(from.join(".")).arg(to));
}

/// The commands are those of the README.
#[tokio::test]
async fn an_installation_comes_back_out_of_its_backup() {
    let ground = Ground::new(Carrier::RabbitMq).await;
    let app = ground.start_all(&[]).await;
    let picture = pictures::camera_jpeg(300, 200, 6);
    let id = app.client.upload("kept.jpg", &picture).await;
    app.client.settled(id).await;

    // Rows first, files second, while everything runs: a file is there before the row that names it.
    let backup = tempfile::tempdir().unwrap();
    let dump = backup.path().join("darkroom.dump");
    succeeds(postgres("pg_dump").args(["--format=custom", "--file"]).arg(&dump).arg(ground.database.url()));
    let late = app.client.upload("late.jpg", &pictures::jpeg(100, 100)).await;
    app.client.settled(late).await;
    let files = backup.path().join("files");
    std::fs::create_dir(&files).unwrap();
    copy(&ground.volume(), &files);
    app.stop().await;

    let other = Ground::on(Database::create().await, Some(crate::support::broker::Broker::new()));
    succeeds(
        postgres("pg_restore")
            .args(["--no-owner", "--exit-on-error", "--dbname"])
            .arg(other.database.url())
            .arg(&dump),
    );
    std::fs::create_dir_all(other.volume()).unwrap();
    copy(&files, &other.volume());
    let (sound, said) = fsck(&other, &["--contents"]).await;
    assert!(sound && said.starts_with("checked: 1 images; 3 files are sound"), "{said}");
    let app = other.start_all(&[]).await;
    assert_eq!(app.client.image(id).await["status"], "success");
    assert_eq!(app.client.picture(&format!("/api/images/{id}/thumbnails/small")).await.height(), 128);
    let again = app.client.upload("new.jpg", &pictures::jpeg(120, 100)).await;
    assert_eq!(app.client.settled(again).await["status"], "success");
    app.stop().await;
}
