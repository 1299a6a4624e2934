//! The webhook job: one call that tells of an event.

use super::Worker;
use super::attempt::Outcome;
use crate::domain::{Failure, FailureCode, WebhookCall, WebhookEvent};
use crate::store::{Ending, History};
use std::time::Instant;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

impl Worker {
    pub(super) async fn webhook_job(
        &self,
        event: &WebhookEvent,
        now: OffsetDateTime,
        cancelled: &CancellationToken,
    ) -> Outcome {
        let begun = Instant::now();
        let untold = |failure| WebhookCall {
            took: begun.elapsed(),
            status: None,
            answer: None,
            failure: Some(failure),
        };
        let call = match &self.webhooks {
            Some(webhooks) => {
                let called = cancelled.run_until_cancelled(webhooks.deliver(event, now)).await;
                let call = called.unwrap_or_else(|| {
                    let text = "the lease was lost during the call";
                    untold(Failure::transient(FailureCode::WebhookUnreachable, text))
                });
                self.metrics.webhook_called(call.failure.as_ref().map(Failure::code), call.took);
                call
            }
            // Such a worker takes no webhooks; only a message that names another kind than its job has leads here.
            None => untold(Failure::transient(
                FailureCode::WebhookUnreachable,
                "this worker has no webhooks.secret to sign with",
            )),
        };
        let result = call.failure.clone().map_or(Ok(Ending::Delivered), Err);
        Outcome { history: History::Call(call), result }
    }
}
