//! Everything that an app has here, after changes were missed (CL-115).

use std::collections::{BTreeMap, BTreeSet};

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{OpenChannel, Telling};
use fanfare_protocol::ids::UserId;
use fanfare_protocol::webhook::Kinds;

use super::Room;
use super::wanted::wanted_of;
use crate::command::{Operation, Row};
use crate::machine::core::Core;

impl Room {
    /// What is not among these channels is no more. Tickets and lives say what is newer.
    pub fn reset(&mut self, core: &mut Core, channels: Vec<OpenChannel>) {
        let mut open: BTreeMap<ChannelName, OpenChannel> =
            channels.into_iter().map(|channel| (channel.channel.clone(), channel)).collect();
        let known: BTreeSet<ChannelName> = self.channels.keys().chain(open.keys()).cloned().collect();
        for channel in known {
            let told = self.channels.get(&channel).map_or(Telling::Off, |held| held.count.told);
            let now = open.remove(&channel).unwrap_or_else(|| nothing(channel, told));
            self.reset_channel(core, now);
        }
    }

    fn reset_channel(&mut self, core: &mut Core, now: OpenChannel) {
        let OpenChannel { channel, copy, count, told, users } = now;
        let before = self.channels.get(&channel).and_then(|held| held.copy);
        if let Some(before) = before.filter(|before| copy != Some(*before)) {
            self.closed(core, &channel, before);
        }
        if let Some(copy) = copy {
            self.opened(core, &channel, copy);
        }
        let here: BTreeSet<UserId> = users.iter().map(|joined| joined.user.clone()).collect();
        let gone: Vec<_> = self.channels.get(&channel).map_or_else(Vec::new, |held| {
            let gone =
                held.members.iter().filter(|(user, member)| member.is_present && !here.contains(*user));
            gone.map(|(user, member)| (user.clone(), member.ticket)).collect()
        });
        for (user, ticket) in gone {
            self.left(core, channel.clone(), &user, ticket + 1);
        }
        for joined in users {
            self.joined(core, joined);
        }
        let (existence, _) = wanted_of(self.kinds.unwrap_or_default(), &channel);
        let is_known = self.channels.contains_key(&channel);
        if count > 0 || is_known {
            self.counted(core, &channel, count, (told, existence));
        }
        self.may_wait(core, &channel, false);
        self.forget_if_over(&channel);
    }

    /// The app's webhooks want these kinds from now on. Where they are new, whoever is there counts as told (CL-036).
    pub fn set_kinds(&mut self, kinds: Kinds) {
        let before = self.kinds.replace(kinds);
        let mut is_new = false;
        for (channel, held) in &mut self.channels {
            let (existence, presence) = wanted_of(kinds, channel);
            is_new |= existence && !held.count.hooked && held.count.count > 0;
            held.count.hooked = existence;
            for member in held.members.values_mut() {
                is_new |= presence && !member.hooked;
                member.hooked = presence;
            }
        }
        if is_new && before != Some(kinds) {
            let is_wanted = |channel: &&ChannelName| wanted_of(kinds, channel) != (false, false);
            self.adopting = self.channels.keys().filter(is_wanted).cloned().collect();
        }
    }

    /// Part of the channels that reconciling goes through.
    pub fn reconcile(&mut self, channels: Vec<(ChannelName, usize)>, cursor: u64, kinds: Kinds) {
        for (channel, _) in channels {
            let (existence, presence) = wanted_of(kinds, &channel);
            if existence || presence {
                self.others.push_back(Operation::Reconcile { channel, existence, presence });
            }
        }
        self.totals = (cursor != 0).then_some((cursor, kinds));
    }

    /// Where reconciling goes on, as soon as most of it was said.
    pub fn next_totals(&mut self) -> Option<(u64, Kinds)> {
        if self.others.len() < super::batch::MOST_OPERATIONS { self.totals.take() } else { None }
    }

    /// Something is to be said behind everything else.
    pub fn say(&mut self, operation: Operation) {
        self.others.push_back(operation);
    }

    /// An old row of this node is to be swept, unless the user or the channel is here (N6): then the row is said anew, if
    /// not now, then when Redis has room.
    pub fn sweep(&mut self, row: Row) {
        match row {
            Row::Member { channel, user, .. } => {
                let held = self.channels.get(&channel);
                if held.is_none_or(|held| !held.members.contains_key(&user)) {
                    self.sweep.push_back(Operation::LeaveOld { channel, user });
                }
            }
            Row::Count { channel, .. } => {
                if self.channels.get(&channel).is_none_or(|held| held.count.count == 0) {
                    self.old_counts.push(channel);
                }
            }
        }
    }

    /// All old rows were read.
    pub fn end_sweep(&mut self) {
        self.is_swept = true;
        let counts = self.old_counts.drain(..).map(|channel| Operation::CountOld { channel });
        self.sweep.extend(counts);
    }
}

/// The end of a channel is told by the rule that its number was told by.
fn nothing(channel: ChannelName, told: Telling) -> OpenChannel {
    OpenChannel { channel, copy: None, count: 0, told, users: Vec::new() }
}
