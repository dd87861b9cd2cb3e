//! The events that cache channels keep: publishing them, asking for them, and giving up what is too old
//! or too much (WS-170 … WS-173).

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use hashbrown::hash_table::Entry;

use super::AppHub;
use crate::cache::Turn;
use crate::channel::Channel;

/// What a cache channel keeps.
#[derive(Clone, Debug)]
pub struct Cached {
    /// The event as its subscribers got it.
    pub frame: Frame,
    /// When it expires, in the milliseconds of the caller.
    pub until: u64,
}

impl AppHub {
    /// As [`AppHub::deliver`], and keeps the event for later subscribers of this cache channel.
    ///
    /// `until` is when it expires, by the clock of [`crate::Subscriptions::subscribe`]. Over the app's
    /// `limits.cache_bytes`, the oldest events of channels without subscribers are given up.
    pub fn deliver_and_keep(
        &self,
        name: &ChannelName,
        frame: &Frame,
        except: Option<SocketId>,
        until: u64,
    ) -> usize {
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

    /// What the channel keeps, if it has not expired (API-036).
    #[must_use]
    pub fn cached(&self, name: &ChannelName, now: u64) -> Option<Cached> {
        self.look(name, |channel| {
            channel.last(now).map(|(frame, until)| Cached { frame: frame.clone(), until })
        })
        .flatten()
    }

    /// Bytes kept of channels that nobody is subscribed to.
    #[must_use]
    pub fn parked_bytes(&self) -> usize {
        self.parked.bytes()
    }

    /// Gives up what nobody is subscribed to and has expired.
    pub(crate) fn drop_expired(&self, now: u64) {
        while let Some((turn, name)) = self.parked.oldest()
            && turn.has_expired(now)
        {
            self.give_up(turn, &name);
        }
    }

    /// Gives up parked events, the oldest first, until the app is within its limit.
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

    /// Drops a parked event with its channel; if it is not there, somebody else has taken its turn away.
    fn give_up(&self, turn: Turn, name: &ChannelName) {
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        if let Ok(entry) =
            shard.find_entry(hash, |channel| channel.name == *name && channel.is_parked_as(turn))
        {
            entry.remove();
        }
    }
}
