//! One app's live state: its channels in locked shards, and its open connections.
//!
//! Counts are lengths of the tables themselves: no counter of channels or members exists that could drift.

mod changes;
mod cluster;
mod kept;
mod listing;
mod outcomes;
mod resume;
mod slots;
mod told;
mod users;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use fanfare_protocol::app::App;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::{Identity, UserInfo};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use self::changes::Due;
use crate::bell::Bells;
use crate::cache::ParkedEvents;
use crate::channel::{Channel, Counting, EventReach, Footing, Joining, Occupancy, SubscribeError};
use crate::conn::Conn;
use crate::resume::{NodeRings, ResumeMistake, Rings, Since};
use crate::sharing::{InCluster, Sharing};
use crate::sync::{AtomicUsize, Mutex, RandomState, RwLock};
use crate::transitions::{Hooks, Transitions};
use crate::users::Users;

pub use cluster::FedEvent;
pub use kept::Cached;
pub use listing::{ChannelsPlace, SomeUsers};
pub use slots::Slot;

/// Parts of an app's table of channels, each with a lock of its own.
pub const SHARDS: usize = 256;

/// Everything live of one app.
#[derive(Debug)]
pub struct AppHub {
    /// The app's settings as last looked up; guards nothing else.
    app: RwLock<Arc<App>>,
    /// Each lock guards its table and all channels in it.
    shards: Box<[Mutex<HashTable<Channel>>]>,
    hasher: RandomState,
    /// Guards the list of open connections, which is in order, so that it can be read in pieces.
    conns: Mutex<BTreeMap<SocketId, Arc<Conn>>>,
    slots_taken: AtomicUsize,
    pub(crate) users: Users,
    /// Channels with something to tell their subscribers.
    due: Due,
    parked: ParkedEvents,
    node_rings: Arc<NodeRings>,
    /// What the app's rings share, from the first client on that may resume.
    rings: OnceLock<Arc<Rings>>,
    /// Transitions for the app's webhooks.
    transitions: Transitions,
    /// The app's part in the cluster; absent where the node is alone.
    sharing: Option<Arc<Sharing>>,
}

/// What a connection brings that subscribes.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    /// The member's identity, on presence channels only.
    pub(crate) identity: Option<Identity>,
    /// What the client had got of the channel before.
    pub(crate) since: Option<&'a Since>,
    /// The present, in milliseconds of the clock by which cached events expire.
    pub(crate) now: u64,
    /// Is told the footing of the new subscriber, if somebody wants to know.
    pub(crate) footing: Option<&'a mut Footing>,
}

impl AppHub {
    /// The hub of an app without connections.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self::under(&Bells::default(), Arc::default(), app, None)
    }

    /// A hub that rings these bells when a task has something to take.
    pub(crate) fn under(
        bells: &Bells,
        node_rings: Arc<NodeRings>,
        app: Arc<App>,
        sharing: Option<Sharing>,
    ) -> Self {
        let sharing = sharing.map(Arc::new);
        Self {
            transitions: Transitions::new(app.id.clone(), Arc::clone(&bells.transitions)),
            due: Due::new(app.id.clone(), Arc::clone(&bells.changes)),
            app: RwLock::new(app),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            conns: Mutex::default(),
            slots_taken: AtomicUsize::new(0),
            users: Users::new(sharing.clone()),
            parked: ParkedEvents::default(),
            node_rings,
            rings: OnceLock::new(),
            sharing,
        }
    }

    /// The app's settings now.
    #[must_use]
    pub fn app(&self) -> Arc<App> {
        Arc::clone(&self.app.read())
    }

    /// Takes over newer settings.
    pub fn set_app(&self, app: &Arc<App>) {
        if Arc::ptr_eq(&self.app.read(), app) {
            return;
        }
        let before = std::mem::replace(&mut *self.app.write(), Arc::clone(app));
        if let Some(rings) = self.rings.get() {
            rings.set_app(app);
        }
        let newly_wanted = app.told().without(before.told());
        if !newly_wanted.is_empty() {
            self.transitions.begin(newly_wanted);
        }
        if let Some(sharing) = &self.sharing
            && is_told_otherwise(&before, app)
        {
            sharing.changes.make_stale();
        }
    }

    /// Connections that are open now, also the connections without a quota slot.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.conns.lock().len()
    }

    /// The open connections themselves, to close them.
    #[must_use]
    pub fn conns(&self) -> Vec<Arc<Conn>> {
        self.conns.lock().values().map(Arc::clone).collect()
    }

    pub(crate) fn connection_opened(&self, conn: &Arc<Conn>) {
        self.conns.lock().insert(conn.id, Arc::clone(conn));
    }

    pub(crate) fn connection_closed(&self, socket: SocketId) {
        self.conns.lock().remove(&socket);
    }

    /// Queues the frame for every subscriber of the channel but `except`; returns how many outboxes took the frame.
    pub fn deliver(&self, channel: &ChannelName, frame: &Frame, except: Option<SocketId>) -> usize {
        self.deliver_by(channel.as_str(), (None, frame, except), || {})
    }

    /// As [`AppHub::deliver`], and calls `tell`, which tells the other nodes, so that they hear the events of a channel in
    /// the order of this node: under the lock of the channel's shard, so it must not wait, nor call the hub.
    pub fn deliver_and_tell(
        &self,
        channel: &ChannelName,
        frame: &Frame,
        except: Option<SocketId>,
        tell: impl FnOnce(),
    ) -> usize {
        self.deliver_by(channel.as_str(), (None, frame, except), tell)
    }

    /// As [`AppHub::deliver`], for an event of another node, by the channel's name as that node has checked it.
    pub fn deliver_heard(&self, channel: &str, frame: &Frame, except: Option<SocketId>, node: u64) -> usize {
        self.deliver_by(channel, (Some(node), frame, except), || {})
    }

    fn deliver_by(
        &self,
        channel: &str,
        (node, frame, except): (Option<u64>, &Frame, Option<SocketId>),
        then: impl FnOnce(),
    ) -> usize {
        let hash = self.hasher.hash_one(channel);
        let mut shard = self.shard(hash).lock();
        let found = shard.find_mut(hash, |known| known.name.as_str() == channel);
        if ResumeMistake::NotedApart.is_made() {
            let noted = found.and_then(|channel| channel.note_event(frame, except, node));
            drop(shard);
            let mut shard = self.shard(hash).lock();
            let found = shard.find_mut(hash, |known| known.name.as_str() == channel);
            return found
                .map_or(0, |channel| channel.push_to_others(noted.as_ref().unwrap_or(frame), except));
        }
        let took = found.map_or(0, |channel| channel.deliver_of(node, frame, except));
        then();
        took
    }

    /// Whom an event of the channel would reach now on this node (CON-042). Counts under the shard's lock, so that only
    /// whoever asks where an event went should call this.
    #[must_use]
    pub fn reach(&self, channel: &ChannelName, except: Option<SocketId>) -> EventReach {
        self.look(channel, |channel| channel.reach(except)).unwrap_or_default()
    }

    /// The user that a subscriber of a presence channel stands for (WS-165).
    #[must_use]
    pub fn user_of(&self, channel: &ChannelName, socket: SocketId) -> Option<UserId> {
        self.look(channel, |channel| channel.user_of(socket)).flatten()
    }

    /// Occupancy of the channel; all zero for a channel that does not exist.
    #[must_use]
    pub fn counts(&self, channel: &ChannelName) -> Occupancy {
        self.look(channel, Channel::counts).unwrap_or_default()
    }

    /// The distinct users on a presence channel (API-040).
    #[must_use]
    pub fn user_ids(&self, channel: &ChannelName) -> Vec<UserId> {
        self.look(channel, Channel::user_ids).unwrap_or_default()
    }

    /// The users on a presence channel that its subscribers here know of, those on other nodes included, with the newest
    /// `user_info` of each.
    #[must_use]
    pub fn known_users(&self, channel: &ChannelName) -> Vec<(UserId, UserInfo)> {
        self.look(channel, Channel::known_users).unwrap_or_default()
    }

    /// Shows the occupied channels of one shard whose names begin with `prefix`, without users' own channels (API-030,
    /// API-033). There are [`SHARDS`] shards. `show` is called under the shard's lock.
    pub fn show_channels(&self, shard: usize, prefix: &str, mut show: impl FnMut(&ChannelName, Occupancy)) {
        let shard = self.shards[shard].lock();
        let begins = |channel: &&Channel| channel.name.begins_with(prefix);
        for channel in shard.iter().filter(|channel| channel.is_shown()).filter(begins) {
            show(&channel.name, channel.counts());
        }
    }

    /// Occupied channels, and subscriptions to them, of the whole app.
    #[must_use]
    pub fn totals(&self) -> (usize, usize) {
        (0..SHARDS).map(|shard| self.totals_of(shard)).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Occupied channels, and subscriptions to them, of one shard.
    #[must_use]
    pub fn totals_of(&self, shard: usize) -> (usize, usize) {
        let shard = self.shards[shard].lock();
        let occupied = shard.iter().filter(|channel| channel.is_occupied());
        occupied.fold((0, 0), |(channels, subscriptions), channel| {
            (channels + 1, subscriptions + channel.counts().subscriptions)
        })
    }

    pub(crate) fn subscribe(
        &self,
        name: &ChannelName,
        conn: &Arc<Conn>,
        arrival: Arrival<'_>,
    ) -> Result<(), SubscribeError> {
        let Arrival { identity, since, now, footing } = arrival;
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        // Read under the lock: a look at the shard after a change of settings then finds all that is unreported.
        let app = self.app.read();
        let hooks = self.hooks(&app, name);
        let rings = self.rings_of(&app);
        let joining = Joining { conn, identity, most_users: app.limits.members, now, hooks, rings, since };
        let subscribe = |channel: &mut Channel| match &self.sharing {
            None => channel.subscribe(joining),
            Some(sharing) => {
                channel.enter(joining, &InCluster { sharing, app: &app, hooks, now });
                Ok(())
            }
        };
        let rehash = |channel: &Channel| self.hasher.hash_one(&channel.name);
        let mut channel = match shard.entry(hash, |channel| channel.name == *name, rehash) {
            Entry::Occupied(mut channel) => {
                subscribe(channel.get_mut())?;
                channel
            }
            Entry::Vacant(vacant) => {
                let mut channel = Channel::new(name.clone());
                subscribe(&mut channel)?;
                vacant.insert(channel)
            }
        };
        if let Some(footing) = footing {
            *footing = channel.get().footing(conn.id);
        }
        self.changed(channel.get_mut(), Counting { subscribers: app.subscription_counts, hooks }, Some(conn));
        Ok(())
    }

    /// Ends a subscription; with an expiry, its client may come back until then. Tells the footing that the subscriber had, if
    /// somebody wants to know.
    pub(crate) fn unsubscribe(
        &self,
        name: &ChannelName,
        socket: SocketId,
        until: Option<u64>,
        footing: Option<&mut Footing>,
    ) {
        if self.sharing.is_some() {
            self.in_cluster(name, 0, |channel, at| {
                if let Some(footing) = footing {
                    *footing = channel.footing(socket);
                }
                channel.end_run(socket, until);
                channel.exit(socket, at)
            });
            return;
        }
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        let app = self.app.read();
        let hooks = self.hooks(&app, name);
        if let Ok(mut entry) = shard.find_entry(hash, |channel| channel.name == *name) {
            let channel = entry.get_mut();
            if let Some(footing) = footing {
                *footing = channel.footing(socket);
            }
            channel.end_run(socket, until);
            channel.unsubscribe(socket, hooks);
            self.changed(channel, Counting { subscribers: app.subscription_counts, hooks }, None);
            channel.park(&self.parked);
            if channel.is_idle() {
                entry.remove();
            }
        }
        drop(app);
        drop(shard);
        self.make_room();
    }

    pub(crate) fn acknowledge_again(&self, name: &ChannelName, conn: &Conn) {
        self.change(name, |channel| channel.acknowledge_again(conn));
    }

    /// Whether the connection is subscribed to the channel, acknowledged or not.
    pub(crate) fn has_member(&self, channel: &ChannelName, socket: SocketId) -> bool {
        self.look(channel, |channel| channel.has_member(socket)).unwrap_or(false)
    }

    /// The transitions of the channel that webhooks want of this hub, and the kinds that they want at all.
    fn hooks<'a>(&'a self, app: &App, name: &ChannelName) -> Hooks<'a> {
        let hooks = self.transitions.hooks(app, name);
        if self.sharing.is_some() { hooks.left_to_the_cluster() } else { hooks }
    }

    pub(crate) fn look<T>(&self, name: &ChannelName, read: impl FnOnce(&Channel) -> T) -> Option<T> {
        let hash = self.hasher.hash_one(name);
        let shard = self.shard(hash).lock();
        shard.find(hash, |channel| channel.name == *name).map(read)
    }

    /// As [`AppHub::look`], for what changes the channel.
    fn change<T>(&self, name: &ChannelName, change: impl FnOnce(&mut Channel) -> T) -> Option<T> {
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        shard.find_mut(hash, |channel| channel.name == *name).map(change)
    }

    fn shard(&self, hash: u64) -> &Mutex<HashTable<Channel>> {
        // The table uses the top bits and the low bits of the hash; these are from between.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

/// Whether the cluster has been told of channels with settings that hold no more.
fn is_told_otherwise(before: &App, now: &App) -> bool {
    let told = |app: &App| (app.told(), app.subscription_counts, app.limits.members, app.max_connections);
    told(before) != told(now)
}
