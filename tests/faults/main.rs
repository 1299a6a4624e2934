//! Faults: real processes, a PostgreSQL and a RabbitMQ of its own, and everything that machines do to them. After each
//! fault the invariants of the design are checked from outside; each trial is a row of the list of faults.
//!
//! ```text
//! cargo test --test faults                              a quick look, some minutes
//! cargo test --test faults -- broker::                  the trials whose name contains this
//! cargo test --test faults -- --thorough --seed 7       as long and as often as users' machines would
//! cargo test --test faults -- --nemesis 30 --seed 7     random faults under steady load, with a ledger at the end
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test ends by panicking, and this crate has no outside"
)]

mod caller;
mod invariants;
mod ledger;
mod nemesis;
mod residents;
mod rows;
mod servers;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod trial;

use libtest_mimic::Arguments;
use std::process::ExitCode;
use trial::Run;

/// The options that are ours; all others are those of every test binary.
struct Options {
    seed: u64,
    thorough: bool,
    nemesis_minutes: Option<f64>,
}

fn main() -> ExitCode {
    let (options, others) = options(std::env::args());
    // The crowds of the trials have their sockets here.
    darkroom::app::raise_descriptor_limit(10_000);
    let mut arguments = Arguments::from_iter(others);
    // Trials mostly wait; one that breaks a server runs without those that need it.
    arguments.test_threads.get_or_insert(3);
    let run = Run::new(options.seed, options.thorough);
    if !arguments.list {
        println!("seed {}", options.seed);
    }
    if let Some(minutes) = options.nemesis_minutes {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(nemesis::run(&run, minutes));
        drop(run);
        return ExitCode::SUCCESS;
    }
    let trials = rows::all().into_iter().map(|row| row.into_trial(run.clone())).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The servers end here, and their folders with them.
    drop(run);
    conclusion.exit_code()
}

fn options(arguments: impl Iterator<Item = String>) -> (Options, Vec<String>) {
    let mut options =
        Options { seed: rand::random_range(1..1_000_000), thorough: false, nemesis_minutes: None };
    let (mut others, mut arguments) = (Vec::new(), arguments);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--seed" => options.seed = value().parse().expect("a whole number"),
            "--nemesis" => options.nemesis_minutes = Some(value().parse().expect("minutes")),
            "--thorough" => options.thorough = true,
            _ => others.push(argument),
        }
    }
    (options, others)
}
