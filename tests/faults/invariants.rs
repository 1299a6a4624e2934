//! The invariants I1–I9, checked from outside: answers, rows, files, queues, /proc.

use crate::ledger::{Balance, Fate, digest};
use crate::site::{PATIENCE, Site};
use crate::support::ground::eventually;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What a trial did on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected {
    /// Dead letters that it sent.
    pub dead_letters: u32,
}

impl Site {
    /// Heals everything, waits for quiet and checks all invariants.
    pub async fn verify(&self) -> Balance {
        self.verify_with(Expected::default()).await
    }

    pub async fn verify_with(&self, expected: Expected) -> Balance {
        self.to_postgres.heal();
        self.to_broker.heal();
        self.ready().await;
        self.quiet().await;
        let balance = self.ledger.balance(&self.ground.database).await;
        assert!(balance.is_even(), "I1, I2:\n{balance}\n{}", self.residents.last_words());
        // All of them, or some thousands of very many.
        let acknowledged = self.ledger.acknowledged();
        for id in acknowledged.iter().step_by(acknowledged.len() / 3000 + 1) {
            self.verify_image(*id).await;
        }
        self.verify_files().await;
        self.verify_stats().await;
        self.verify_attempts().await;
        self.verify_queues(expected).await;
        let complaints = self.caller.complaints();
        assert!(complaints.is_empty(), "I8: {complaints:#?}");
        let logs = self.residents.logs();
        assert!(!logs.contains("hf_secret"), "the captioner's key is in a log");
        // In the words of the program's log, and of a thread that panics before there is one.
        for words in ["a panic at=", "panicked at"] {
            assert!(!logs.contains(words), "something panicked:\n{logs}");
        }
        self.residents.settle().await;
        self.verify_connections().await;
        balance
    }

    /// An API that was started a moment ago refuses all else until it is.
    async fn ready(&self) {
        eventually("the API is ready", || async {
            self.caller.get("/readyz").await.filter(|answer| answer.status == 200).map(drop)
        })
        .await;
    }

    /// I1, I3: a success can be seen, a failure explains itself.
    async fn verify_image(&self, id: i64) {
        let answer = self.caller.image(id).await.unwrap_or_else(|| panic!("nobody answers about image {id}"));
        let image = answer.data();
        let fate = self.ledger.fate(id);
        if fate == Fate::Failed {
            assert_eq!(image["status"], "failed", "I1: {image}");
            assert!(image["error"].is_string() && image["error_code"].is_string(), "I3: {image}");
            return;
        }
        assert_eq!(image["status"], "success", "I1: {image}");
        assert!(image["metadata"]["width"].is_number(), "I3: {image}");
        let original = self.caller.bytes(&format!("/api/images/{id}/original")).await;
        let digest = digest(&original.unwrap_or_else(|| panic!("I3: image {id} has no original")));
        assert_eq!(image["sha256"], digest.as_str(), "I3: image {id} is not what was uploaded");
        for size in ["small", "medium"] {
            let path = image["thumbnails"][size].as_str().unwrap_or_else(|| panic!("I3: {image}"));
            let thumbnail = self.caller.bytes(path).await.unwrap_or_else(|| panic!("I3: no {path}"));
            image::load_from_memory(&thumbnail).unwrap_or_else(|error| panic!("I3: {path}: {error}"));
        }
    }

    /// I4: once the sweep has been round, the files are those that rows name.
    async fn verify_files(&self) {
        self.age_files();
        let begun = Instant::now();
        loop {
            let sql = "select original_key from images union all select file_key from thumbnails";
            let rows = self.ground.database.rows(sql).await;
            let named: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
            let files = self.ground.files();
            if files == named {
                return;
            }
            let (orphans, missing): (Vec<_>, Vec<_>) =
                files.symmetric_difference(&named).partition(|key| files.contains(*key));
            assert!(
                missing.is_empty() && begun.elapsed() < PATIENCE,
                "I4: orphans {orphans:?}, missing {missing:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// I5: the kept counts are what counting would give.
    async fn verify_stats(&self) {
        let answer = self.caller.get("/api/stats").await.expect("the statistics");
        let count = |sql: &'static str| self.ground.database.number(sql);
        for (field, sql) in [
            ("total_images", "select count(*) from images"),
            ("successful", "select count(*) from images where status = 'success'"),
            ("failed", "select count(*) from images where status = 'failed'"),
            ("processing", "select count(*) from images where status = 'processing'"),
            ("queue_depth", "select count(*) from jobs where state = 'queued'"),
            (
                "stored_bytes",
                "select coalesce((select sum(size_bytes) from images), 0)::bigint
                      + coalesce((select sum(size_bytes) from thumbnails), 0)::bigint",
            ),
        ] {
            assert_eq!(answer.data()[field], Value::from(count(sql).await), "I5: {field}");
        }
    }

    /// I6: bounded attempts, no more paid calls than attempts, one run of each stage of an attempt.
    async fn verify_attempts(&self) {
        let settings = self.environment(&[]);
        let max: i64 = settings
            .iter()
            .find(|(name, _)| name == "DARKROOM_WORKER__MAX_ATTEMPTS")
            .map(|(_, value)| value.parse().unwrap())
            .unwrap();
        let database = &self.ground.database;
        let most = database.number("select coalesce(max(attempt), 0)::bigint from jobs").await;
        assert!(most <= max, "I6: {most} attempts, {max} are allowed");
        let attempts = database
            .number("select coalesce(sum(attempt), 0)::bigint from jobs where kind = 'caption'")
            .await;
        let calls = i64::try_from(self.captioner.asked().len()).unwrap();
        // A deleted image takes its attempts with it.
        let deleted = self.ledger.has_deletions();
        assert!(calls <= attempts || deleted, "I6: {calls} calls in {attempts} attempts");
        let stale = database
            .number(
                "select count(*) from stage_runs r join jobs j on j.id = r.job_id where r.attempt > j.attempt",
            )
            .await;
        assert_eq!(stale, 0, "I6: runs of attempts that were never made");
    }

    /// I7: nothing waits in the broker that waits nowhere else.
    async fn verify_queues(&self, expected: Expected) {
        let begun = Instant::now();
        for (queue, depth) in [("image", 0), ("caption", 0), ("webhook", 0), ("dead", expected.dead_letters)]
        {
            loop {
                let ready = self.ground.broker().ready(queue).await;
                if ready == depth {
                    break;
                }
                assert!(
                    begun.elapsed() < Duration::from_secs(45),
                    "I7: {ready} messages in {queue}, not {depth}\n{}",
                    self.residents.last_words()
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// I9: no connection to Postgres is left that no living process holds.
    async fn verify_connections(&self) {
        // The pool of each (six in these sites), one for notices, one in passing.
        let most = i64::try_from(self.residents.names("").len() * 8 + 2).unwrap();
        let sql = "select count(*) from pg_stat_activity where datname = current_database()";
        let begun = Instant::now();
        loop {
            let open = self.ground.database.number(sql).await;
            if open <= most {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(45),
                "I9: {open} connections, {most} are explained"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
