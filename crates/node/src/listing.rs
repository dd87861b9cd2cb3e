//! What operators list: pages that are read from the live tables when asked for (CON-020, CON-022), of this node here, of all nodes
//! in `everywhere` (CON-026).
//!
//! Holds a page and no more while it reads, gives way to other tasks between two pieces of a table, and counts nowhere.

mod connections;
pub mod everywhere;
mod page;
mod question;
mod told;
mod totals;

use std::cmp::Reverse;

use fanfare_hub::{ChannelsPlace, Occupancy};
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_protocol::presence::UserInfo;
use tokio::task::yield_now;

use crate::node::Node;

use self::page::First;

pub use self::connections::{ConnectionsWanted, MOST_CHANNELS};
use self::page::ListedPage;
pub use self::page::MOST_ROWS;
pub(crate) use self::question::told_to_others;
pub use self::told::{ConnectionRow, MemberRow, PlacedRow, SubscriberRow, UserRow};
pub use self::totals::{AppTotals, MOST_COUNTED, totals};

/// A channel in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedChannel {
    /// Its name.
    pub name: ChannelName,
    /// Who is there.
    pub occupancy: Occupancy,
    /// Whether the channel has a cached event.
    pub is_cached: bool,
}

/// A user of a presence channel in a list of this node.
struct ListedMember {
    user: UserId,
    /// Acknowledged connections of the user on this node.
    connections: usize,
    info: UserInfo,
}

/// Which channels are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindWanted {
    /// Of this kind.
    Kind(ChannelKind),
    /// Cache channels, of any kind.
    Cache,
}

/// The order of a list of channels: the channel with most subscribers first, or by name. Each with the channel behind which
/// the page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOrder {
    /// By subscribers, then by name.
    Subscribers(Option<(usize, ChannelName)>),
    /// By name.
    Name(Option<ChannelName>),
}

/// Some channels.
pub struct ChannelsWanted<'a> {
    /// What the names begin with.
    pub prefix: &'a str,
    /// The kind, if one is wanted.
    pub kind: Option<KindWanted>,
    /// The order, and where the page begins.
    pub order: ChannelOrder,
    /// Rows of the page.
    pub limit: usize,
}

/// The place of a channel in a list.
type ChannelKey = (Reverse<usize>, ChannelName);

fn key_of(order: &ChannelOrder, count: usize, name: &ChannelName) -> ChannelKey {
    (order.sorted(count), name.clone())
}

impl ChannelOrder {
    /// What decides before the name.
    fn sorted(&self, count: usize) -> Reverse<usize> {
        Reverse(if matches!(self, Self::Subscribers(_)) { count } else { 0 })
    }

    /// Where the page begins.
    fn after(&self) -> Option<ChannelKey> {
        match self {
            Self::Subscribers(after) => after.as_ref().map(|(count, name)| key_of(self, *count, name)),
            Self::Name(after) => after.as_ref().map(|name| key_of(self, 0, name)),
        }
    }
}

impl KindWanted {
    fn has(wanted: Option<Self>, name: &ChannelName) -> bool {
        match wanted {
            None => true,
            Some(Self::Cache) => name.is_cached(),
            Some(Self::Kind(kind)) => name.kind() == kind,
        }
    }
}

/// A page of the app's occupied channels on this node.
async fn channels(
    node: &Node,
    app: &AppId,
    wanted: &ChannelsWanted<'_>,
) -> ListedPage<ListedChannel, ListedChannel> {
    let Some(hub) = node.hubs.get(app) else { return ListedPage::empty() };
    let mut first = First::behind(wanted.order.after(), wanted.limit);
    let now = node.milliseconds();
    let mut place = Some(ChannelsPlace::default());
    while let Some(from) = place {
        place = hub.some_channels(from, now, |name, occupancy, is_cached| {
            if name.begins_with(wanted.prefix) && KindWanted::has(wanted.kind, name) {
                let sorted = wanted.order.sorted(occupancy.subscriptions);
                // Of most channels nothing is copied.
                if first.wants(|(other, last)| sorted.cmp(other).then_with(|| name.cmp(last))) {
                    let row = ListedChannel { name: name.clone(), occupancy, is_cached };
                    first.put((sorted, name.clone()), row);
                }
            }
        });
        yield_now().await;
    }
    let total = first.offered;
    let (rows, has_more) = first.rows();
    let next = rows.last().filter(|_| has_more).cloned();
    ListedPage { rows, next, total: Some(total) }
}

/// A page of the channel's subscribers on this node, by socket: each with the user that it stands for on a presence channel.
async fn subscribers(
    node: &Node,
    (app, channel): (&AppId, &ChannelName),
    after: Option<SocketId>,
    limit: usize,
) -> ListedPage<(SocketId, Option<UserId>), SocketId> {
    let Some(hub) = node.hubs.get(app) else { return ListedPage::empty() };
    let mut first = First::behind(after, limit);
    let mut below = None;
    loop {
        below = hub.some_subscribers(channel, below, |conn, user| {
            first.take(conn.id, (conn.id, user.cloned()));
        });
        if below.is_none() {
            break;
        }
        yield_now().await;
    }
    let (rows, has_more) = first.rows();
    let next = rows.last().filter(|_| has_more).map(|(socket, _)| *socket);
    ListedPage { rows, next, total: Some(hub.counts(channel).subscriptions) }
}

/// A page of the users who are on a presence channel by a connection of this node, by id.
async fn members(
    node: &Node,
    (app, channel): (&AppId, &ChannelName),
    after: Option<UserId>,
    limit: usize,
) -> ListedPage<ListedMember, UserId> {
    let Some(hub) = node.hubs.get(app) else { return ListedPage::empty() };
    let mut first = First::behind(after, limit);
    let mut below = None;
    loop {
        below = hub.some_subscribers(channel, below, |_, user| {
            if let Some(user) = user {
                first.take(user.clone(), user.clone());
            }
        });
        if below.is_none() {
            break;
        }
        yield_now().await;
    }
    let (users, has_more) = first.rows();
    let next = users.last().filter(|_| has_more).cloned();
    let rows = hub.some_members(channel, &users);
    let rows = rows.into_iter().map(|(user, connections, info)| ListedMember { user, connections, info });
    ListedPage { rows: rows.collect(), next, total: Some(hub.counts(channel).users) }
}

#[cfg(test)]
mod tests;
