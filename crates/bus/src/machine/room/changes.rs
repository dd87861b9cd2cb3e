//! Changes on this node.

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, ClusterOutcome, CopyId};

use super::Room;
use crate::command::BusCommand;
use crate::machine::channel::View;
use crate::machine::core::{Check, Core, Purpose};

impl Room {
    /// Applies a change.
    pub fn change(&mut self, core: &mut Core, change: Change) {
        match change {
            Change::Opened { channel, copy } => self.opened(core, &channel, copy),
            Change::Closed { channel, copy } => self.closed(core, &channel, copy),
            Change::Joined(joined) => self.joined(core, joined),
            Change::Left { channel, user, ticket } => self.left(core, channel, &user, ticket),
            Change::Counted { channel, count, told, hooked } => {
                self.counted(core, &channel, count, (told, hooked));
            }
            Change::Kept(event) => {
                if self.is_up() {
                    let purpose =
                        Purpose::Keep { app: self.topic.app.clone(), channel: event.channel.clone() };
                    let command = BusCommand::Keep { topic: self.topic.clone(), event };
                    core.ask(self.topic.partition, purpose, command);
                } else {
                    core.numbers.kept_dropped += 1;
                }
            }
            Change::Missed { channel } => {
                if self.is_up() {
                    let purpose = Purpose::Miss { app: self.topic.app.clone(), channel: channel.clone() };
                    let command = BusCommand::Miss { topic: self.topic.clone(), channel };
                    core.ask(self.topic.partition, purpose, command);
                }
            }
        }
    }

    pub(super) fn opened(&mut self, core: &mut Core, channel: &ChannelName, copy: CopyId) {
        let held = self.channels.entry(channel.clone()).or_default();
        if held.copy.is_some_and(|present| present >= copy) {
            return;
        }
        held.copy = Some(copy);
        (held.was_served, held.last_told) = (false, None);
        held.roster = channel.has_roster().then(View::default);
        self.want(core, channel);
        if channel.is_cached() {
            self.read(core, channel);
        }
        self.may_wait(core, channel, true);
    }

    pub(super) fn closed(&mut self, core: &mut Core, channel: &ChannelName, copy: CopyId) {
        let Some(held) = self.channels.get_mut(channel).filter(|held| held.copy == Some(copy)) else {
            return;
        };
        held.copy = None;
        if let Some(at) = held.roster.take().and_then(|view| view.checked_at) {
            let (partition, app) = (self.topic.partition, self.topic.app.clone());
            core.checks.remove(&Check { at, partition, app, channel: channel.clone(), copy });
        }
        held.is_read_awaited = false;
        (held.may_wait, held.owed_since) = (false, None);
        self.checking.remove(channel);
        self.forget_if_over(channel);
    }

    pub(super) fn forget_if_over(&mut self, channel: &ChannelName) {
        if self.channels.get(channel).is_some_and(crate::machine::channel::Held::is_over) {
            self.channels.remove(channel);
        }
    }

    /// This node was the one to miss a cached event for all.
    pub fn missed(&self, core: &mut Core, channel: ChannelName, is_first: bool) {
        if is_first {
            core.outcome(&self.topic.app, ClusterOutcome::MissTold { channel });
        }
    }
}
