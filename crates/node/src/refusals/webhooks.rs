//! What webhooks will never deliver, as a refusal of their app.

use std::sync::{Arc, Weak};

use fanfare_protocol::ids::AppId;
use fanfare_webhooks::{Losses, Lost};

use super::noted::{NotedRefusal, RefusalKind};
use crate::node::Node;

/// Weak, because the node holds its webhooks.
struct LostEvents(Weak<Node>);

/// Has losses of webhooks made known, from now on.
pub fn follow_webhooks(node: &Arc<Node>) {
    node.outgoing.webhooks.set_losses(Arc::new(LostEvents(Arc::downgrade(node))));
}

impl Losses for LostEvents {
    fn lost(&self, app: &AppId, host: &str, Lost { no_room, given_up }: Lost) {
        let Some(node) = self.0.upgrade() else { return };
        let given_up = (given_up, "given_up", "were given up: not delivered in time, or not wanted any more");
        let no_room = (no_room, "no_room", "were dropped: too many wait");
        for (count, cause, what) in [given_up, no_room] {
            if count > 0 {
                let text = format!("events for the webhook of {host} {what}");
                let refusal =
                    NotedRefusal { count, ..NotedRefusal::new(RefusalKind::Webhook, None, cause, &text) };
                node.note_refusal(Some(app), &refusal);
            }
        }
    }
}

/// Events for an app's webhooks found no room in the queues between the nodes.
pub(crate) fn dropped_between_nodes(node: &Node, app: &AppId, events: u64) {
    let text = "events for webhooks were dropped: too many wait between the nodes";
    let refusal = NotedRefusal {
        count: events,
        ..NotedRefusal::new(RefusalKind::Webhook, None, "no_room_between_nodes", &text)
    };
    node.note_refusal(Some(app), &refusal);
}

/// Kept requests of an app's webhooks were dropped.
pub(crate) fn kept_dropped(node: &Node, app: &AppId, reason: &'static str, events: u64) {
    let text = format!("events that were kept for a durable webhook were dropped: {reason}");
    let refusal = NotedRefusal {
        count: events,
        ..NotedRefusal::new(RefusalKind::Webhook, None, "kept_dropped", &text)
    };
    node.note_refusal(Some(app), &refusal);
}
