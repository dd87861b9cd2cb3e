//! From the relay to the crate `webhooks`, which tells back ends.
//!
//! Never waits for a URL.

use std::sync::Arc;

use fanfare_hub::AppHub;
use fanfare_webhooks::{News, Tally};
use tokio::time::Instant;

use crate::node::Node;

/// Takes over the news of an app. Webhooks count on the app's numbers.
pub fn hear(node: &Node, hub: &AppHub, news: News) {
    let tally: Arc<dyn Tally> = node.tenants.of(&hub.app().id);
    node.outgoing.webhooks.hear(&tally, news, || hub.app());
}

/// Sends delayed events that are due; returns when the next is due, if any is delayed. The moment may be in the past.
pub fn tell_due(node: &Node) -> Option<Instant> {
    node.outgoing.webhooks.tell_due()
}

/// Sends everything that waits, and drops the rest at the deadline.
pub async fn end(node: &Node, deadline: Instant) {
    node.outgoing.webhooks.end(deadline).await;
}
