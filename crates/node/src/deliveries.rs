//! The last deliveries of an app's webhooks, of all nodes, and repeating one on the node that has made it (CON-054).
//!
//! Nodes tell each other in JSON, of which a field of another release is ignored.

mod again;

use fanfare_bus::NodeSubject;
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::{Delivery, MOST_DELIVERIES, UrlHistory};
use serde::Serialize;
use tokio::join;

use crate::asking::{NodeQuestion, NodeSays, Reached, of_all};
use crate::backlog::{self, AppBacklog};
use crate::node::Node;

pub(crate) use self::again::repeat_for_others;
pub use self::again::{NotRepeatedThere, repeat};

/// The deliveries of an app, and who was asked for them.
#[derive(Debug)]
pub struct AppDeliveries {
    /// The app's webhooks, in the order of the settings.
    pub webhooks: Vec<WebhookDeliveries>,
    /// What is known of the requests that are kept in the database, for all nodes.
    pub backlog: AppBacklog,
    /// Of which nodes.
    pub reached: Reached,
}

/// What nodes ask each other; the app is all there is to say.
#[derive(Serialize)]
struct DeliveriesQuestion;

impl NodeQuestion for DeliveriesQuestion {
    const SUBJECT: NodeSubject = NodeSubject::WebhookDeliveries;
}

/// What is known of a URL.
#[derive(Debug)]
pub struct WebhookDeliveries {
    /// The URL.
    pub url: String,
    /// Whether the webhook is enabled.
    pub enabled: bool,
    /// Whether the last attempt of each node was answered with 2xx; `None` before the first.
    pub works: Option<bool>,
    /// Since when that is so, in milliseconds since 1970; 0 before the first.
    pub since: u64,
    /// Events that wait for their delivery, or are under way.
    pub waiting: usize,
    /// The last deliveries, the newest first.
    pub deliveries: Vec<NodeDelivery>,
}

/// A delivery of a node.
#[derive(Debug)]
pub struct NodeDelivery {
    /// The delivery's name among those of all nodes.
    pub id: String,
    /// The name of the node.
    pub node: String,
    /// The delivery.
    pub delivery: Delivery,
}

impl NodeDelivery {
    /// By the time, then by the number of the node.
    fn place(&self) -> (u64, u64, &str) {
        (self.delivery.at, self.delivery.number, &self.id)
    }
}

/// Asks all nodes for the last deliveries of an app's webhooks.
pub async fn of_app(node: &Node, app: &App) -> AppDeliveries {
    let own = node.outgoing.webhooks.histories(&app.id);
    let asking = of_all(node, &app.id, &DeliveriesQuestion, own);
    let ((said, reached), backlog) = join!(asking, backlog::counted(node, app));
    let mut webhooks: Vec<WebhookDeliveries> = app
        .webhooks
        .iter()
        .map(|webhook| WebhookDeliveries {
            url: webhook.url.clone(),
            enabled: webhook.enabled,
            works: None,
            since: 0,
            waiting: 0,
            deliveries: Vec::new(),
        })
        .collect();
    for NodeSays { id, name, said } in said {
        for history in said {
            if let Some(webhook) = webhooks.iter_mut().find(|webhook| webhook.url == history.url) {
                webhook.add(id.as_deref(), &name, history);
            }
        }
    }
    for webhook in &mut webhooks {
        // The same order, whichever node is asked.
        webhook.deliveries.sort_by(|one, other| other.place().cmp(&one.place()));
        webhook.deliveries.truncate(MOST_DELIVERIES);
    }
    AppDeliveries { webhooks, backlog, reached }
}

/// What this node answers to another one that asks.
pub(crate) fn told_to_others(node: &Node, app: &AppId) -> Option<Vec<u8>> {
    serde_json::to_vec(&node.outgoing.webhooks.histories(app)).ok()
}

impl WebhookDeliveries {
    /// Adds what a node has said. A URL fails if it fails for one of the nodes.
    fn add(&mut self, key: Option<&str>, name: &str, history: UrlHistory) {
        let UrlHistory { works, since, waiting, deliveries, .. } = history;
        match (self.works, works) {
            (_, None) | (Some(false), Some(true)) => {}
            (before, _) if before == works => self.since = self.since.min(since),
            _ => (self.works, self.since) = (works, since),
        }
        self.waiting += waiting;
        self.deliveries.extend(deliveries.into_iter().map(|delivery| {
            let number = delivery.number;
            let id = key.map_or_else(|| number.to_string(), |key| format!("{key}-{number}"));
            NodeDelivery { id, node: name.to_owned(), delivery }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn con_054_a_url_works_if_no_node_sees_it_fail_since_the_earliest_moment() {
        let found = |told: &[(Option<bool>, u64)]| {
            let (url, enabled) = (String::new(), true);
            let mut webhook =
                WebhookDeliveries { url, enabled, works: None, since: 0, waiting: 0, deliveries: Vec::new() };
            for &(works, since) in told {
                webhook.add(None, "a", UrlHistory { works, since, waiting: 2, ..UrlHistory::default() });
            }
            assert_eq!(webhook.waiting, 2 * told.len());
            (webhook.works, webhook.since)
        };
        assert_eq!(found(&[(None, 0), (None, 0)]), (None, 0));
        assert_eq!(found(&[(None, 0), (Some(true), 7), (Some(true), 5), (None, 0)]), (Some(true), 5));
        assert_eq!(
            found(&[(Some(true), 1), (Some(false), 9), (Some(true), 2), (Some(false), 8)]),
            (Some(false), 8)
        );
    }
}
