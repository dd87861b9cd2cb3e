//! A failed delivery once more, when an operator asks for it (CON-054).
//!
//! Sends what was sent, byte for byte, past the URL's queue, and tries once: what waits of the same request goes its own way, so
//! that the receiver may get the events twice.

use fanfare_protocol::app::App;
use serde::{Deserialize, Serialize};

use crate::attempt::Attempt;
use crate::delivery::Delivery;
use crate::request::Prepared;
use crate::trial::NotTested;
use crate::webhooks::Webhooks;

/// What became of a repeated delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeated {
    /// The URL.
    pub url: String,
    /// How the attempt ended.
    pub delivery: Delivery,
}

/// Why nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NotRepeated {
    /// The app has no delivery of this number on this node.
    #[error("No delivery of this name is known: a node keeps the last 50 of each URL until the node ends")]
    NoSuchDelivery,
    /// The delivery has succeeded.
    #[error("This delivery was answered with 2xx: only one that failed is repeated")]
    HasSucceeded,
    /// What was sent is not kept any more.
    #[error("What was sent is not kept any more: a node keeps the last megabyte for each URL, and no test")]
    NotKept,
    /// The app has no valid key, or too much was asked for.
    #[error(transparent)]
    NotTested(#[from] NotTested),
}

impl Webhooks {
    /// Repeats the failed delivery of this number; counts in no metric and no usage, but with the tests of a minute.
    ///
    /// # Errors
    /// There is no such delivery, or it cannot be repeated; nothing is sent then.
    pub async fn repeat(&self, app: &App, number: u64) -> Result<Repeated, NotRepeated> {
        let shared = &self.shared;
        let found = shared.histories.find(&app.id, number);
        let (url, delivery, sent) = found.ok_or(NotRepeated::NoSuchDelivery)?;
        if delivery.cause.is_none() {
            return Err(NotRepeated::HasSucceeded);
        }
        let sent = sent.ok_or(NotRepeated::NotKept)?;
        if !app.webhooks.iter().any(|webhook| webhook.url == url) {
            return Err(NotRepeated::NoSuchDelivery);
        }
        let credential = app.credential(&sent.key).or(app.credentials.first());
        let request = Prepared::of_kept(&sent, credential.ok_or(NotTested::NoKey)?);
        let _turn = self.trials.enter(&app.id)?;
        let attempt =
            Attempt::make(&shared.client, (&app.id, &url), &request, shared.settings().timeout).await;
        // Also where another key signs, because the first one was revoked.
        let mut delivery = Delivery { request: delivery.request, ..attempt.of(&request, false) };
        let history = shared.histories.of(&app.id, &url);
        delivery.number = shared.keep(&app.id, &history, (delivery.clone(), Some(sent)));
        Ok(Repeated { url, delivery })
    }
}
