//! The list of faults, row by row.

mod api;
mod broker;
mod captioner;
mod events;
mod load;
mod messages;
mod operations;
mod postgres;
mod upgrades;
mod volume;
mod webhooks;
mod worker;

use crate::servers::is_root;
use crate::trial::Row;

pub fn all() -> Vec<Row> {
    let rooms = [
        worker::rows(),
        broker::rows(),
        postgres::rows(),
        api::rows(),
        messages::rows(),
        volume::rows(),
        captioner::rows(),
        events::rows(),
        webhooks::rows(),
        operations::rows(),
        load::rows(),
        upgrades::rows(),
    ];
    let needs_mount = ["volume::full", "volume::out_of_inodes", "volume::read_only"];
    let rows = rooms.into_iter().flatten();
    rows.map(|row| {
        let left_out = needs_mount.contains(&row.name()) && !is_root()
            || row.name().starts_with("upgrades::") && upgrades::previous().is_none();
        row.left_out(left_out)
    })
    .collect()
}
