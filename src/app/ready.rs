//! What a process opens when all that it stands on is there.

use super::{Serving, part};
use crate::access::Access;
use crate::files::Files;
use crate::http::{self, Feed, Gauges, Opening, Probes, State};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::relay::Relay;
use crate::settings::Settings;
use crate::store::{Notices, Store};
use tokio_util::sync::CancellationToken;

/// What it stands on.
pub(super) struct Ready<'a> {
    pub(super) store: &'a Store,
    pub(super) files: &'a Files,
    pub(super) metrics: &'a Metrics,
    pub(super) settings: &'a Settings,
    pub(super) stop: &'a CancellationToken,
}

impl Ready<'_> {
    /// Health and metrics.
    pub(super) fn open_worker(&self, opening: &Opening, probes: Probes) {
        let gauges = Gauges::of_worker(self.metrics.clone(), self.store, self.files);
        opening.open(http::worker(probes, gauges, self.settings.http.request));
    }

    /// The API, for as many `connections`; the answer is what has to run behind it: the feed of events, and the relay.
    pub(super) fn open_server(
        &self,
        opening: &Opening,
        probes: Probes,
        queue: &Queue,
        connections: usize,
    ) -> [Serving; 2] {
        let Self { store, files, metrics, settings, stop } = *self;
        let notices = Notices::start(store, stop.clone());
        let feed = Feed::new(store, settings, connections);
        let feeding = feed.clone().run(notices.clone(), settings.relay.poll, stop.clone());
        let gauges = Gauges::of_server(metrics.clone(), store, files, &feed);
        let state = State::new(
            store.clone(),
            files.clone(),
            notices.clone(),
            feed,
            metrics.clone(),
            settings,
            stop.clone(),
        );
        let access = Access::start(store, settings, stop.clone());
        let probes = with_keys(probes, &access);
        opening.open(http::api(state, probes, gauges, access));
        let relay =
            Relay::new(store.clone(), queue.clone(), files.clone(), notices, metrics.clone(), settings);
        [Box::pin(part(feeding)), Box::pin(part(relay.run(stop.clone())))]
    }
}

/// Where keys are asked for, nobody is served by a process that cannot read them.
fn with_keys(probes: Probes, access: &Access) -> Probes {
    if !access.asks_for_keys() {
        return probes;
    }
    let access = access.clone();
    probes.with("keys", true, move || std::future::ready(access.check()))
}
