//! Rosters: asked for on any doubt, and kept right by changes in the order of their numbers (N1, N2, N8, N13).

use std::collections::BTreeMap;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::ClusterOutcome;
use fanfare_protocol::ids::UserId;

use super::{Room, rows};
use crate::command::{BusCommand, Roster};
use crate::machine::channel::{Comparison, PartialRoster, View, mark};
use crate::machine::core::{Check, Core, Purpose};
use crate::machine::mistakes::Mistake;
use crate::scripts::DeltaKind;

/// Changes that are kept for a roster; with more, the roster is asked for again.
pub const MOST_KEPT: usize = 1_000;

impl Room {
    /// Asks for a roster. Until the answer, changes are kept; those kept before are in the answer.
    pub(super) fn want(&mut self, core: &mut Core, channel: &ChannelName) {
        let can_ask = self.is_up() && self.is_subscribed;
        let Some(held) = self.channels.get_mut(channel) else { return };
        let (Some(view), Some(copy)) = (&mut held.roster, held.copy) else { return };
        self.asked += 1;
        view.asked = self.asked;
        // What was kept may be of another epoch, too, where numbers begin anew.
        if !core.makes(Mistake::KeptDeltasOutliveTheirEpoch) {
            view.kept.clear();
        }
        (view.parts, view.check) = (None, None);
        self.checking.remove(channel);
        if std::mem::replace(&mut view.is_ready, false) {
            core.outcome(&self.topic.app, ClusterOutcome::Doubtful { channel: channel.clone(), copy });
        }
        if !can_ask {
            view.is_queued = false;
            return;
        }
        if !std::mem::replace(&mut view.is_queued, true) {
            self.asks.push_back(channel.clone());
        }
        self.owe(core, channel);
    }

    /// Asks for all rosters: something was missed, or an epoch has settled (N8).
    pub fn want_all(&mut self, core: &mut Core) {
        let names: Vec<_> = self
            .channels
            .iter()
            .filter(|(_, held)| held.roster.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        for channel in names {
            self.want(core, &channel);
        }
    }

    /// The answer to the question `asked`.
    pub(super) fn roster_answered(
        &mut self,
        core: &mut Core,
        (channel, asked): (ChannelName, u64),
        (as_of, age): (u64, u64),
        roster: Option<Roster>,
    ) {
        let only_adds = age < core.settling() && !core.makes(Mistake::NobodyIsWaitedForInANewEpoch);
        let view = self.channels.get(&channel).and_then(|held| held.roster.as_ref());
        // A question is answered once.
        let again = core.makes(Mistake::ARosterIsTakenTwice);
        let is_answered = |view: &View| !again && (view.is_ready || view.parts.is_some());
        if view.is_none_or(|view| view.asked != asked || is_answered(view)) {
            return;
        }
        if !self.begin_at(core, as_of) {
            return;
        }
        let Some(view) = self.channels.get_mut(&channel).and_then(|held| held.roster.as_mut()) else {
            return;
        };
        match roster {
            Some(Roster::Whole(users)) => {
                let roster = PartialRoster { as_of, only_adds, users: users.into_iter().collect() };
                self.replace(core, &channel, roster, true);
            }
            _ => {
                view.parts = Some(PartialRoster { as_of, only_adds, users: BTreeMap::new() });
                self.ask_part(core, channel, asked, 0);
            }
        }
    }

    fn ask_part(&self, core: &mut Core, channel: ChannelName, asked: u64, cursor: u64) {
        let purpose = Purpose::RosterPart { app: self.topic.app.clone(), channel: channel.clone(), asked };
        let command = BusCommand::RosterPart { topic: self.topic.clone(), channel, cursor };
        core.ask(self.topic.partition, purpose, command);
    }

    /// Part of a large roster; as of the number before the first part, so later changes are applied once more.
    pub fn part_answered(
        &mut self,
        core: &mut Core,
        (channel, asked): (ChannelName, u64),
        users: Vec<(UserId, String)>,
        cursor: u64,
    ) {
        let Some(view) = self.channels.get_mut(&channel).and_then(|held| held.roster.as_mut()) else {
            return;
        };
        let Some(parts) = view.parts.as_mut().filter(|_| view.asked == asked) else { return };
        parts.users.extend(users);
        if cursor != 0 {
            self.ask_part(core, channel, asked, cursor);
        } else if let Some(parts) = view.parts.take() {
            self.replace(core, &channel, parts, false);
        }
    }

    /// A question was not answered: it is asked again.
    pub fn part_failed(&mut self, core: &mut Core, channel: &ChannelName, asked: u64) {
        let view = self.channels.get(channel).and_then(|held| held.roster.as_ref());
        if view.is_some_and(|view| view.asked == asked) {
            self.want(core, channel);
        }
    }

    /// Takes a roster in place of the one before. One that was read in parts is as of no single number, so there is nothing to
    /// compare it with.
    fn replace(&mut self, core: &mut Core, channel: &ChannelName, roster: PartialRoster, is_exact: bool) {
        let Some(held) = self.channels.get_mut(channel) else { return };
        let (Some(view), Some(copy)) = (&mut held.roster, held.copy) else { return };
        let PartialRoster { as_of, only_adds, users } = roster;
        let mut kept = std::mem::take(&mut view.kept);
        if core.makes(Mistake::ARosterIsTakenAsTheNewest) {
            kept.clear();
        }
        (view.is_ready, view.as_of) = (true, as_of);
        view.sum = is_exact.then(|| users.keys().map(mark).fold(0, u64::wrapping_add));
        view.check = match (view.check.take(), view.sum) {
            (Some(Comparison::Asked { from, sum }), Some(expected)) if !only_adds => {
                let before = kept.iter().filter(|(number, _)| (from + 1..=as_of).contains(number));
                let sum = before.fold(sum, |sum, (_, kind)| with(sum, kind));
                self.checking.insert(channel.clone());
                Some(Comparison::Answered { from, as_of, expected, sum })
            }
            _ => None,
        };
        let checked = core.checked();
        let at = core.now + checked + core.random(checked / 4);
        let (partition, app) = (self.topic.partition, self.topic.app.clone());
        let mut check = Check { at, partition, app, channel: channel.clone(), copy };
        let before = view.checked_at.replace(at);
        core.checks.insert(check.clone());
        if let Some(before) = before {
            check.at = before;
            core.checks.remove(&check);
        }
        let users = users.into_iter().map(|(user, info)| (user, rows::read(info))).collect();
        core.outcome(
            &self.topic.app,
            ClusterOutcome::Roster { channel: channel.clone(), copy, users, only_adds },
        );
        for (number, kind) in kept.into_iter().filter(|(number, _)| *number > as_of) {
            self.apply(core, channel, number, kind);
        }
        self.settle(channel);
        self.compare(core);
    }

    /// A change of a roster, in the order of numbers.
    pub(super) fn apply(&mut self, core: &mut Core, channel: &ChannelName, number: u64, kind: DeltaKind) {
        let Some(held) = self.channels.get_mut(channel) else { return };
        let (Some(view), Some(copy)) = (&mut held.roster, held.copy) else { return };
        if !view.is_ready {
            if core.makes(Mistake::ChangesAreNotKeptForARoster) {
                return;
            }
            view.kept.push((number, kind));
            if view.kept.len() > MOST_KEPT {
                self.want(core, channel);
            }
            return;
        }
        if number <= view.as_of && !core.makes(Mistake::ARosterIsTakenAsTheNewest) {
            if let Some(Comparison::Answered { from, as_of, sum, .. }) = &mut view.check
                && (*from + 1..=*as_of).contains(&number)
            {
                *sum = with(*sum, &kind);
            }
            return;
        }
        view.sum = view.sum.map(|sum| with(sum, &kind));
        let channel = channel.clone();
        let outcome = match kind {
            DeltaKind::Added(user, info) | DeltaKind::Updated(user, info) => {
                ClusterOutcome::Added { channel, copy, user, info: rows::read(info) }
            }
            DeltaKind::Removed(user) => ClusterOutcome::Removed { channel, copy, user },
            DeltaKind::Count(_) | DeltaKind::Unknown => return,
        };
        core.outcome(&self.topic.app, outcome);
    }

    /// A copy is read again without any doubt (N13).
    pub fn check(&mut self, core: &mut Core, check: &Check) {
        let is_meant = |view: &&View| view.is_ready;
        let Some(held) = self.channels.get(&check.channel) else { return };
        let Some(view) = held.roster.as_ref().filter(is_meant) else { return };
        if held.copy != Some(check.copy) || !self.is_up() || !self.is_subscribed {
            return;
        }
        let (from, sum) = (view.as_of, view.sum);
        self.want(core, &check.channel);
        if let Some(view) = self.channels.get_mut(&check.channel).and_then(|held| held.roster.as_mut()) {
            view.check = sum.map(|sum| Comparison::Asked { from, sum });
        }
    }

    /// Compares the copies that were read for safety, as soon as all changes up to the answer were heard.
    pub(super) fn compare(&mut self, core: &mut Core) {
        let Some(last) = self.last.filter(|_| !self.checking.is_empty()) else { return };
        let channels = &mut self.channels;
        self.checking.retain(|channel| {
            let view = channels.get_mut(channel).and_then(|held| held.roster.as_mut());
            let Some(view) = view else { return false };
            match view.check {
                Some(Comparison::Answered { as_of, .. }) if as_of > last => true,
                Some(Comparison::Answered { expected, sum, .. }) => {
                    view.check = None;
                    if expected != sum {
                        core.numbers.rosters_mended += 1;
                        core.out.mended.push((self.topic.app.clone(), channel.clone()));
                    }
                    false
                }
                _ => false,
            }
        });
    }
}

/// The sum of marks after a change.
fn with(sum: u64, kind: &DeltaKind) -> u64 {
    match kind {
        DeltaKind::Added(user, _) => sum.wrapping_add(mark(user)),
        DeltaKind::Removed(user) => sum.wrapping_sub(mark(user)),
        DeltaKind::Updated(..) | DeltaKind::Count(_) | DeltaKind::Unknown => sum,
    }
}
