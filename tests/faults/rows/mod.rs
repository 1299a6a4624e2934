//! The list of faults, row by row.

mod api;
mod broker;
mod captioner;
mod load;
mod messages;
mod operations;
mod postgres;
mod volume;
mod worker;

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
        operations::rows(),
        load::rows(),
    ];
    rooms.into_iter().flatten().collect()
}
