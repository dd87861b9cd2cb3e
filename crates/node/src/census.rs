//! How many, and who: the answers for the HTTP API, in one place.
//!
//! Counts come from the hubs' own tables; nothing is cached. Changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_hub::{AppHub, Occupancy, SHARDS};
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, UserId};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::yield_now;

use crate::node::Node;

/// Channels that are sorted before the task yields.
const TURN: usize = 500;

/// Most lists of channels at once, until each is dropped; others wait.
static LISTS: Semaphore = Semaphore::const_new(2);

/// The occupied channels of an app, by name.
pub struct ChannelList {
    /// Each channel with its occupancy.
    pub channels: BTreeMap<ChannelName, Occupancy>,
    /// Kept while the list takes memory.
    _turn: Option<SemaphorePermit<'static>>,
}

/// The last event of a cache channel.
pub struct LastEvent {
    /// The event, as a new subscriber gets it.
    pub frame: Frame,
    /// Milliseconds until the event expires.
    pub milliseconds_left: u64,
}

fn hub_of(node: &Node, app: &AppId) -> Option<Arc<AppHub>> {
    node.hubs.get(app)
}

/// The occupied channels whose names begin with `prefix` (API-030, API-033).
///
/// Built in turns, so that a list of hundreds of thousands does not block others; two lists at a time, because each takes
/// memory for all its channels.
pub async fn channels(node: &Node, app: &AppId, prefix: &str) -> ChannelList {
    // Fails only if the semaphore is closed, which never happens.
    let turn = LISTS.acquire().await.ok();
    let mut channels = BTreeMap::new();
    if let Some(hub) = hub_of(node, app) {
        let mut piece = Vec::new();
        for shard in 0..SHARDS {
            hub.show_channels(shard, prefix, |name, counts| piece.push((name.clone(), counts)));
            if piece.len() > TURN {
                channels.extend(piece.drain(..));
                yield_now().await;
            }
        }
        channels.extend(piece);
    }
    ChannelList { channels, _turn: turn }
}

/// The occupancy of each of these channels, in their order; zero for a channel that nobody is subscribed to.
pub async fn occupancies(node: &Node, app: &AppId, channels: &[&ChannelName]) -> Vec<Occupancy> {
    let hub = hub_of(node, app);
    let of = |channel: &&ChannelName| hub.as_ref().map(|hub| hub.counts(channel)).unwrap_or_default();
    channels.iter().map(of).collect()
}

/// The occupancy of a channel; zero if nobody is subscribed.
pub async fn occupancy(node: &Node, app: &AppId, channel: &ChannelName) -> Occupancy {
    occupancies(node, app, &[channel]).await.pop().unwrap_or_default()
}

/// The distinct users on a presence channel (API-040).
pub async fn users(node: &Node, app: &AppId, channel: &ChannelName) -> Vec<UserId> {
    hub_of(node, app).map(|hub| hub.user_ids(channel)).unwrap_or_default()
}

/// The last event of a cache channel, if the channel has one (API-037).
pub async fn last_event(node: &Node, app: &AppId, channel: &ChannelName) -> Option<LastEvent> {
    let now = node.milliseconds();
    let cached = hub_of(node, app)?.cached(channel, now)?;
    Some(LastEvent { frame: cached.frame, milliseconds_left: cached.until.saturating_sub(now) })
}

/// Number of open connections of an app.
pub async fn connections(node: &Node, app: &AppId) -> usize {
    hub_of(node, app).map_or(0, |hub| hub.connections())
}
