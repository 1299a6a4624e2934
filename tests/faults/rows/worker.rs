//! Workers that die, stall, stop, or have a job that is bad for them.

use crate::ledger::Fate;
use crate::site::{LEASE, PATIENCE, Site};
use crate::support::fake_captioner::Mode;
use crate::support::ground::eventually;
use crate::support::pictures;
use crate::trial::{Arena, rows};
use rand::RngExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

rows! { "worker":
    Nothing {
        killed_in_mid_job_at_random_times,
        stalled_and_back_as_a_zombie,
        stopped_with_work_in_hand,
        stopped_beyond_its_grace,
        a_job_that_kills_its_process,
        a_decoder_beyond_its_limit,
        a_file_that_never_ends,
        come_and_go_under_load,
    }
}

/// Attempts of these trials are burnt by the trial and not by the job.
const MANY_ATTEMPTS: (&str, &str) = ("DARKROOM_WORKER__MAX_ATTEMPTS", "30");

async fn killed_in_mid_job_at_random_times(mut arena: Arena) {
    let mut site = arena.site(&[MANY_ATTEMPTS]).await;
    site.captioner.set(Mode::Late(Duration::from_millis(150), "Late, but there."));
    site.start_worker(&[]);
    for _ in 0..arena.dose(8, 50) {
        site.upload(3).await;
        tokio::time::sleep(Duration::from_millis(arena.chance.random_range(0..400))).await;
        let workers = site.residents.names("worker");
        let victim = workers[arena.chance.random_range(0..workers.len())].clone();
        site.residents.kill(&victim);
        site.start_worker(&[]);
    }
    site.verify().await;
}

async fn stalled_and_back_as_a_zombie(arena: Arena) {
    let mut site = arena.site(&[]).await;
    site.captioner.set(Mode::Hang);
    let zombie = site.residents.names("worker").remove(0);
    let before = site.captioner.asked().len();
    site.upload(4).await;
    let asked = || site.captioner.asked().len() - before;
    eventually("the worker is in mid-job", || async { (asked() > 0).then_some(()) }).await;
    site.residents.signal(&zombie, "-STOP");
    site.captioner.set(Mode::Caption("By the living."));
    site.start_worker(&[]);
    site.quiet().await;
    site.residents.signal(&zombie, "-CONT");
    eventually("the zombie notices", || async {
        site.residents.get(&zombie).log().contains("lease was lost").then_some(())
    })
    .await;
    site.verify().await;
}

async fn stopped_with_work_in_hand(arena: Arena) {
    let mut site = arena.site(&[]).await;
    site.captioner.set(Mode::Late(Duration::from_millis(700), "Finished first."));
    let worker = site.residents.names("worker").remove(0);
    let before = site.captioner.asked().len();
    site.upload(6).await;
    let asked = || site.captioner.asked().len() - before;
    eventually("the worker is in mid-job", || async { (asked() > 0).then_some(()) }).await;
    assert!(site.residents.stop(&worker).await, "a stop in order ends with 0");
    let running = site.ground.database.number("select count(*) from jobs where state = 'running'").await;
    assert_eq!(running, 0, "it finished what it had begun");
    site.start_worker(&[]);
    site.verify().await;
    let most = site.ground.database.number("select max(attempt)::bigint from jobs").await;
    assert_eq!(most, 1, "a stop burns no attempt");
}

async fn stopped_beyond_its_grace(arena: Arena) {
    let mut site = arena.site(&[("DARKROOM_WORKER__GRACE_SECONDS", "0.5")]).await;
    site.captioner.set(Mode::Hang);
    let worker = site.residents.names("worker").remove(0);
    let before = site.captioner.asked().len();
    site.upload(1).await;
    let asked = || site.captioner.asked().len() - before;
    eventually("the worker is in mid-job", || async { (asked() > 0).then_some(()) }).await;
    assert!(!site.residents.stop(&worker).await, "it says by its code that a job is left");
    assert!(site.residents.logs().contains("stopped with jobs in hand"));
    site.captioner.set(Mode::Caption("By the next."));
    site.start_worker(&[]);
    site.verify().await;
}

/// The picture fits the memory budget by its price, and not the limit that the system sets: the process aborts.
async fn a_job_that_kills_its_process(arena: Arena) {
    let mut site = arena.site(&[("DARKROOM_WORKER__MAX_ATTEMPTS", "3")]).await;
    let first = site.residents.names("worker").remove(0);
    assert!(site.residents.stop(&first).await);
    let bomb = pictures::interlaced_png(11_000, 9_000);
    let id = site.ledger.deliver(&site.caller, &bomb, Fate::Failed, PATIENCE).await.expect("a legal picture");
    let mut deaths = 0;
    let (mut worker, begun) = (limited_worker(&site), Instant::now());
    // In the place of whatever restarts workers: systemd, compose, Kubernetes.
    loop {
        if worker.has_ended() {
            let status = worker.ended().await;
            assert_eq!(status.signal(), Some(6), "aborted for want of memory: {status}\n{}", worker.log());
            deaths += 1;
            worker = limited_worker(&site);
            site.upload(2).await;
        }
        let image = site.caller.image(id).await.expect("the API is untouched");
        if image.data()["status"] != "processing" {
            assert_eq!(image.data()["error_code"], "worker_lost", "{}", image.data());
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the bomb is still alive after {deaths} deaths");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(deaths, 3, "one for each attempt");
    // It lives on, with its connections.
    site.residents.move_in("limited".to_owned(), worker);
    site.verify().await;
}

fn limited_worker(site: &Site) -> crate::support::process::Process {
    let program = crate::support::process::command(&[]).get_program().to_owned();
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -v 500000; exec \"$0\" --worker"]).arg(program);
    crate::support::process::Process::spawn(command.envs(site.environment(&[])))
}

async fn a_decoder_beyond_its_limit(arena: Arena) {
    let mut site = arena.site(&[]).await;
    let patient = site.residents.names("worker").remove(0);
    assert!(site.residents.stop(&patient).await);
    // No decoder makes a hundred million pixels in this time.
    let hasty = site.start_worker_with(&[], &[("DARKROOM_WORKER__IMAGE_SECONDS", "0.2")]);
    let endless = pictures::interlaced_png(11_000, 9_000);
    let id = site.ledger.deliver(&site.caller, &endless, Fate::Failed, PATIENCE).await.unwrap();
    site.quiet().await;
    let image = site.caller.image(id).await.unwrap();
    assert_eq!(image.data()["error_code"], "timed_out", "{}", image.data());
    assert!(site.residents.stop(&hasty).await);
    site.start_worker(&[]);
    site.upload(5).await;
    site.verify().await;
}

/// A named pipe in the place of the original: whoever reads it waits for ever, as on a volume that hangs.
async fn a_file_that_never_ends(arena: Arena) {
    let own = [("DARKROOM_WORKER__IMAGE_SECONDS", "2"), ("DARKROOM_WORKER__MAX_ATTEMPTS", "2")];
    let mut site = arena.site(&own).await;
    let worker = site.residents.names("worker").remove(0);
    assert!(site.residents.stop(&worker).await);
    let file = site.file();
    let id = site.ledger.deliver(&site.caller, &file, Fate::Failed, PATIENCE).await.unwrap();
    let sql = format!("select original_key from images where id = {id}");
    let key: String = site.ground.database.rows(&sql).await[0].get(0);
    let path = site.ground.volume().join(key);
    std::fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    site.start_worker(&[]);
    site.upload(5).await;
    site.quiet().await;
    let image = site.caller.image(id).await.unwrap();
    assert_eq!(image.data()["error_code"], "storage_unavailable", "{}", image.data());
    // Whoever still waits for it reads its end now.
    drop(std::fs::File::options().read(true).write(true).open(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, file).unwrap();
    site.verify().await;
}

/// 1 › 8 › 0 › 4 workers, and now and then one is told to stop.
async fn come_and_go_under_load(mut arena: Arena) {
    // A lease that outlasts whatever else the machine is doing, so that only a stop could cost an attempt.
    let own = [("DARKROOM_WORKER__LEASE_SECONDS", "30"), ("DARKROOM_FILES__SWEEP_AFTER_SECONDS", "80")];
    let mut site = arena.site(&own).await;
    for workers in [1, 8, 0, 4] {
        for _ in 0..arena.dose(2, 8) {
            site.upload(6).await;
            while site.residents.names("worker").len() < workers {
                site.start_worker(&[]);
            }
            while site.residents.names("worker").len() > workers {
                let names = site.residents.names("worker");
                let leaver = names[arena.chance.random_range(0..names.len())].clone();
                assert!(site.residents.stop(&leaver).await, "a stop in order ends with 0");
            }
            tokio::time::sleep(arena.dose(LEASE / 10, LEASE)).await;
        }
    }
    site.verify().await;
    let most = site.ground.database.number("select max(attempt)::bigint from jobs").await;
    assert_eq!(most, 1, "a stop burns no attempt");
}
