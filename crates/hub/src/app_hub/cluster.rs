//! What the cluster is told of this node: taking changes, a snapshot after a loss, and events of cache channels.

use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, KeptEvent, OpenChannel, Snapshot};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::webhook::Kind;

use super::AppHub;
use crate::change_queue::TakenChanges;
use crate::channel::Channel;
use crate::sharing::{InCluster, Sharing, told_of_connections};
use crate::sync::Ordering;

/// An event of a cache channel that every node hears by itself, as the Redis of an application tells it.
#[derive(Clone, Copy, Debug)]
pub struct FedEvent<'a> {
    /// The event.
    pub frame: &'a Frame,
    /// The connection that does not get the event.
    pub except: Option<SocketId>,
    /// Expiry, in milliseconds of the clock of [`Subscriptions::subscribe`](crate::Subscriptions::subscribe).
    pub until: u64,
    /// This node is the one that tells the cluster.
    pub is_told: bool,
}

impl AppHub {
    /// Moves up to `most` changes to the end of `into`, in the order in which they happened; none where the node is
    /// alone.
    pub fn take_changes(&self, into: &mut Vec<Change>, most: usize) -> TakenChanges {
        self.sharing.as_ref().map_or_else(TakenChanges::default, |sharing| sharing.changes.take(into, most))
    }

    /// As [`AppHub::take_changes`]; nobody else's `hand_over` is called for this app until this one has returned. So the
    /// changes of an app keep their order, and no app waits for another.
    pub fn hand_over<R>(&self, most: usize, hand_over: impl FnOnce(Vec<Change>, TakenChanges) -> R) -> R {
        let _order = self.sharing.as_ref().map(|sharing| sharing.handing_over.lock());
        let mut changes = Vec::new();
        let taken = self.take_changes(&mut changes, most);
        hand_over(changes, taken)
    }

    /// All that the app has on this node. Older changes that are taken after this snapshot do no harm: copies and tickets
    /// with smaller numbers are older.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let Some(sharing) = self.sharing.as_deref() else { return Snapshot::default() };
        let has_gap = sharing.changes.take_gap();
        let mut channels = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let app = self.app.read();
            for channel in shard.iter_mut() {
                let hooks = self.hooks(&app, &channel.name);
                let at = InCluster { sharing, app: &app, hooks, now: 0 };
                channels.extend(channel.open_channel(has_gap, &at));
            }
        }
        let app = self.app();
        channels.extend(self.users.open_channels(app.told().contains(Kind::Users)));
        channels.push(OpenChannel {
            channel: ChannelName::connections(),
            copy: None,
            count: self.slots_taken.load(Ordering::Relaxed),
            told: told_of_connections(&app),
            users: Vec::new(),
        });
        Snapshot { channels, hooked: app.told(), has_gap }
    }

    /// Notes that changes that were taken are lost: the next snapshot says so, and waits for no event among them.
    pub fn lose_taken_changes(&self) {
        if let Some(sharing) = &self.sharing {
            sharing.changes.note_gap();
        }
    }

    /// Returns when every subscription that was acknowledged because its topic was live has its changes in the queue;
    /// to be called after [`Topics::is_live`](crate::Topics::is_live) has become false, and before the topic is given up.
    pub fn settle_acknowledgements(&self) {
        for shard in &self.shards {
            drop(shard.lock());
        }
    }

    /// As [`AppHub::deliver_and_keep`], for an event that every node hears by itself (CL-068): each node delivers the event
    /// to its own subscribers, and one node tells the cluster what is kept.
    pub fn deliver_fed(&self, name: &ChannelName, event: FedEvent<'_>) -> usize {
        let FedEvent { frame, except, until, is_told } = event;
        match &self.sharing {
            None => self.deliver_and_keep(name, frame, except, until),
            Some(sharing) if is_told => self.keep_in_cluster(sharing, name, (frame, except, until), true),
            Some(_) => {
                let deliver =
                    |channel: &mut Channel, at: &InCluster<'_>| channel.deliver_fed(frame, except, until, at);
                self.in_cluster(name, 0, deliver).unwrap_or(0)
            }
        }
    }

    /// Delivers an event of a back end on this node, and queues the event for the cluster behind all earlier changes of
    /// the channel. A channel without subscribers here keeps nothing here.
    pub(super) fn keep_in_cluster(
        &self,
        sharing: &Sharing,
        name: &ChannelName,
        event: (&Frame, Option<SocketId>, u64),
        is_quiet: bool,
    ) -> usize {
        let (frame, except, until) = event;
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        let app = self.app.read();
        sharing.push(Change::Kept(KeptEvent {
            channel: name.clone(),
            frame: frame.clone(),
            except,
            lives: Duration::from_secs(app.limits.cache_seconds as u64),
            most_bytes: app.limits.cache_bytes,
            quiet: is_quiet,
        }));
        let Some(channel) = shard.find_mut(hash, |channel: &Channel| channel.name == *name) else { return 0 };
        let at = InCluster { sharing, app: &app, hooks: self.hooks(&app, name), now: 0 };
        channel.publish_ordered(frame, except, until, &at)
    }
}
