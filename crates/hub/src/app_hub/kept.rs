//! The cache of each cache channel: publishing into the cache, reading the cached event, and evicting events that have
//! expired or take too much memory (WS-170 … WS-173).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use hashbrown::hash_table::Entry;

use super::AppHub;
use crate::cache::ExpiryKey;
use crate::channel::Channel;

/// The cached event of a channel.
#[derive(Clone, Debug)]
pub struct Cached {
    /// The event as subscribers received the event.
    pub frame: Frame,
    /// Expiry, on the caller's clock in milliseconds.
    pub until: u64,
}

impl AppHub {
    /// As [`AppHub::deliver`], and caches the event for later subscribers of this cache channel; in a cluster the event
    /// is queued for the other nodes as well.
    ///
    /// `until` is the expiry on the clock of [`crate::Subscriptions::subscribe`]. Over the app's
    /// `limits.cache_bytes`, the oldest events of channels without subscribers are evicted.
    pub fn deliver_and_keep(
        &self,
        name: &ChannelName,
        frame: &Frame,
        except: Option<SocketId>,
        until: u64,
    ) -> usize {
        if let Some(sharing) = &self.sharing {
            return self.keep_in_cluster(sharing, name, (frame, except, until), false);
        }
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        let rehash = |channel: &Channel| self.hasher.hash_one(&channel.name);
        let mut entry = match shard.entry(hash, |channel| channel.name == *name, rehash) {
            Entry::Occupied(channel) => channel,
            Entry::Vacant(vacant) => vacant.insert(Channel::new(name.clone())),
        };
        let channel = entry.get_mut();
        channel.keep(frame, until, self.transitions.hooks(&self.app.read(), name));
        channel.park(&self.parked);
        let took = channel.deliver(frame, except);
        drop(shard);
        self.make_room();
        took
    }

    /// The channel's cached event, if the event has not expired (API-036).
    #[must_use]
    pub fn cached(&self, name: &ChannelName, now: u64) -> Option<Cached> {
        self.look(name, |channel| {
            channel.last(now).map(|(frame, until)| Cached { frame: frame.clone(), until })
        })
        .flatten()
    }

    /// Bytes cached for channels without subscribers.
    #[must_use]
    pub fn parked_bytes(&self) -> usize {
        self.parked.bytes()
    }

    /// Evicts expired events of channels without subscribers.
    pub(crate) fn drop_expired(&self, now: u64) {
        while let Some((turn, name)) = self.parked.oldest()
            && turn.has_expired(now)
        {
            self.give_up(turn, &name);
        }
    }

    /// Evicts parked events, the oldest first, until the app is within its limit.
    pub(super) fn make_room(&self) {
        if self.parked.bytes() == 0 {
            return;
        }
        let most = self.app.read().limits.cache_bytes;
        while self.parked.bytes() > most
            && let Some((turn, name)) = self.parked.oldest()
        {
            self.give_up(turn, &name);
        }
    }

    /// Drops a parked event with its channel. An event that is missing here was evicted by another caller already.
    fn give_up(&self, turn: ExpiryKey, name: &ChannelName) {
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        if let Ok(mut entry) =
            shard.find_entry(hash, |channel| channel.name == *name && channel.is_parked_as(turn))
        {
            entry.get_mut().forget_kept();
            if entry.get().is_idle() {
                entry.remove();
            }
        }
    }
}
