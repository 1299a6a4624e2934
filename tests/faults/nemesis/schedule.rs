//! What the nemesis does, drawn from a seed: the same each time.

use crate::servers::Shutdown;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// A fault, as it is injected. Which of several workers it meets is drawn when it happens.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    WorkerKilled,
    WorkerStalled,
    WorkerStopped,
    Workers(usize),
    ApiKilled(usize),
    ApiStopped(usize),
    BrokerStopped,
    BrokerKilled,
    BrokerCut,
    BrokerDeaf(Ear),
    BrokerSlow,
    BrokerAlarmed,
    QueuePurged(&'static str),
    QueueDeleted(&'static str),
    ConnectionsClosed,
    MessagesDoubled,
    Postgres(Shutdown),
    PostgresCut,
    PostgresDeaf(Ear),
    PostgresSlow,
    BackendsEnded,
    TableLocked(&'static str),
    CaptionerOut,
    CaptionerHangs,
    VolumeGone,
}

/// Which direction is lost.
#[derive(Debug, Clone, Copy)]
pub enum Ear {
    Server,
    Client,
    Both,
}

/// One fault, when it begins after the one before has ended, and how long it lasts.
#[derive(Debug, Clone, Copy)]
pub struct Stroke {
    pub pause: Duration,
    pub fault: Fault,
    pub length: Duration,
}

/// An endless schedule.
pub fn schedule(seed: u64) -> impl Iterator<Item = Stroke> {
    let mut chance = StdRng::seed_from_u64(seed);
    std::iter::from_fn(move || {
        let fault = draw(&mut chance);
        let between =
            |chance: &mut StdRng, from: f64, to: f64| Duration::from_secs_f64(chance.random_range(from..to));
        Some(Stroke { pause: between(&mut chance, 2.0, 8.0), fault, length: between(&mut chance, 1.0, 8.0) })
    })
}

fn draw(chance: &mut StdRng) -> Fault {
    let ear = |chance: &mut StdRng| *[Ear::Server, Ear::Client, Ear::Both].choose(chance).unwrap();
    match chance.random_range(0..25) {
        0 => Fault::WorkerKilled,
        1 => Fault::WorkerStalled,
        2 => Fault::WorkerStopped,
        3 => Fault::Workers(chance.random_range(0..6)),
        4 => Fault::ApiKilled(chance.random_range(0..2)),
        5 => Fault::ApiStopped(chance.random_range(0..2)),
        6 => Fault::BrokerStopped,
        7 => Fault::BrokerKilled,
        8 => Fault::BrokerCut,
        9 => Fault::BrokerDeaf(ear(chance)),
        10 => Fault::BrokerSlow,
        11 => Fault::BrokerAlarmed,
        12 => Fault::QueuePurged(["image", "caption", "webhook"].choose(chance).unwrap()),
        13 => Fault::QueueDeleted(["image", "caption", "webhook", "dead"].choose(chance).unwrap()),
        14 => Fault::ConnectionsClosed,
        15 => Fault::MessagesDoubled,
        16 => {
            Fault::Postgres(*[Shutdown::Fast, Shutdown::Immediate, Shutdown::Killed].choose(chance).unwrap())
        }
        17 => Fault::PostgresCut,
        18 => Fault::PostgresDeaf(ear(chance)),
        19 => Fault::PostgresSlow,
        20 => Fault::BackendsEnded,
        21 => Fault::TableLocked(["images", "jobs", "tally_deltas"].choose(chance).unwrap()),
        22 => Fault::CaptionerOut,
        23 => Fault::CaptionerHangs,
        _ => Fault::VolumeGone,
    }
}
