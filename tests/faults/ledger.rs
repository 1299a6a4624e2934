//! Every upload that was attempted, and what became of it.

use crate::caller::{Answer, Caller};
use crate::support::database::Database;
use sha2::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How an image has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Success,
    Failed,
}

#[derive(Debug, Clone)]
struct Upload {
    sha256: String,
    fate: Fate,
    sends: u32,
    acknowledged: Option<i64>,
}

#[derive(Default)]
struct Pages {
    uploads: Vec<Upload>,
    refused: BTreeMap<u16, u32>,
    unheard: u32,
    deleted: BTreeSet<i64>,
}

/// The ledger of a site; its clones are the same book.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Pages>>);

impl Ledger {
    /// Uploads a file until it is acknowledged, as a careful client does: the same `Idempotency-Key` each time. `None` if
    /// it was not within `patience`, or was refused for good.
    pub async fn deliver(&self, caller: &Caller, file: &[u8], fate: Fate, patience: Duration) -> Option<i64> {
        let sha256 = digest(file);
        let entry = {
            let mut pages = self.0.lock().unwrap();
            pages.uploads.push(Upload { sha256: sha256.clone(), fate, sends: 0, acknowledged: None });
            pages.uploads.len() - 1
        };
        let begun = Instant::now();
        loop {
            self.0.lock().unwrap().uploads[entry].sends += 1;
            let answer = caller.upload(&sha256, file).await;
            if let ControlFlow::Break(outcome) = self.note(entry, answer) {
                return outcome;
            }
            if begun.elapsed() > patience {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Writes down an answer; whether it was the last one.
    fn note(&self, entry: usize, answer: Option<Answer>) -> ControlFlow<Option<i64>> {
        let mut pages = self.0.lock().unwrap();
        match answer {
            Some(answer) if answer.status == 202 => {
                let id = answer.data()["image_id"].as_i64();
                pages.uploads[entry].acknowledged = id;
                ControlFlow::Break(id)
            }
            Some(answer) => {
                *pages.refused.entry(answer.status).or_default() += 1;
                let may_pass = matches!(answer.status, 429 | 503 | 507);
                if may_pass { ControlFlow::Continue(()) } else { ControlFlow::Break(None) }
            }
            None => {
                pages.unheard += 1;
                ControlFlow::Continue(())
            }
        }
    }

    /// An upload that was acknowledged to another caller than ours.
    pub async fn enter(&self, database: &Database, file: &[u8]) {
        let sha256 = digest(file);
        let id = database.number(&format!("select id from images where sha256 = '\\x{sha256}'")).await;
        let upload = Upload { sha256, fate: Fate::Success, sends: 1, acknowledged: Some(id) };
        self.0.lock().unwrap().uploads.push(upload);
    }

    /// The caller deleted it: it shall be gone.
    pub fn deleted(&self, id: i64) {
        self.0.lock().unwrap().deleted.insert(id);
    }

    pub fn has_deletions(&self) -> bool {
        !self.0.lock().unwrap().deleted.is_empty()
    }

    /// The images that were acknowledged and not deleted.
    pub fn acknowledged(&self) -> Vec<i64> {
        let pages = self.0.lock().unwrap();
        let all = pages.uploads.iter().filter_map(|upload| upload.acknowledged);
        all.filter(|id| !pages.deleted.contains(id)).collect()
    }

    /// How an image has to end.
    pub fn fate(&self, id: i64) -> Fate {
        let pages = self.0.lock().unwrap();
        let upload = pages.uploads.iter().find(|upload| upload.acknowledged == Some(id));
        upload.map_or(Fate::Success, |upload| upload.fate)
    }

    /// Compares the book with the rows.
    pub async fn balance(&self, database: &Database) -> Balance {
        let sql = "
            select i.id, i.status, encode(i.sha256, 'hex'), coalesce(i.error_code, ''),
                   coalesce((select max(attempt) from jobs j where j.image_id = i.id), 0)
            from images i";
        let rows = database.rows(sql).await;
        let rows: BTreeMap<i64, (String, String, String, i32)> =
            rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2), row.get(3), row.get(4)))).collect();
        let mut copies: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, sha256, ..) in rows.values() {
            *copies.entry(sha256).or_default() += 1;
        }
        let pages = self.0.lock().unwrap();
        let mut balance = Balance {
            attempted: pages.uploads.len(),
            refused: pages.refused.clone(),
            unheard: pages.unheard,
            deleted: pages.deleted.len(),
            ..Balance::default()
        };
        let mut known = BTreeSet::new();
        for upload in &pages.uploads {
            balance.sends += upload.sends;
            if copies.get(upload.sha256.as_str()).copied().unwrap_or_default() > 1 {
                balance.doubled.push(upload.sha256.clone());
            }
            let Some(id) = upload.acknowledged else { continue };
            balance.acknowledged += 1;
            known.insert(id);
            if pages.deleted.contains(&id) {
                if rows.contains_key(&id) {
                    balance.resurrected.push(id);
                }
                continue;
            }
            match (rows.get(&id), upload.fate) {
                (None, _) => balance.lost.push(format!("image {id} has no row")),
                (Some((status, ..)), _) if status == "processing" => balance.stuck.push(id),
                (Some((_, sha256, ..)), _) if *sha256 != upload.sha256 => {
                    balance.lost.push(format!("image {id} holds other bytes"));
                }
                (Some((status, _, code, _)), Fate::Success) if status == "failed" => {
                    balance.lost.push(format!("image {id} failed: {code}"));
                }
                (Some((status, ..)), Fate::Failed) if status == "success" => {
                    balance.lost.push(format!("image {id} should have failed"));
                }
                (Some((status, _, _, attempts)), _) => {
                    *balance.ended.entry(status.clone()).or_default() += 1;
                    balance.recovered += usize::from(upload.sends > 1 || *attempts > 1);
                }
            }
        }
        // Recorded, and the answer never arrived; the client gave up, so that nobody knows the id.
        balance.unanswered = rows.keys().filter(|id| !known.contains(id)).count();
        balance
    }
}

/// What the ledger comes to.
#[derive(Debug, Default)]
pub struct Balance {
    pub attempted: usize,
    pub sends: u32,
    pub acknowledged: usize,
    pub refused: BTreeMap<u16, u32>,
    pub unheard: u32,
    pub ended: BTreeMap<String, usize>,
    pub recovered: usize,
    pub deleted: usize,
    pub unanswered: usize,
    pub lost: Vec<String>,
    pub doubled: Vec<String>,
    pub stuck: Vec<i64>,
    pub resurrected: Vec<i64>,
}

impl Balance {
    /// Nothing lost, nothing doubled, nothing stuck.
    pub fn is_even(&self) -> bool {
        self.lost.is_empty()
            && self.doubled.is_empty()
            && self.stuck.is_empty()
            && self.resurrected.is_empty()
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "attempted     {:6}  in {} sends", self.attempted, self.sends)?;
        writeln!(f, "acknowledged  {:6}", self.acknowledged)?;
        writeln!(f, "refused sends {:6}  {:?}", self.refused.values().sum::<u32>(), self.refused)?;
        writeln!(f, "unheard sends {:6}", self.unheard)?;
        writeln!(f, "ended         {:6}  {:?}", self.ended.values().sum::<usize>(), self.ended)?;
        writeln!(f, "recovered     {:6}", self.recovered)?;
        writeln!(f, "deleted       {:6}", self.deleted)?;
        writeln!(f, "unanswered    {:6}", self.unanswered)?;
        writeln!(f, "lost          {:6}  {:?}", self.lost.len(), self.lost)?;
        writeln!(f, "doubled       {:6}  {:?}", self.doubled.len(), self.doubled)?;
        writeln!(f, "stuck         {:6}  {:?}", self.stuck.len(), self.stuck)?;
        writeln!(f, "resurrected   {:6}  {:?}", self.resurrected.len(), self.resurrected)
    }
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
