//! Events come into order.

use super::Relay;
use super::recovery::repeat;
use crate::store::{Notice, StoreError, Subscription};
use std::time::Duration;

/// What happens within this time is numbered by one statement. It is also all that an event waits for, once a relay is told.
const GATHERED: Duration = Duration::from_millis(50);

impl Relay {
    /// An upload wakes the relay of its own process, and all else each of them; the first one there numbers it; the others find nothing left.
    pub(super) async fn number_events_for_ever(&self) {
        repeat("numbering events", GATHERED, |health| async move {
            if health.is_failing() {
                tokio::time::sleep(self.poll).await;
            }
            // Before looking at the rows: what happens from here on is noticed.
            let notices = self.notices.subscribe();
            while self.store.number_events().await? {}
            self.wait_for_changes(notices).await;
            Ok::<_, StoreError>(())
        })
        .await;
    }

    async fn wait_for_changes(&self, mut notices: Subscription) {
        let noticed = async { while notices.next().await == Notice::EventsNumbered {} };
        // Running out of time is the ordinary case of the safety net.
        tokio::time::timeout(self.poll, noticed).await.ok();
    }
}
