//! The last deliveries of an app's webhooks, of all nodes (CON-054).
//!
//! Nodes tell each other in JSON, of which a field of another release is ignored. A node asks the others ten times a second at
//! most, for all apps together, because each answer goes through Redis to every node.

use fanfare_bus::{KnownNode, NodeSubject, NodesSaid};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::{Delivery, MOST_DELIVERIES, UrlHistory};

use crate::node::Node;

/// Most questions to the other nodes in a second.
const MOST_IN_A_SECOND: usize = 10;

/// The deliveries of an app, and who was asked for them.
#[derive(Debug)]
pub struct AppDeliveries {
    /// The app's webhooks, in the order of the settings.
    pub webhooks: Vec<WebhookDeliveries>,
    /// The names of the nodes that have answered, this one first.
    pub nodes: Vec<String>,
    /// The names of the nodes that have not within a second; `None` if nobody was asked, because Redis is away, or too much
    /// is asked.
    pub missing: Option<Vec<String>>,
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

/// What one node has said.
struct Said {
    /// What tells the node from others of its name.
    key: Option<String>,
    name: String,
    urls: Vec<UrlHistory>,
}

/// Asks all nodes for the last deliveries of an app's webhooks.
pub async fn of_app(node: &Node, app: &App) -> AppDeliveries {
    let mut said = vec![Said {
        key: node.bus().map(|bus| bus.own_id().to_owned()),
        name: node.name().to_owned(),
        urls: node.outgoing.webhooks.histories(&app.id),
    }];
    let missing = match others(node, app).await {
        Some(NodesSaid { answers, missing }) => {
            let mut missing: Vec<String> = missing.into_iter().map(name_of).collect();
            for (known, text) in answers {
                match serde_json::from_slice(&text) {
                    Ok(urls) => said.push(Said { key: Some(known.id.clone()), name: name_of(known), urls }),
                    Err(_) => missing.push(name_of(known)),
                }
            }
            Some(missing)
        }
        None => None,
    };
    let nodes = said.iter().map(|said| said.name.clone()).collect();
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
    for Said { key, name, urls } in said {
        for history in urls {
            if let Some(webhook) = webhooks.iter_mut().find(|webhook| webhook.url == history.url) {
                webhook.add(key.as_deref(), &name, history);
            }
        }
    }
    for webhook in &mut webhooks {
        // The same order, whichever node is asked.
        webhook.deliveries.sort_by(|one, other| other.place().cmp(&one.place()));
        webhook.deliveries.truncate(MOST_DELIVERIES);
    }
    AppDeliveries { webhooks, nodes, missing }
}

/// The number of a delivery of this node by its name; `None` for a name of another node's, or of none.
#[must_use]
pub fn number_here(node: &Node, id: &str) -> Option<u64> {
    let number = match node.bus() {
        Some(bus) => id.strip_prefix(bus.own_id())?.strip_prefix('-')?,
        None => id,
    };
    number.parse().ok()
}

/// What this node answers to another one that asks.
pub(crate) fn told_to_others(node: &Node, app: &AppId) -> Option<Vec<u8>> {
    serde_json::to_vec(&node.outgoing.webhooks.histories(app)).ok()
}

/// What the other nodes say; `None` if they were not asked.
async fn others(node: &Node, app: &App) -> Option<NodesSaid> {
    let Some(bus) = node.bus() else { return Some(NodesSaid::default()) };
    if !node.asking_nodes.take(1, MOST_IN_A_SECOND, node.nanoseconds()) {
        return None;
    }
    bus.ask_nodes(&app.id, (NodeSubject::WebhookDeliveries, b"")).await.ok()
}

pub(crate) fn name_of(known: KnownNode) -> String {
    known.says.map_or(known.id, |says| says.name)
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
