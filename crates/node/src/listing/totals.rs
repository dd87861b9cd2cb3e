//! How many there are, where that takes a walk through a table: in pieces, between which other tasks have a turn (CON-022).

use fanfare_hub::{AppHub, SHARDS};
use fanfare_protocol::ids::AppId;
use tokio::task::yield_now;

use crate::node::Node;

/// Rows of a list that are counted at most; of a longer list only that is told.
pub const MOST_COUNTED: usize = 100_000;

/// Shards of channels that are counted before other tasks have a turn.
const SHARDS_AT_ONCE: usize = 8;

/// What is open of an app on this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppTotals {
    /// Connections.
    pub connections: usize,
    /// Occupied channels.
    pub channels: usize,
    /// Subscriptions to these.
    pub subscriptions: usize,
    /// Signed-in users.
    pub users: usize,
}

/// What is open of the app on this node.
pub async fn totals(node: &Node, app: &AppId) -> AppTotals {
    let Some(hub) = node.hubs.get(app) else { return AppTotals::default() };
    let (mut channels, mut subscriptions) = (0, 0);
    for shard in 0..SHARDS {
        let of_shard = hub.totals_of(shard);
        channels += of_shard.0;
        subscriptions += of_shard.1;
        if shard % SHARDS_AT_ONCE == 0 {
            yield_now().await;
        }
    }
    let users = users(&hub, "", usize::MAX).await;
    AppTotals { connections: hub.connections(), channels, subscriptions, users }
}

/// How many users are signed in on this node whose ids begin with `prefix`; above `most`, some number above it.
pub(super) async fn users(hub: &AppHub, prefix: &str, most: usize) -> usize {
    if prefix.is_empty() {
        return hub.users_online();
    }
    let (mut count, mut after) = (0, None);
    loop {
        let (some, next) = hub.count_some_users(prefix, after.as_ref());
        count += some;
        after = next;
        if after.is_none() || count > most {
            return count;
        }
        yield_now().await;
    }
}
