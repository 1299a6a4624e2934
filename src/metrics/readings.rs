//! What is not counted but read, at the moment when somebody asks.

use super::labels::KindLabel;
use crate::domain::Backlog;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

type Number = Gauge<f64, AtomicU64>;

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// What the database says.
    pub database: Database,
    /// The pool of connections to it.
    pub connections: Connections,
    /// The volume, or the bucket in its place.
    pub volume: Volume,
    /// Clients that follow events, where they can.
    pub event_clients: Option<usize>,
}

/// What the database says of the whole.
#[derive(Debug, Clone, Default)]
pub enum Database {
    /// It is not asked in this process.
    #[default]
    NotAsked,
    /// It did not answer, or not in time.
    Away,
    /// By kind.
    Answers(Vec<Backlog>),
}

/// Connections to the database that this process holds or waits for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Connections {
    /// Open ones.
    pub open: usize,
    /// Of these, lent to nobody.
    pub idle: usize,
    /// Those who wait for one.
    pub waiting: usize,
    /// As many as may be open.
    pub most: usize,
}

/// What is known of the volume.
#[derive(Debug, Clone, Copy, Default)]
pub enum Volume {
    /// It did not answer.
    #[default]
    Away,
    /// It is a bucket, which is never full.
    Endless,
    /// It has a size, in bytes.
    Bounded {
        /// What can still be written.
        free: u64,
        /// All of it.
        total: u64,
    },
}

impl Readings {
    pub(super) fn register(&self, registry: &mut Registry) {
        self.register_database(registry);
        let Connections { open, idle, waiting, most } = self.connections;
        for (name, help, value) in [
            (
                "darkroom_database_connections",
                "Connections to PostgreSQL that the pool of this process holds",
                open,
            ),
            ("darkroom_database_connections_idle", "Connections of the pool that nobody uses", idle),
            ("darkroom_database_connections_max", "As many connections as the pool may hold", most),
            ("darkroom_database_connections_awaited", "Those who wait for a connection of the pool", waiting),
        ] {
            registry.register(name, help, number(value as f64));
        }
        let help = "Whether the volume, or the bucket in its place, answered in time";
        let is_up = !matches!(self.volume, Volume::Away);
        registry.register("darkroom_volume_up", help, number(f64::from(u8::from(is_up))));
        if let Volume::Bounded { free, total } = self.volume {
            let help = "What can still be written to the volume of originals and thumbnails";
            registry.register_with_unit("darkroom_volume_free", help, Unit::Bytes, number(free as f64));
            let help = "The size of the volume of originals and thumbnails";
            registry.register_with_unit("darkroom_volume_size", help, Unit::Bytes, number(total as f64));
        }
        if let Some(clients) = self.event_clients {
            registry.register("darkroom_event_clients", "Clients that follow events", number(clients as f64));
        }
    }

    fn register_database(&self, registry: &mut Registry) {
        let (is_up, backlogs) = match &self.database {
            Database::NotAsked => return,
            Database::Away => (0.0, &[][..]),
            Database::Answers(backlogs) => (1.0, backlogs.as_slice()),
        };
        let help = "Whether PostgreSQL answered the questions behind this scrape in time; if not, the backlog is not told";
        registry.register("darkroom_database_up", help, number(is_up));
        let by_kind = |of: fn(&Backlog) -> f64| {
            let family = Family::<KindLabel, Number>::default();
            for backlog in backlogs {
                family.get_or_create(&backlog.kind.into()).set(of(backlog));
            }
            family
        };
        let help = "Jobs that are due and that no worker has in hand, in the whole installation; above 200,000 no longer exact";
        registry.register(
            "darkroom_jobs_waiting",
            help,
            by_kind(|of| (of.announced + of.unannounced) as f64),
        );
        let help = "Jobs that are due and that the relay has not handed to the broker; above 100,000 no longer exact";
        registry.register("darkroom_jobs_unannounced", help, by_kind(|of| of.unannounced as f64));
        let help = "Jobs that are not due yet: retries, and calls that wait for their turn or for a budget; above 100,000 no \
                    longer exact";
        registry.register("darkroom_jobs_postponed", help, by_kind(|of| of.postponed as f64));
        let help = "How long the job at the head of the queue has been due; 0 if none waits";
        let oldest = by_kind(|of| of.oldest.as_secs_f64());
        registry.register_with_unit("darkroom_oldest_waiting", help, Unit::Seconds, oldest);
    }
}

fn number(value: f64) -> Number {
    let gauge = Number::default();
    gauge.set(value);
    gauge
}
