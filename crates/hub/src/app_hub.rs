//! One app's live state: its channels, in locked shards, and how many connections it has.
//!
//! Counts are lengths of the tables themselves; there is no counter of channels or members that
//! could drift.

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ahash::RandomState;
use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::Identity;
use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashTable};
use parking_lot::{Mutex, RwLock};

use crate::channel::Channel;
use crate::conn::{Conn, RandomBits};
use crate::subscriptions::SubscribeError;

const SHARDS: usize = 256;

/// Everything live of one app.
#[derive(Debug)]
pub struct AppHub {
    /// The app's settings as last looked up; guards nothing else.
    app: RwLock<Arc<App>>,
    /// Each lock guards its table and all channels in it.
    shards: Box<[Mutex<HashTable<Channel>>]>,
    hasher: RandomState,
    /// Guards the list of open connections.
    conns: Mutex<HashMap<SocketId, Arc<Conn>, BuildHasherDefault<RandomBits>>>,
    places_taken: AtomicUsize,
}

/// How many are on a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections subscribed to it.
    pub subscriptions: usize,
    /// Distinct users, on presence channels; else 0.
    pub users: usize,
}

impl AppHub {
    /// The hub of an app without connections.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app: RwLock::new(app),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            conns: Mutex::default(),
            places_taken: AtomicUsize::new(0),
        }
    }

    /// The app's settings now.
    #[must_use]
    pub fn app(&self) -> Arc<App> {
        Arc::clone(&self.app.read())
    }

    /// Takes over newer settings.
    pub fn set_app(&self, app: &Arc<App>) {
        if !Arc::ptr_eq(&self.app.read(), app) {
            *self.app.write() = Arc::clone(app);
        }
    }

    /// Connections that are open now, those without a place included.
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
        let mut conns = self.conns.lock();
        conns.remove(&socket);
        // What a crowd needed is given back when it has gone.
        if conns.capacity() > 64 && conns.len() < conns.capacity() / 8 {
            conns.shrink_to_fit();
        }
    }

    /// Takes one of the app's `max_connections` places, if one is free (WS-061).
    #[must_use]
    pub fn take_place(self: &Arc<Self>) -> Option<Place> {
        let most = self.app.read().max_connections.unwrap_or(usize::MAX);
        let free = |taken: usize| (taken < most).then_some(taken + 1);
        let taken = self.places_taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }

    /// Queues the frame for every subscriber of the channel but `except`; returns how many took it.
    pub fn deliver(&self, channel: &ChannelName, frame: &Frame, except: Option<SocketId>) -> usize {
        self.look(channel, |channel| channel.deliver(frame, except)).unwrap_or(0)
    }

    /// How many are on the channel; all zero if there is none.
    #[must_use]
    pub fn counts(&self, channel: &ChannelName) -> Counts {
        self.look(channel, Channel::counts).unwrap_or_default()
    }

    /// The distinct users on a presence channel (API-040).
    #[must_use]
    pub fn user_ids(&self, channel: &ChannelName) -> Vec<UserId> {
        self.look(channel, Channel::user_ids).unwrap_or_default()
    }

    /// The occupied channels whose names begin with `prefix`, but for those of users (API-030, API-033).
    #[must_use]
    pub fn channels(&self, prefix: &str) -> Vec<(ChannelName, Counts)> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let listed = shard.iter().filter(|channel| {
                channel.name.as_str().starts_with(prefix) && channel.name.kind() != ChannelKind::ServerToUser
            });
            found.extend(listed.map(|channel| (channel.name.clone(), channel.counts())));
        }
        found
    }

    /// Channels, and subscriptions to them, of the whole app.
    #[must_use]
    pub fn totals(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(channels, subscriptions), shard| {
            let shard = shard.lock();
            let here: usize = shard.iter().map(|channel| channel.counts().subscriptions).sum();
            (channels + shard.len(), subscriptions + here)
        })
    }

    pub(crate) fn subscribe(
        &self,
        name: &ChannelName,
        conn: &Arc<Conn>,
        identity: Option<Identity>,
    ) -> Result<(), SubscribeError> {
        let most_users = self.app.read().limits.members;
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        let rehash = |channel: &Channel| self.hasher.hash_one(&channel.name);
        match shard.entry(hash, |channel| channel.name == *name, rehash) {
            Entry::Occupied(mut channel) => channel.get_mut().subscribe(conn, identity, most_users),
            Entry::Vacant(vacant) => {
                let mut channel = Channel::new(name.clone());
                channel.subscribe(conn, identity, most_users)?;
                vacant.insert(channel);
                Ok(())
            }
        }
    }

    pub(crate) fn unsubscribe(&self, name: &ChannelName, socket: SocketId) {
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        if let Ok(mut channel) = shard.find_entry(hash, |channel| channel.name == *name) {
            channel.get_mut().unsubscribe(socket);
            if channel.get().is_empty() {
                channel.remove();
            }
        }
    }

    fn look<T>(&self, name: &ChannelName, read: impl FnOnce(&Channel) -> T) -> Option<T> {
        let hash = self.hasher.hash_one(name);
        let shard = self.shard(hash).lock();
        shard.find(hash, |channel| channel.name == *name).map(read)
    }

    fn shard(&self, hash: u64) -> &Mutex<HashTable<Channel>> {
        // The table uses the top bits and the low bits of the hash; these are from between.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

/// One of an app's `max_connections`, given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<AppHub>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places_taken.fetch_sub(1, Ordering::Relaxed);
    }
}
