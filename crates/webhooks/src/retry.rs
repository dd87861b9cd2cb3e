//! Attempts at requests that a backlog has kept.
//!
//! Decides nothing of when: whoever has the backlog says.

use std::time::Duration;

use fanfare_protocol::app::App;
use tokio::time::Instant;

use crate::attempt::Attempt;
use crate::backlog::KeptRequest;
use crate::queue::backoff;
use crate::request::Prepared;
use crate::settings::Tally;
use crate::webhooks::Webhooks;

/// How an attempt at a kept request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// The URL has answered with 2xx.
    Delivered,
    /// The request is to be tried again after this time (HOOK-023).
    Failed(Duration),
    /// The app has no such webhook any more, or no key: the request is never sent.
    Unwanted,
}

impl Webhooks {
    /// Does work that sends kept requests, one after another, when it is its turn among URLs that fail.
    pub async fn in_turn<T>(&self, work: impl Future<Output = T>) -> T {
        self.shared.turns.patient(work).await
    }

    /// Makes an attempt at a kept request, within `webhooks.timeout`; to be called in a turn. Body, key and signature are
    /// those of the first attempt, unless the key was revoked: then the oldest valid one signs.
    pub async fn retry(&self, tally: &dyn Tally, app: &App, url: &str, request: &KeptRequest) -> Retried {
        let is_wanted = app.webhooks.iter().any(|webhook| webhook.enabled && webhook.url == url);
        let credential = app.credential(&request.key).or(app.credentials.first());
        let Some(credential) = credential.filter(|_| is_wanted) else { return Retried::Unwanted };
        let shared = &self.shared;
        let prepared = Prepared::of_kept(request, credential);
        let attempt =
            Attempt::make(&shared.client, (&app.id, url), &prepared, shared.settings().timeout).await;
        let delivery = attempt.of(&prepared, attempt.outcome.is_err());
        let sent = prepared.to_keep(Instant::now(), Duration::ZERO);
        shared.keep(&app.id, &shared.histories.of(&app.id, url), (delivery, Some(sent)));
        match attempt.outcome {
            Ok(_) => {
                tally.delivered();
                Retried::Delivered
            }
            Err(failure) => {
                tally.failed();
                let app = app.id.as_str();
                tracing::debug!(target: "fanfare::webhooks", app, %failure, "kept webhook failed");
                Retried::Failed(backoff(shared.settings().first_retry, request.failed))
            }
        }
    }
}
