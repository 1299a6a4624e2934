//! A volume that is full, read-only, gone.

use crate::site::Site;
use crate::support::ground::eventually;
use crate::trial::{Arena, rows};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

rows! { "volume":
    Nothing {
        full,
        out_of_inodes,
        read_only,
        gone,
        unmounted_at_start,
    }
}

/// Attempts outlast the fault: what is at fault is not the job.
const PATIENT: [(&str, &str); 2] =
    [("DARKROOM_WORKER__MAX_ATTEMPTS", "30"), ("DARKROOM_WORKER__BACKOFF_LONGEST_SECONDS", "1")];

/// A small file system of its own in the place of the site's folder.
struct Volume(PathBuf);

impl Volume {
    /// Only root may mount; others leave these trials out.
    fn mount(site: &Site, options: &str) -> Self {
        let folder = site.ground.volume();
        std::fs::create_dir_all(&folder).unwrap();
        run("mount", &["-t", "tmpfs", "-o", options, "darkroom-trial"], &folder);
        Self(folder)
    }

    fn remount(&self, options: &str) {
        run("mount", &["-o", &format!("remount,{options}")], &self.0);
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

fn run(program: &str, arguments: &[&str], folder: &std::path::Path) {
    let status = Command::new(program).args(arguments).arg(folder).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

async fn start(site: &mut Site) {
    site.start_api(0);
    site.start_worker(&[]);
    site.upload(1).await;
    site.quiet().await;
    site.residents.remember().await;
}

async fn full(arena: Arena) {
    let mut site = arena.empty_site(&PATIENT).await;
    let volume = Volume::mount(&site, "size=4m");
    start(&mut site).await;
    let ballast = volume.0.join("ballast");
    fill(&ballast);
    refused_and_nothing_kept(&site, &[507]).await;
    // A job that has begun when room runs out is tried again until there is some.
    std::fs::remove_file(&ballast).unwrap();
    let worker = site.residents.names("worker").remove(0);
    assert!(site.residents.stop(&worker).await);
    site.upload(2).await;
    fill(&ballast);
    site.start_worker(&[]);
    tried_again(&site, "storage_full").await;
    std::fs::remove_file(&ballast).unwrap();
    site.verify().await;
}

/// Writes until nothing more fits.
fn fill(path: &std::path::Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    for size in [64 * 1024, 4096, 512] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

async fn out_of_inodes(arena: Arena) {
    let mut site = arena.empty_site(&PATIENT).await;
    let volume = Volume::mount(&site, "size=64m,nr_inodes=60");
    start(&mut site).await;
    let ballast = volume.0.join("ballast");
    std::fs::create_dir(&ballast).unwrap();
    let files = (0..200).take_while(|number| std::fs::write(ballast.join(number.to_string()), "").is_ok());
    assert!(files.count() < 200);
    refused_and_nothing_kept(&site, &[507]).await;
    std::fs::remove_dir_all(&ballast).unwrap();
    site.upload(2).await;
    site.verify().await;
}

async fn read_only(arena: Arena) {
    let mut site = arena.empty_site(&PATIENT).await;
    let volume = Volume::mount(&site, "size=64m");
    start(&mut site).await;
    let worker = site.residents.names("worker").remove(0);
    assert!(site.residents.stop(&worker).await);
    site.upload(2).await;
    volume.remount("ro");
    refused_and_nothing_kept(&site, &[503]).await;
    let ready = site.caller.get("/readyz").await.unwrap();
    assert!(ready.status == 503 && ready.data()["checks"]["volume"] != "ok", "{ready:?}");
    // A worker that starts now waits; one that runs tries again. Either way nothing fails for good.
    site.start_worker(&[]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    volume.remount("rw");
    site.upload(2).await;
    site.verify().await;
}

/// Unmounted under running processes: an empty folder in its place.
async fn gone(arena: Arena) {
    let site = arena.site(&PATIENT).await;
    let (folder, aside) = (site.ground.volume(), site.ground.volume().with_extension("aside"));
    for _ in 0..arena.dose(2, 10) {
        std::fs::rename(&folder, &aside).unwrap();
        std::fs::create_dir(&folder).unwrap();
        refused_and_nothing_kept(&site, &[503]).await;
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::rename(&aside, &folder).unwrap();
        site.upload(3).await;
    }
    site.verify().await;
}

/// A process that starts where the volume is missing takes the empty folder for no volume, and waits.
async fn unmounted_at_start(arena: Arena) {
    let mut site = arena.site(&PATIENT).await;
    let (folder, aside) = (site.ground.volume(), site.ground.volume().with_extension("aside"));
    for name in site.residents.names("") {
        assert!(site.residents.stop(&name).await);
    }
    std::fs::rename(&folder, &aside).unwrap();
    site.start_api(0);
    site.start_worker(&[]);
    for name in site.residents.names("") {
        eventually("it says what it waits for", || async {
            site.residents.get(&name).log().contains("waiting for the volume").then_some(())
        })
        .await;
    }
    std::fs::remove_dir_all(&folder).ok();
    std::fs::rename(&aside, &folder).unwrap();
    site.upload(3).await;
    site.verify().await;
}

/// Uploads are refused with one of these, leave no row and no file; what is there can still be read.
async fn refused_and_nothing_kept(site: &Site, statuses: &[u16]) {
    let rows = site.ground.database.number("select count(*) from images").await;
    for _ in 0..5 {
        let refused = site.caller.upload(&rand::random::<u64>().to_string(), &site.file()).await.unwrap();
        assert!(statuses.contains(&refused.status), "{refused:?}");
    }
    assert_eq!(site.ground.database.number("select count(*) from images").await, rows);
    assert!(!site.ground.files().iter().any(|name| name.starts_with("tmp/")), "no temporary file is left");
    assert_eq!(site.caller.get("/api/images").await.unwrap().status, 200);
    assert_eq!(site.caller.get("/livez").await.unwrap().status, 200);
}

async fn tried_again(site: &Site, code: &str) {
    let sql = format!("select count(*) from stage_runs where error_code = '{code}'");
    eventually("it is tried again", || async {
        (site.ground.database.number(&sql).await >= 2).then_some(())
    })
    .await;
}
