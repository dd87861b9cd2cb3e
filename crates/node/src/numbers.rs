//! The numbers of an app and of the nodes, of all nodes: what is there now, the last hour, what was refused, who uses which key
//! (CON-020, CON-021, CON-026, CON-044, CON-052, CON-058).
//!
//! Each node tells what it counts anyway; only what several nodes may have, channels and users, is counted in Redis. Nothing is
//! done before somebody asks.

mod refused;
mod told;

use std::collections::BTreeMap;

use fanfare_bus::NodeSubject;
use fanfare_protocol::ids::AppId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::asking::{NodeQuestion, NodeSays, Reached, of_all};
use crate::census;
use crate::history::{HistoryPoint, together};
use crate::listing::{AppTotals, MOST_COUNTED, totals};
use crate::node::Node;
use crate::refusals::MOST_REFUSALS;

pub use self::refused::RefusalOfNodes;
use self::refused::merged;
pub use self::told::{AppNow, KeyNow, RefusalTold};
use self::told::{StatsTold, as_text};

/// Most apps of one question. With ids of 64 characters, quoted and with a comma, the question is just shorter than one may be.
const APPS_OF_A_QUESTION: usize = 900;

/// What nodes ask each other; a later release may know more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NumbersQuestion {
    /// An app now, and its last hour: a [`StatsTold`].
    Stats,
    /// What was refused to clients and back ends of an app, or of none where the app's id is empty: a list of [`RefusalTold`].
    Refusals,
    /// The uses of an app's keys: a list of [`KeyNow`].
    Keys,
    /// What the node says of itself.
    Node,
    /// How many connections each of these apps has: by the app's id, apps without any left out.
    Connections(Vec<String>),
}

impl NodeQuestion for NumbersQuestion {
    const SUBJECT: NodeSubject = NodeSubject::Numbers;
}

/// The numbers of an app on all nodes.
#[derive(Debug)]
pub struct AppStats {
    /// The app now.
    pub now: AppNow,
    /// The app now on each node that has answered.
    pub by_node: BTreeMap<String, AppNow>,
    /// The last hour, the oldest point first.
    pub history: Vec<HistoryPoint>,
    /// Whether `channels` and `users` are what the node with most of them has: all nodes together have that many at least.
    pub is_at_least: bool,
    /// Of which nodes.
    pub reached: Reached,
}

/// The app now, and its last hour.
pub async fn stats(node: &Node, app: &AppId) -> AppStats {
    let own = stats_here(node, app).await;
    let (told, reached) = of_all(node, app, &NumbersQuestion::Stats, own).await;
    let mut now = AppNow::default();
    let (mut by_node, mut histories) = (BTreeMap::new(), Vec::new());
    for NodeSays { name, said: StatsTold { now: there, history }, .. } in told {
        now.add(&there);
        histories.push(history);
        by_node.insert(name, there);
    }
    let is_at_least = !put_distinct(node, app, &mut now, &by_node).await;
    AppStats { now, by_node, history: together(histories), is_at_least, reached }
}

/// Counts channels and users, of which one may be on several nodes. Returns whether they are all: more than are counted of a list
/// would take too long (CON-022).
async fn put_distinct(
    node: &Node,
    app: &AppId,
    now: &mut AppNow,
    by_node: &BTreeMap<String, AppNow>,
) -> bool {
    let is_of_one =
        |count: fn(&AppNow) -> usize| by_node.values().filter(|there| count(there) > 0).count() < 2;
    if is_of_one(|there| there.channels) && is_of_one(|there| there.users) {
        return true;
    }
    let found = match node.bus().filter(|_| now.channels + now.users <= MOST_COUNTED) {
        Some(bus) => census::occupied(node, bus, app).await.ok(),
        None => None,
    };
    let most = |count: fn(&AppNow) -> usize| by_node.values().map(count).max().unwrap_or_default();
    (now.channels, now.users) = found.unwrap_or((most(|there| there.channels), most(|there| there.users)));
    found.is_some()
}

/// The last refusals of an app, or of no app, the newest first, equal ones of all nodes as one row.
pub async fn refusals(node: &Node, app: Option<&AppId>) -> (Vec<RefusalOfNodes>, Reached) {
    let nobody = AppId::from("");
    let own = refusals_here(node, app);
    let (told, reached) = of_all(node, app.unwrap_or(&nobody), &NumbersQuestion::Refusals, own).await;
    let mut rows = merged(told);
    rows.truncate(MOST_REFUSALS);
    (rows, reached)
}

/// Connections now and requests of the last hour by each key of an app that is used.
pub async fn keys(node: &Node, app: &AppId) -> (BTreeMap<String, KeyNow>, Reached) {
    let (told, reached) = of_all(node, app, &NumbersQuestion::Keys, keys_here(node, app)).await;
    let mut keys: BTreeMap<String, KeyNow> = BTreeMap::new();
    for used in told.into_iter().flat_map(|told| told.said) {
        keys.entry(used.key.clone()).and_modify(|known| known.add(&used)).or_insert(used);
    }
    (keys, reached)
}

/// How many connections each of these apps has; apps without any are left out.
pub async fn connections(node: &Node, apps: Vec<String>) -> (BTreeMap<String, usize>, Reached) {
    let mut connections = BTreeMap::new();
    let mut of: Option<Reached> = None;
    let mut left = apps;
    loop {
        let others = left.split_off(left.len().min(APPS_OF_A_QUESTION));
        let own = connections_here(node, &left);
        let question = NumbersQuestion::Connections(left);
        let (told, reached) = of_all(node, &AppId::from(""), &question, own).await;
        for (app, there) in told.into_iter().flat_map(|told| told.said) {
            *connections.entry(app).or_default() += there;
        }
        let reached = match of {
            Some(before) => before.and(&reached),
            None => reached,
        };
        if others.is_empty() {
            return (connections, reached);
        }
        (of, left) = (Some(reached), others);
    }
}

/// What each node says of itself, by its id; this node by its name if there are no others.
pub async fn nodes(node: &Node) -> (BTreeMap<String, Value>, Reached) {
    let own = node.about.now().unwrap_or_default();
    let (told, reached) = of_all(node, &AppId::from(""), &NumbersQuestion::Node, own).await;
    let told = told.into_iter().map(|NodeSays { id, name, said }| (id.unwrap_or(name), said));
    (told.collect(), reached)
}

async fn stats_here(node: &Node, app: &AppId) -> StatsTold {
    let AppTotals { connections, channels, subscriptions, users } = totals(node, app).await;
    let counts = node.tenants.find(app).map(|tenant| tenant.counts(0)).unwrap_or_default();
    let now = AppNow {
        connections,
        channels,
        subscriptions,
        users,
        events: counts.backend_messages + counts.client_messages,
        deliveries: counts.deliveries,
        delivered_bytes: counts.bytes,
        refusals: node.refusals.made(app),
    };
    StatsTold { now, history: node.histories.of(app) }
}

fn refusals_here(node: &Node, app: Option<&AppId>) -> Vec<RefusalTold> {
    node.refusals.show(app).into_iter().map(RefusalTold::of).collect()
}

fn connections_here(node: &Node, apps: &[String]) -> BTreeMap<String, usize> {
    let of = |app: &String| Some((app.clone(), node.hubs.get(&AppId::from(&**app))?.connections()));
    apps.iter().filter_map(of).collect()
}

fn keys_here(node: &Node, app: &AppId) -> Vec<KeyNow> {
    let used = node.tenants.find(app).map(|tenant| tenant.keys.all()).unwrap_or_default();
    used.into_iter()
        .map(|(key, connections, requests)| KeyNow { key: key.to_string(), connections, requests })
        .collect()
}

/// What this node answers to another one that asks; `None` for a question of a later release.
pub(crate) async fn told_to_others(node: &Node, app: &AppId, about: &[u8]) -> Option<Vec<u8>> {
    match serde_json::from_slice(about).ok()? {
        NumbersQuestion::Stats => serde_json::to_vec(&stats_here(node, app).await).ok(),
        NumbersQuestion::Refusals => {
            as_text(&refusals_here(node, Some(app).filter(|app| !app.as_str().is_empty())))
        }
        NumbersQuestion::Keys => as_text(&keys_here(node, app)),
        NumbersQuestion::Connections(apps) => serde_json::to_vec(&connections_here(node, &apps)).ok(),
        NumbersQuestion::Node => serde_json::to_vec(&node.about.now()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use fanfare_bus::MOST_ASKED;

    use super::*;

    #[test]
    fn con_026_a_question_about_as_many_apps_as_fit_is_no_longer_than_nodes_answer() {
        let longest = "a".repeat(64);
        let asked = |apps| serde_json::to_vec(&NumbersQuestion::Connections(vec![longest.clone(); apps]));
        assert!(asked(APPS_OF_A_QUESTION).expect("it is JSON").len() <= MOST_ASKED);
        assert!(
            asked(1000).expect("it is JSON").len() > MOST_ASKED,
            "of one page of apps in one question nobody answers"
        );
    }

    #[test]
    fn con_026_two_answers_together_are_of_the_nodes_that_have_given_both() {
        let reached = |nodes: &[&str], missing: Option<&[&str]>| Reached {
            is_alone: false,
            nodes: nodes.iter().map(ToString::to_string).collect(),
            missing: missing.map(|missing| missing.iter().map(ToString::to_string).collect()),
        };
        let first = reached(&["one", "two"], Some(&["three"]));
        let both = first.clone().and(&reached(&["one", "three"], Some(&["two", "three"])));
        assert_eq!(both, reached(&["one"], Some(&["three", "two"])));
        assert_eq!(first.and(&reached(&["one"], None)), reached(&["one"], None));
    }
}
