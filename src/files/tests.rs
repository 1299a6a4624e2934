//! What holds wherever files are kept is tried in a folder, and, if `DARKROOM_TEST_S3_URL` names a bucket of a server that checks
//! no signature (as tests/s3/run starts it), there too: `http://127.0.0.1:5000/bucket`.

use super::*;
use crate::domain::ImageFormat;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

async fn opened(variables: &[(&str, String)]) -> Files {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let settings = settings::Settings::load(None, variables).unwrap();
    let files = Files::open(&settings.files).await.unwrap();
    files.belong_to("we", true).await.unwrap();
    files
}

/// Files in a folder, and the folder.
async fn volume() -> (TempDir, PathBuf, Files) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("deep/files");
    let files = opened(&[("DARKROOM_FILES__DIR", root.display().to_string())]).await;
    (folder, root, files)
}

/// Files in each of the places where they may be, with the folder that uploads come into.
async fn places() -> Vec<(TempDir, PathBuf, Files)> {
    let mut places = vec![volume().await];
    if let Ok(url) = std::env::var("DARKROOM_TEST_S3_URL") {
        let (endpoint, bucket) = url.rsplit_once('/').unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("deep/files");
        let files = opened(&[
            ("DARKROOM_FILES__URL", format!("s3://{bucket}/files-{:016x}", rand::random::<u64>())),
            ("DARKROOM_FILES__DIR", root.display().to_string()),
            ("DARKROOM_FILES__S3_ENDPOINT", endpoint.to_owned()),
            ("DARKROOM_FILES__S3_ALLOW_HTTP", "true".to_owned()),
            ("DARKROOM_FILES__S3_ACCESS_KEY_ID", "test".to_owned()),
            ("DARKROOM_FILES__S3_SECRET_ACCESS_KEY", "test".to_owned()),
        ])
        .await;
        places.push((folder, root, files));
    }
    places
}

fn key(number: u128) -> FileKey {
    FileKey::original(number, ImageFormat::Png)
}

fn temporary(root: &std::path::Path) -> usize {
    std::fs::read_dir(root.join(TEMP)).map_or(0, Iterator::count)
}

#[tokio::test]
async fn what_was_put_is_read_and_removed() {
    for (_folder, _, files) in places().await {
        files.put(&key(7), b"photo").await.unwrap();
        assert_eq!(files.read_whole(&key(7)).await.unwrap(), b"photo");
        assert_eq!(files.length(&key(7)).await.unwrap(), 5);
        let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(b"photo").into();
        assert_eq!(files.digest(&key(7)).await.unwrap(), Sha256::new(digest));
        let (blocking, seven) = (files.clone(), key(7));
        let loaded = tokio::task::spawn_blocking(move || blocking.load(&seven)).await.unwrap();
        assert_eq!(loaded.unwrap(), b"photo");
        files.remove(&key(7)).await.unwrap();
        files.remove(&key(7)).await.unwrap();
        assert!(matches!(files.read(&key(7), None).await, Err(FileError::Missing { .. })));
        assert!(matches!(files.length(&key(7)).await, Err(FileError::Missing { .. })));
        assert!(matches!(files.read_whole(&key(7)).await, Err(FileError::Missing { .. })));
    }
}

#[tokio::test]
async fn parts_are_read() {
    for (_folder, _, files) in places().await {
        files.put(&key(7), b"photograph").await.unwrap();
        for (part, due) in
            [(None, "photograph"), (Some(0..=4), "photo"), (Some(5..=9), "graph"), (Some(9..=9), "h")]
        {
            let mut opened = files.read(&key(7), part).await.unwrap();
            let mut read = String::new();
            opened.content.read_to_string(&mut read).await.unwrap();
            assert_eq!((read.as_str(), opened.length), (due, 10));
        }
        files.remove(&key(7)).await.unwrap();
    }
}

/// Of each length around those at which a bucket is given one more part.
#[tokio::test]
async fn what_came_in_is_kept_whole_whatever_its_length() {
    const PART: usize = 5 * 1024 * 1024;
    for (_folder, root, files) in places().await {
        for length in [0, 1, PART - 1, PART, PART + 1, 2 * PART + 17] {
            let content: Vec<u8> = (0..length).map(|at| (at / 251 % 256) as u8).collect();
            let mut file = files.create().await.unwrap();
            for piece in content.chunks(100_000) {
                file.write(piece).await.unwrap();
            }
            assert!(matches!(files.read_whole(&key(1)).await, Err(FileError::Missing { .. })));
            files.keep(file, &key(1)).await.unwrap();
            assert!(files.read_whole(&key(1)).await.unwrap() == content, "{length}");
            assert_eq!(temporary(&root), 0);
            files.remove(&key(1)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_volume_belongs_to_one_installation() {
    for (_folder, _, files) in places().await {
        files.belong_to("we", true).await.unwrap();
        files.belong_to("we", false).await.unwrap();
        files.check().await.unwrap();
        for may_be_new in [true, false] {
            let refused = files.belong_to("others", may_be_new).await;
            assert!(matches!(refused, Err(FileError::Foreign { owner, .. }) if owner == "we"));
        }
    }
    let (_folder, root, files) = volume().await;
    std::fs::remove_file(root.join(OWNER)).unwrap();
    let unmounted = files.belong_to("we", false).await;
    assert!(matches!(unmounted, Err(FileError::Unavailable { .. })));
}

#[tokio::test]
async fn a_volume_that_is_away_is_not_taken_for_missing_files() {
    let (folder, root, files) = volume().await;
    files.put(&key(7), b"photo").await.unwrap();
    let elsewhere = folder.path().join("unmounted");
    std::fs::rename(&root, &elsewhere).unwrap();
    assert!(matches!(files.read(&key(7), None).await, Err(FileError::Unavailable { .. })));
    assert!(matches!(files.put(&key(8), b"photo").await, Err(FileError::Unavailable { .. })));
    assert!(files.check().await.is_err() && files.room().await.is_err());
    std::fs::rename(&elsewhere, &root).unwrap();
    assert_eq!(files.read_whole(&key(7)).await.unwrap(), b"photo");
    let room = files.room().await.unwrap().unwrap();
    assert!(0 < room.free && room.free <= room.total, "{room:?}");
}

#[tokio::test]
async fn a_file_that_was_not_kept_leaves_nothing() {
    for (_folder, root, files) in places().await {
        let mut file = files.create().await.unwrap();
        file.write(b"half a photo").await.unwrap();
        assert_eq!(temporary(&root), 1);
        drop(file);
        assert_eq!(temporary(&root), 0);
        files.check().await.unwrap();
        assert_eq!(temporary(&root), 0);
        for shelf in files.shelves().await.unwrap() {
            assert!(files.aged(&shelf, Duration::ZERO).await.unwrap().is_empty(), "{shelf:?}");
        }
    }
}

#[tokio::test]
async fn the_sweep_sees_only_what_is_old() {
    for (_folder, root, files) in places().await {
        files.put(&key(1), b"old").await.unwrap();
        files.put(&key(2 << 120), b"on another shelf").await.unwrap();
        std::fs::create_dir_all(root.join(TEMP)).unwrap();
        std::fs::write(root.join(TEMP).join("left.part"), b"x").unwrap();
        let shelves = files.shelves().await.unwrap();
        for kept in [key(1), key(2 << 120)] {
            let on_one = shelves.iter().filter(|shelf| kept.as_str().starts_with(shelf.name())).count();
            assert_eq!(on_one, 1, "{kept} of {shelves:?}");
        }
        let hour = Duration::from_secs(3600);
        let aged = async |age| {
            let mut found = Vec::new();
            for shelf in &shelves {
                found.extend(files.aged(shelf, age).await.unwrap());
            }
            found.sort();
            found
        };
        assert!(aged(hour).await.is_empty());
        assert_eq!(files.remove_temporary(hour).await.unwrap(), 0);
        // An object store tells the age of what it keeps to the second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(aged(Duration::from_millis(1)).await, [key(1), key(2 << 120)]);
        assert_eq!(files.remove_temporary(Duration::from_millis(1)).await.unwrap(), 1);
        for kept in [key(1), key(2 << 120)] {
            files.remove(&kept).await.unwrap();
        }
    }
}
