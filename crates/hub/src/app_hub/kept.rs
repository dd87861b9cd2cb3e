//! The events that cache channels keep: publishing them, asking for them, and giving up what is too old
//! or too much (WS-170 … WS-173).

use std::sync::atomic::Ordering;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use hashbrown::hash_table::Entry;

use super::{AppHub, SHARDS};
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
    /// `limits.cache_bytes`, other events of channels without subscribers are given up.
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
        channel.keep(frame, until);
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
        self.parked.get()
    }

    /// Gives up what nobody is subscribed to and has expired.
    pub(crate) fn drop_expired(&self, now: u64) {
        if self.parked.get() == 0 {
            return;
        }
        for shard in &self.shards {
            shard.lock().retain(|channel| channel.parked_until().is_none_or(|until| until > now));
        }
    }

    /// Gives up parked events, the oldest of each shard in turn, until the app is within its limit.
    pub(super) fn make_room(&self) {
        if self.parked.get() == 0 {
            return;
        }
        let most = self.app.read().limits.cache_bytes;
        // A round without a find means that others have made the room meanwhile.
        let mut in_vain = 0;
        while self.parked.get() > most && in_vain < SHARDS {
            let at = self.makes_room.fetch_add(1, Ordering::Relaxed) % SHARDS;
            let mut shard = self.shards[at].lock();
            let parked =
                shard.iter().filter_map(|channel| Some((channel.parked_until()?, channel.name.clone())));
            let Some((_, oldest)) = parked.min_by_key(|(until, _)| *until) else {
                in_vain += 1;
                continue;
            };
            in_vain = 0;
            let hash = self.hasher.hash_one(&oldest);
            if let Ok(entry) = shard.find_entry(hash, |channel| channel.name == oldest) {
                entry.remove();
            }
        }
    }
}
