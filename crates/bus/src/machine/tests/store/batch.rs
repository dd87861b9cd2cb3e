//! One run of `apply.lua`.

use std::collections::BTreeMap;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::webhook::{Kind, Kinds};

use super::{DELAY, Data, Memory, Published, RowKey, SETTLING, ScriptMistake, Tag};
use crate::command::{
    Actor, Applied, BusAnswer, CountRule, Failure, HookSubject, NodeName, Operation, Roster, Status,
};
use crate::partition::Topic;
use crate::scripts::{Delta, DeltaKind};

/// One run of `apply.lua`.
pub struct Batch<'a> {
    now: u64,
    node: &'a NodeName,
    topic: &'a Topic,
    generation: String,
    data: &'a mut Data,
    published: &'a mut Vec<Published>,
    mistakes: &'a [ScriptMistake],
    hook_bytes: usize,
    is_young: bool,
    is_hooked: bool,
}

impl<'a> Batch<'a> {
    pub fn run(
        memory: &'a mut Memory,
        now: u64,
        node: &'a NodeName,
        (topic, by): (&'a Topic, &'a Actor),
        operations: &[Operation],
    ) -> BusAnswer {
        let is_full = memory.is_full;
        let (no_generations, keeps_dead) =
            (memory.makes(ScriptMistake::NoGenerations), memory.makes(ScriptMistake::TheDeadAreNotFenced));
        let data = memory.parts.entry(topic.partition).or_default();
        let (node, generation) = match by {
            Actor::Reaper(dead) if data.dead.contains(dead) => (dead, "reap".to_owned()),
            Actor::Reaper(_) => return BusAnswer::Fenced,
            Actor::Own(generation) => {
                let is_own = data.generations.get(node) == Some(generation) || no_generations;
                if !is_own || !data.live.contains_key(node) && !keeps_dead {
                    return BusAnswer::Fenced;
                }
                (node, generation.to_string())
            }
        };
        // The first write decides: a batch that begins by taking something away goes on.
        let needs_memory = operations.iter().find_map(|operation| match operation {
            Operation::Join { .. } => Some(true),
            Operation::Count { count, .. } => Some(*count > 0),
            Operation::Leave { .. } => Some(false),
            _ => None,
        });
        if is_full && needs_memory == Some(true) {
            return BusAnswer::Failed(Failure::OutOfMemory);
        }
        let (epoch, age) = (data.id.clone(), now - data.born);
        let is_young = age < SETTLING;
        let (published, mistakes) = (&mut memory.published, &memory.mistakes[..]);
        let hook_bytes = memory.hook_bytes;
        let mut batch = Batch {
            now,
            node,
            topic,
            generation,
            data,
            published,
            mistakes,
            hook_bytes,
            is_young,
            is_hooked: false,
        };
        let results = operations.iter().map(|operation| batch.apply(operation)).collect();
        if batch.is_hooked {
            memory.published.push(Published::Hooked(topic.partition));
        }
        BusAnswer::Applied { epoch, age, results }
    }

    fn key(&self, channel: &ChannelName) -> (fanfare_protocol::ids::AppId, ChannelName) {
        (self.topic.app.clone(), channel.clone())
    }

    fn row(&self, channel: &ChannelName, user: Option<&UserId>) -> RowKey {
        (self.topic.app.clone(), channel.clone(), user.cloned())
    }

    fn own(&mut self) -> &mut BTreeMap<RowKey, Tag> {
        self.data.own.entry(self.node.clone()).or_default()
    }

    fn tell(&mut self, channel: &ChannelName, kind: DeltaKind) {
        let number = self.data.numbers.entry(self.topic.app.clone()).or_default();
        *number += 1;
        let delta = Delta { epoch: self.data.id.clone(), number: *number, channel: channel.clone(), kind };
        self.published.push(Published::Delta(self.topic.clone(), delta));
    }

    fn subject(&self, channel: &ChannelName, user: Option<&UserId>) -> HookSubject {
        HookSubject { app: self.topic.app.clone(), channel: channel.clone(), user: user.cloned() }
    }

    fn mark(&mut self, channel: &ChannelName, is_channel: bool) {
        let kind = if channel.online_user().is_none() && is_channel {
            Kind::ChannelExistence
        } else {
            Kind::of_members(channel)
        };
        let kinds = self.data.hooked.entry(self.topic.app.clone()).or_default();
        *kinds = kinds.and(Kinds::from_iter([kind]));
    }

    fn came(&mut self, channel: &ChannelName, user: Option<&UserId>, wanted: bool, is_again: bool) {
        if wanted {
            self.mark(channel, user.is_none());
        }
        if self.is_young {
            return;
        }
        let subject = self.subject(channel, user);
        if self.data.due.remove(&subject).is_some() {
            if self.mistakes.contains(&ScriptMistake::AReturnDoesNotCancelAGoing) {
                self.data.due.insert(subject, self.now + DELAY);
            }
        } else if wanted && !self.data.told.contains(&subject) {
            if self.data.has_room(&self.topic.app, self.hook_bytes) {
                self.data.told.insert(subject.clone());
                self.data.hook(self.now, true, subject);
                self.is_hooked = true;
            } else {
                *self.data.refused.entry(self.topic.app.clone()).or_default() += u64::from(!is_again);
            }
        }
    }

    fn went(&mut self, channel: &ChannelName, user: Option<&UserId>) {
        let subject = self.subject(channel, user);
        if !self.is_young && self.data.told.contains(&subject) {
            self.data.due.entry(subject).or_insert(self.now + DELAY);
        }
    }

    fn number(&mut self, channel: &ChannelName, total: usize, rule: CountRule) -> Status {
        let key = self.key(channel);
        let stored = self.data.counted.get(&key).copied();
        let rule = match rule {
            CountRule::AsStored => stored.map_or(CountRule::Off, |(_, _, rule)| rule),
            rule => rule,
        };
        if rule == CountRule::Off {
            if self.data.counted.remove(&key).is_some() {
                self.data.late.remove(&key);
            }
            return Status::Ok;
        }
        let (at, last, _) = stored.unwrap_or((0, 0, rule));
        if last == total {
            self.data.late.remove(&key);
            return Status::Ok;
        }
        if rule == CountRule::Crowds && total > 100 && self.now.saturating_sub(at) < 5_000 && at <= self.now {
            self.data.late.entry(key).or_insert(at + 5_000);
            return Status::Ok;
        }
        if total == 0 {
            self.data.counted.remove(&key);
        } else {
            self.data.counted.insert(key.clone(), (self.now, total, rule));
        }
        self.data.late.remove(&key);
        self.tell(channel, DeltaKind::Count(total));
        Status::Told
    }

    fn count(
        &mut self,
        channel: &ChannelName,
        count: usize,
        rule: CountRule,
        (wanted, members_wanted): (bool, bool),
    ) -> (Status, usize) {
        let (row, tag) = (self.row(channel, None), (self.generation.clone(), count));
        let before = self.own().get(&row).map_or(0, |(_, count)| *count);
        if count == 0 {
            self.own().remove(&row)
        } else {
            self.own().insert(row, tag)
        };
        let key = self.key(channel);
        let total = self.data.totals.get(&key).copied().unwrap_or(0);
        if count == before {
            return (Status::Ok, total);
        }
        let after = (total + count).saturating_sub(before);
        if after == 0 {
            self.data.totals.remove(&key);
            if !self.data.totals.keys().any(|(app, _)| *app == self.topic.app) {
                self.data.hooked.remove(&self.topic.app);
            }
        } else {
            self.data.totals.insert(key, after);
        }
        if total == 0 {
            self.came(channel, None, wanted, false);
            if members_wanted {
                self.mark(channel, false);
            }
        } else if after == 0 {
            self.went(channel, None);
        }
        (self.number(channel, after, rule), after)
    }

    fn leave(&mut self, channel: &ChannelName, user: &UserId) -> Status {
        let row = self.row(channel, Some(user));
        let counts = self.mistakes.contains(&ScriptMistake::LeavesAreCounted);
        if self.own().remove(&row).is_none() && !counts {
            return Status::Nothing;
        }
        let key = self.key(channel);
        let Some(roster) = self.data.rosters.get_mut(&key) else { return Status::Nothing };
        let Some((nodes, _)) = roster.get_mut(user) else { return Status::Nothing };
        if *nodes == 1 {
            roster.remove(user);
            self.tell(channel, DeltaKind::Removed(user.clone()));
            self.went(channel, Some(user));
        } else {
            *nodes -= 1;
        }
        Status::Ok
    }

    fn join(
        &mut self,
        channel: &ChannelName,
        user: &UserId,
        info: &str,
        rule: (Option<usize>, bool),
    ) -> Status {
        let (row, generation) = (self.row(channel, Some(user)), self.generation.clone());
        let is_mine =
            self.own().contains_key(&row) && !self.mistakes.contains(&ScriptMistake::LeavesAreCounted);
        let key = self.key(channel);
        let roster = self.data.rosters.entry(key.clone()).or_default();
        let was = roster.get(user).cloned();
        // Since when a user is online: the earliest stays.
        let earlier = was.as_ref().map(|(_, old)| old.clone()).filter(|old| {
            let seconds = |info: &str| info.parse::<u64>().ok();
            let is_earlier = |old| seconds(info).is_none_or(|new| old < new);
            channel.online_user().is_some() && seconds(old).is_some_and(is_earlier)
        });
        let info = earlier.as_deref().unwrap_or(info);
        if !is_mine && was.is_none() && rule.0.is_some_and(|most| roster.len() >= most) {
            return Status::Full;
        }
        self.own().insert(row, (generation, 1));
        let roster = self.data.rosters.entry(key).or_default();
        match was {
            None => {
                roster.insert(user.clone(), (1, info.to_owned()));
                self.tell(channel, DeltaKind::Added(user.clone(), info.to_owned()));
            }
            Some((nodes, old)) => {
                roster.insert(user.clone(), (nodes + usize::from(!is_mine), info.to_owned()));
                if old != info {
                    self.tell(channel, DeltaKind::Updated(user.clone(), info.to_owned()));
                }
            }
        }
        self.came(channel, Some(user), rule.1, false);
        Status::Ok
    }

    fn apply(&mut self, operation: &Operation) -> Applied {
        let generation = self.generation.clone();
        let is_old = |tag: Option<&Tag>| tag.is_some_and(|(of, _)| *of != generation);
        let (mut status, mut roster, mut total) = (Status::Ok, None, None);
        match operation {
            Operation::Join { channel, user, info, most, hooked } => {
                status = self.join(channel, user, info, (*most, *hooked));
            }
            Operation::Leave { channel, user } => status = self.leave(channel, user),
            Operation::LeaveOld { channel, user } => {
                let row = self.row(channel, Some(user));
                status =
                    if is_old(self.own().get(&row)) { self.leave(channel, user) } else { Status::Nothing };
            }
            Operation::Count { channel, count, told, hooked, members_hooked } => {
                let (told, after) = self.count(channel, *count, *told, (*hooked, *members_hooked));
                (status, total) = (told, Some(after));
            }
            Operation::CountOld { channel } => {
                let row = self.row(channel, None);
                if is_old(self.own().get(&row)) {
                    let (told, after) = self.count(channel, 0, CountRule::AsStored, (false, false));
                    (status, total) = (told, Some(after));
                }
            }
            Operation::TellCount { channel } => {
                let present = self.data.totals.get(&self.key(channel)).copied().unwrap_or(0);
                (status, total) = (self.number(channel, present, CountRule::AsStored), Some(present));
            }
            Operation::Roster { channel } => {
                let all = self.data.rosters.get(&self.key(channel)).cloned().unwrap_or_default();
                let users: Vec<_> = all.into_iter().map(|(user, (_, info))| (user, info)).collect();
                roster = Some(if users.len() > 1_000 { Roster::Large } else { Roster::Whole(users) });
            }
            other => self.note(other),
        }
        let number = self.data.numbers.get(&self.topic.app).copied().unwrap_or(0);
        Applied { status, number, roster, total }
    }

    /// What concerns webhooks alone.
    fn note(&mut self, operation: &Operation) {
        match operation {
            Operation::Reconcile { channel, existence, presence } => {
                if self.data.totals.contains_key(&self.key(channel)) {
                    self.came(channel, None, *existence, true);
                }
                for user in self.users(channel, *presence) {
                    self.came(channel, Some(&user), true, true);
                }
            }
            Operation::ReconcileGone { channel, user } => {
                let is_there = match user {
                    None => self.data.totals.contains_key(&self.key(channel)),
                    Some(user) => self.users(channel, true).contains(user),
                };
                if !is_there {
                    self.went(channel, user.as_ref());
                }
            }
            Operation::Adopt { channel, existence, presence } => {
                if *existence && self.data.totals.contains_key(&self.key(channel)) {
                    self.adopt(channel, None);
                }
                for user in self.users(channel, *presence) {
                    self.adopt(channel, Some(&user));
                }
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn users(&self, channel: &ChannelName, wanted: bool) -> Vec<UserId> {
        let roster = self.data.rosters.get(&self.key(channel)).filter(|_| wanted);
        roster.map_or_else(Vec::new, |roster| roster.keys().cloned().collect())
    }

    fn adopt(&mut self, channel: &ChannelName, user: Option<&UserId>) {
        let subject = self.subject(channel, user);
        self.data.due.remove(&subject);
        if self.is_young {
            self.data.adopted.insert(subject.clone());
        }
        self.data.told.insert(subject);
        self.mark(channel, user.is_none());
    }
}
