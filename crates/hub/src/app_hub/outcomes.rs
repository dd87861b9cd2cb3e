//! What the cluster says about this node's channels and users: one entry, and one function for each outcome below.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{ClusterOutcome, CopyId, Ticket};
use fanfare_protocol::ids::{SocketId, UserId};
use hashbrown::HashTable;

use super::AppHub;
use crate::channel::{Channel, OrderedEvent};
use crate::sharing::InCluster;

impl AppHub {
    /// Applies what the cluster says. Outcomes for a copy that has ended, and for a join that is not the user's newest,
    /// change nothing; nor does a repeated outcome. `now` is the present in milliseconds of the clock of
    /// [`Subscriptions::subscribe`](crate::Subscriptions::subscribe).
    pub fn apply(&self, outcome: ClusterOutcome, now: u64) {
        if self.sharing.is_none() {
            return;
        }
        match outcome {
            ClusterOutcome::Total { total, own } => self.hear_total(total, own),
            // The relay takes what is for webhooks.
            ClusterOutcome::CountTold { .. } | ClusterOutcome::MissTold { .. } => {}
            outcome if channel_of(&outcome).is_some_and(|channel| channel.online_user().is_some()) => {
                self.users.apply(outcome);
            }
            outcome => self.apply_to_channel(outcome, now),
        }
    }

    fn apply_to_channel(&self, outcome: ClusterOutcome, now: u64) {
        match outcome {
            ClusterOutcome::Confirmed { channel, user, ticket } => {
                self.in_cluster(&channel, now, |channel, at| channel.confirm(&user, ticket, at));
            }
            ClusterOutcome::Refused { channel, user, ticket } => {
                drop(self.refuse(&channel, &user, ticket, now));
            }
            ClusterOutcome::Added { channel, copy, user, info } => {
                self.in_copy(&channel, copy, now, |channel, _| channel.add_user(&user, info));
            }
            ClusterOutcome::Removed { channel, copy, user } => {
                self.in_copy(&channel, copy, now, |channel, _| channel.remove_user(&user));
            }
            ClusterOutcome::Roster { channel, copy, users, only_adds } => {
                self.in_copy(&channel, copy, now, |channel, at| channel.replace_roster(users, only_adds, at));
            }
            ClusterOutcome::Doubtful { channel, copy } => {
                self.in_copy(&channel, copy, now, |channel, _| channel.doubt_roster());
            }
            ClusterOutcome::Serve { channel, copy } => {
                self.in_copy(&channel, copy, now, |channel, at| channel.serve(at));
            }
            ClusterOutcome::Count { channel, count } => {
                self.in_cluster(&channel, now, |channel, at| channel.told_count(count, at));
            }
            ClusterOutcome::Cached { channel, copy, found } => {
                self.in_copy(&channel, copy, now, |channel, at| channel.read_cache(found, at));
            }
            ClusterOutcome::CacheLost { channel, copy } => {
                self.in_copy(&channel, copy, now, |channel, at| channel.lose_cache(at));
            }
            ClusterOutcome::CountTold { .. }
            | ClusterOutcome::MissTold { .. }
            | ClusterOutcome::Total { .. } => {}
        }
    }

    /// As [`AppHub::apply`] with [`ClusterOutcome::Refused`]; returns the connections that were told, and are not
    /// subscribed (WS-136).
    pub fn refuse(&self, channel: &ChannelName, user: &UserId, ticket: Ticket, now: u64) -> Vec<SocketId> {
        if channel.online_user().is_some() {
            return Vec::new();
        }
        self.in_cluster(channel, now, |channel, at| channel.refuse(user, ticket, at)).unwrap_or_default()
    }

    /// Delivers and keeps an event of a cache channel as Redis has ordered it, own events included (CL-041); returns how
    /// many outboxes took the event.
    pub fn hear_kept(&self, channel: &ChannelName, event: OrderedEvent<'_>) -> usize {
        self.in_cluster(channel, 0, |channel, at| channel.hear_ordered(event, at)).unwrap_or(0)
    }

    /// Connections on other nodes are what the cluster has, without what this node had told (CL-062).
    fn hear_total(&self, total: usize, own: usize) {
        if let Some(sharing) = &self.sharing {
            sharing.set_others(total.saturating_sub(own));
        }
    }

    fn in_copy(
        &self,
        name: &ChannelName,
        copy: CopyId,
        now: u64,
        change: impl FnOnce(&mut Channel, &InCluster<'_>),
    ) {
        self.in_cluster(name, now, |channel, at| {
            if channel.is_copy(copy) {
                change(channel, at);
            }
        });
    }

    /// Changes a channel as a part of the cluster, and drops the channel if the change has ended the last subscription.
    pub(super) fn in_cluster<T>(
        &self,
        name: &ChannelName,
        now: u64,
        change: impl FnOnce(&mut Channel, &InCluster<'_>) -> T,
    ) -> Option<T> {
        let sharing = self.sharing.as_deref()?;
        let hash = self.hasher.hash_one(name);
        let mut shard = self.shard(hash).lock();
        let mut entry = HashTable::find_entry(&mut shard, hash, |channel| channel.name == *name).ok()?;
        let app = self.app.read();
        let at = InCluster { sharing, app: &app, hooks: self.hooks(&app, name), now };
        let channel = entry.get_mut();
        let changed = change(channel, &at);
        self.list_told(channel);
        if channel.is_idle() {
            entry.remove();
        }
        Some(changed)
    }
}

/// The channel that the outcome is about.
const fn channel_of(outcome: &ClusterOutcome) -> Option<&ChannelName> {
    match outcome {
        ClusterOutcome::Confirmed { channel, .. }
        | ClusterOutcome::Refused { channel, .. }
        | ClusterOutcome::Added { channel, .. }
        | ClusterOutcome::Removed { channel, .. }
        | ClusterOutcome::Roster { channel, .. }
        | ClusterOutcome::Doubtful { channel, .. }
        | ClusterOutcome::Serve { channel, .. }
        | ClusterOutcome::Count { channel, .. }
        | ClusterOutcome::CountTold { channel, .. }
        | ClusterOutcome::MissTold { channel }
        | ClusterOutcome::Cached { channel, .. }
        | ClusterOutcome::CacheLost { channel, .. } => Some(channel),
        ClusterOutcome::Total { .. } => None,
    }
}
