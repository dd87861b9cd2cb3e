//! Attempts to deliver webhooks, as operators see them.

use std::sync::Arc;
use std::time::Duration;

use fanfare_webhooks::{Delivery, DeliveryCause};

use super::fact::LiveFact;
use super::kind::LiveKind;
use super::registry::Taps;
use crate::node::Node;

impl Taps {
    /// Has attempts of webhooks shown, from now on.
    pub fn follow_webhooks(node: &Arc<Node>) {
        // The node holds its webhooks.
        let weak = Arc::downgrade(node);
        node.outgoing.webhooks.set_attempts_heard(Arc::new(move |app, url, delivery| {
            let Some(node) = weak.upgrade() else { return };
            // Tests count in no metric, and what comes too late is no request.
            if !delivery.test && delivery.cause != Some(DeliveryCause::TooLate) {
                node.timings.webhook(Duration::from_millis(delivery.took.into()), delivery.cause.is_some());
            }
            let tenant = node.tenants.of(app);
            if tenant.taps.are_open() {
                let names = delivery.names.iter().collect::<Vec<_>>().join(", ");
                tenant.taps.tell(|| fact(url, &names, delivery));
            }
        }));
    }
}

fn fact<'a>(url: &'a str, names: &'a str, delivery: &'a Delivery) -> LiveFact<'a> {
    let has_failed = delivery.cause.is_some();
    LiveFact {
        event: Some(names),
        code: delivery.status,
        why: has_failed.then_some(&*delivery.text),
        milliseconds: Some(delivery.took.into()),
        url: Some(url),
        ..LiveFact::of(if has_failed { LiveKind::WebhookFailed } else { LiveKind::WebhookDelivered })
    }
}
