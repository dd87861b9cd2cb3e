//! Usage on its way to a database and back, without a clock.

use std::path::Path;

use fanfare_apps::{Apps, Database, OperationError, Usage};
use fanfare_hub::{Budget, Conn, Subscriptions};
use fanfare_protocol::app::App;
use fanfare_protocol::ids::SocketId;
use prometheus_client::registry::Registry;

use super::*;
use crate::node::NodeBounds;
use crate::tasks::Tasks;
use crate::tenants::{EventCounts, Source};
use fanfare_config::Config;

/// A name that the table refuses, so that every write under it fails.
const NO_NODE: &str = "";

async fn node_in(folder: &Path) -> Node {
    let database = Database::parse("sqlite", folder).expect("a database");
    let config = Config::default();
    let apps = Apps::open(Vec::new(), Some(database), config.kept()).await.expect("it can be opened");
    Node::new(config, apps, Tasks::default(), NodeBounds::default(), Registry::default())
}

fn app(messages_per_day: usize) -> App {
    App { messages_per_day: Some(messages_per_day), ..App::new(AppId::from("7"), Vec::new()) }
}

/// Publishes this many messages, as far as quotas and counters see.
fn publish(node: &Node, messages: usize) -> bool {
    let tenant = node.tenants.of(&AppId::from("7"));
    let is_let_through = tenant.admit(&app(10), messages, node.moment()).is_ok();
    if is_let_through {
        let counts = EventCounts { messages: messages as u64, deliveries: 2, bytes: 100 };
        tenant.count_event(Source::BackEnd, counts);
    }
    is_let_through
}

async fn stored(node: &Node) -> Vec<HourOfUsage> {
    match node.apps.usage("7", 0, u64::MAX).await {
        Ok(hours) => hours,
        // Nothing was stored of an app that is not in the database.
        Err(OperationError::NoSuchApp(_)) => Vec::new(),
        Err(error) => panic!("the database answers: {error}"),
    }
}

fn used(hour: u64, messages: u64, events: u64, peak_connections: u64) -> HourOfUsage {
    let usage = Usage {
        peak_connections,
        backend_messages: messages,
        client_messages: 0,
        deliveries: 2 * events,
        delivered_bytes: 100 * events,
        ..Usage::default()
    };
    HourOfUsage { hour, usage }
}

#[tokio::test]
async fn what_could_not_be_written_is_written_the_next_time_and_only_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = node_in(folder.path()).await;
    learn_earlier(&node, "node", node.tenants.all()).await;
    assert!(publish(&node, 3));
    learn_earlier(&node, "node", node.tenants.made().await).await;
    close_books(&node, 10);
    write(&node, NO_NODE).await;
    assert_eq!(stored(&node).await, []);
    node.tenants.drop_idle(1000);
    assert_eq!(node.tenants.all().len(), 1, "its numbers are stored nowhere else");
    assert!(publish(&node, 4));
    close_books(&node, 11);
    for _ in 0..2 {
        write(&node, "node").await;
    }
    assert_eq!(stored(&node).await, [used(10, 3, 1, 0), used(11, 4, 1, 0)]);
    node.tenants.drop_idle(1000);
    assert_eq!(node.tenants.all().len(), 0);
}

#[tokio::test]
async fn who_leaves_the_table_or_is_restarted_goes_on_with_the_messages_of_today() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = node_in(folder.path()).await;
    let today = before.moment().day * 24;
    assert!(publish(&before, 6));
    learn_earlier(&before, "node", before.tenants.made().await).await;
    close_books(&before, today);
    write(&before, "node").await;
    before.tenants.drop_idle(today + 1000);
    assert!(before.tenants.all().is_empty());
    let _ = before.tenants.of(&AppId::from("7"));
    learn_earlier(&before, "node", before.tenants.made().await).await;
    assert!(!publish(&before, 5) && publish(&before, 1));
    close_books(&before, today);
    write(&before, "node").await;

    let after = node_in(folder.path()).await;
    let _ = after.tenants.of(&AppId::from("7"));
    learn_earlier(&after, "node", after.tenants.made().await).await;
    assert!(!publish(&after, 4) && publish(&after, 3));
    let elsewhere = node_in(folder.path()).await;
    let _ = elsewhere.tenants.of(&AppId::from("7"));
    learn_earlier(&elsewhere, "another node", elsewhere.tenants.made().await).await;
    assert!(publish(&elsewhere, 10), "a quota holds for each node");
}

#[tokio::test]
async fn who_has_not_learned_of_earlier_messages_is_not_written_yet() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = node_in(folder.path()).await;
    assert!(publish(&node, 3));
    close_books(&node, 10);
    write(&node, "node").await;
    assert_eq!(stored(&node).await, []);
    learn_earlier(&node, "node", node.tenants.all()).await;
    write(&node, "node").await;
    assert_eq!(stored(&node).await, [used(10, 3, 1, 0)]);
}

#[tokio::test]
async fn connections_that_stay_are_the_peak_of_each_hour() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = node_in(folder.path()).await;
    let hub = node.hubs.open(&Arc::new(app(10)));
    let tenant = node.tenants.of(&AppId::from("7"));
    let conn = |id| Arc::new(Conn::new(SocketId::from_bits(id), Budget::of_each(1024)));
    let mut open: Vec<Subscriptions> =
        (0..3).map(|id| Subscriptions::new(Arc::clone(&hub), conn(id))).collect();
    tenant.saw_connections(hub.connections());
    open.pop();
    learn_earlier(&node, "node", node.tenants.all()).await;
    for hour in [10, 10, 11] {
        close_books(&node, hour);
        write(&node, "node").await;
    }
    assert_eq!(stored(&node).await, [used(10, 0, 0, 3), used(11, 0, 0, 2)]);
}

#[test]
fn books_are_closed_when_the_hour_is_full() {
    for (now, wait) in [(0, 3_600_000), (1, 3_599_999), (3_599_999, 1), (3_600_000, 3_600_000)] {
        assert_eq!(until_next_hour(Duration::from_millis(now)), Duration::from_millis(wait));
    }
    assert_eq!(hours(Duration::from_millis(7_199_999)), 1);
}

#[test]
fn a_node_is_called_by_its_host_and_port() {
    let name = node_name(6001);
    assert!(name.ends_with(":6001") && name.len() > 5, "{name}");
}
