//! What Redis holds, in memory: the scripts once more, in Rust. The schedules on a real Redis compare both.

mod batch;
mod plain;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::webhook::Kinds;

use self::batch::Batch;
use crate::command::{
    Beat, BusAnswer, BusCommand, CountRule, EntryId, GOINGS_PART, HookEntry, HookSubject, NodeName,
    RefusedHooks, Row, TakenPage,
};
use crate::partition::{Partition, Topic};
use crate::scripts::Delta;

pub const LEASE: u64 = 5_000;
pub const SETTLING: u64 = 8_000;
pub const DELAY: u64 = 3_000;
pub const WINDOW: u64 = 50;

/// What subscribers hear.
#[derive(Clone, Debug, PartialEq)]
pub enum Published {
    Delta(Topic, Delta),
    Hooked(Partition),
    Kept(Topic, u64, ChannelName, Bytes),
}

/// Redis, as the nodes see it.
pub trait Store {
    fn execute(&mut self, now: u64, node: &NodeName, command: &BusCommand) -> BusAnswer;
    /// What was published since the last call.
    fn published(&mut self) -> Vec<Published>;
    /// Everything is lost; the master's data has another id.
    fn clear(&mut self, data: String);
    /// A copy to come back to, if the store can.
    fn save(&self) -> Option<Memory> {
        None
    }
    fn restore(&mut self, _saved: Memory, _data: String) {}
    /// Redis is full, or has room again.
    fn fill(&mut self, is_full: bool);
    fn rosters(&mut self) -> Rosters;
    fn totals(&mut self) -> BTreeMap<(AppId, ChannelName), usize>;
    /// Whether webhooks were told, or are to be told, of anything in the partition.
    fn has_told(&mut self, partition: Partition) -> bool;
}

pub type Rosters = BTreeMap<(AppId, ChannelName), BTreeMap<UserId, (usize, String)>>;

/// Mistakes that the scripts avoid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptMistake {
    NoGenerations,
    TheDeadAreNotFenced,
    LeavesAreCounted,
    AReturnDoesNotCancelAGoing,
}

/// A user on a channel, or a channel's count.
pub type RowKey = (AppId, ChannelName, Option<UserId>);

/// The rows of a node.
type Rows = BTreeMap<RowKey, Tag>;

/// A row's owner has so many of what it is about, said in that generation.
type Tag = (String, usize);

#[derive(Clone, Default)]
struct Data {
    live: BTreeMap<NodeName, u64>,
    generations: BTreeMap<NodeName, u64>,
    own: BTreeMap<NodeName, Rows>,
    dead: BTreeSet<NodeName>,
    data: Option<String>,
    id: String,
    born: u64,
    owner: Option<NodeName>,
    term: u64,
    by: u64,
    numbers: BTreeMap<AppId, u64>,
    rosters: Rosters,
    totals: BTreeMap<(AppId, ChannelName), usize>,
    told: BTreeSet<HookSubject>,
    adopted: BTreeSet<HookSubject>,
    due: BTreeMap<HookSubject, u64>,
    hooks: BTreeMap<EntryId, HookEntry>,
    last_entry: EntryId,
    refused: BTreeMap<AppId, u64>,
    counted: BTreeMap<(AppId, ChannelName), (u64, usize, CountRule)>,
    late: BTreeMap<(AppId, ChannelName), u64>,
    hooked: BTreeMap<AppId, Kinds>,
    kept: BTreeMap<(AppId, ChannelName), (u64, Bytes, u64)>,
    versions: BTreeMap<AppId, u64>,
    missed: BTreeMap<(AppId, ChannelName), u64>,
}

/// The store in memory.
#[derive(Clone, Default)]
pub struct Memory {
    parts: BTreeMap<Partition, Data>,
    data: String,
    epochs: u64,
    published: Vec<Published>,
    mistakes: Vec<ScriptMistake>,
    /// Bytes of webhooks that wait.
    hook_bytes: usize,
    /// Redis is full: what needs memory is refused.
    is_full: bool,
}

impl Memory {
    pub fn new(mistakes: &[ScriptMistake]) -> Self {
        Self { data: "r0".to_owned(), mistakes: mistakes.to_vec(), hook_bytes: 8 << 20, ..Self::default() }
    }

    /// With room for so many bytes of webhooks.
    pub fn bounded(self, hook_bytes: usize) -> Self {
        Self { hook_bytes, ..self }
    }

    /// The same data at another master.
    pub fn rename(&mut self, data: String) {
        self.data = data;
    }

    /// Entries of an app that wait.
    pub fn queued(&self, app: &AppId) -> usize {
        let hooks = self.parts.values().flat_map(|data| data.hooks.values());
        hooks.filter(|entry| entry.subject.app == *app).count()
    }

    /// A user who was added by no script.
    pub fn meddle(&mut self, app: &AppId, channel: &str, user: &str) {
        let key = (app.clone(), ChannelName::trusted(channel));
        let roster = self.parts.entry(0).or_default().rosters.entry(key).or_default();
        roster.insert(UserId::from(user), (1, String::new()));
    }

    fn makes(&self, mistake: ScriptMistake) -> bool {
        self.mistakes.contains(&mistake)
    }
}

impl Store for Memory {
    fn execute(&mut self, now: u64, node: &NodeName, command: &BusCommand) -> BusAnswer {
        match command {
            BusCommand::Hello { partition, generation } => self.hello(now, *partition, node, *generation),
            BusCommand::Beat { partition, generation, .. } => self.beat(now, *partition, node, *generation),
            BusCommand::Apply { topic, by, operations } => {
                Batch::run(self, now, node, (topic, by), operations)
            }
            BusCommand::Take { partition, generation, last } => {
                self.take(now, *partition, node, (*generation, *last))
            }
            BusCommand::Told { partition, term, is_first, subjects } => {
                self.told(now, *partition, (*term, *is_first), subjects)
            }
            BusCommand::Bye { partition, node, generation } => {
                let data = self.parts.entry(*partition).or_default();
                if let Some(generation) = generation {
                    if data.generations.get(node) != Some(generation) {
                        return BusAnswer::Fenced;
                    }
                    data.live.remove(node);
                    data.generations.remove(node);
                    data.dead.insert(node.clone());
                }
                if data.own.get(node).is_none_or(BTreeMap::is_empty) {
                    data.dead.remove(node);
                }
                BusAnswer::Done
            }
            command => self.plain(now, command),
        }
    }

    fn published(&mut self) -> Vec<Published> {
        std::mem::take(&mut self.published)
    }

    fn clear(&mut self, data: String) {
        self.parts.clear();
        self.data = data;
    }

    fn save(&self) -> Option<Memory> {
        Some(self.clone())
    }

    fn restore(&mut self, saved: Memory, data: String) {
        (self.parts, self.data) = (saved.parts, data);
    }

    fn fill(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    fn rosters(&mut self) -> Rosters {
        let all = self.parts.values().flat_map(|data| data.rosters.iter());
        all.filter(|(_, roster)| !roster.is_empty())
            .map(|(key, roster)| (key.clone(), roster.clone()))
            .collect()
    }

    fn totals(&mut self) -> BTreeMap<(AppId, ChannelName), usize> {
        self.parts.values().flat_map(|data| data.totals.clone()).collect()
    }

    fn has_told(&mut self, partition: Partition) -> bool {
        self.parts.get(&partition).is_some_and(|data| !data.told.is_empty() || !data.hooks.is_empty())
    }
}

impl Memory {
    fn hello(&mut self, now: u64, partition: Partition, node: &NodeName, generation: u64) -> BusAnswer {
        let data = self.parts.entry(partition).or_default();
        if data.data.as_ref() != Some(&self.data) {
            self.epochs += 1;
            (data.data, data.id, data.born) = (Some(self.data.clone()), format!("e{}", self.epochs), now);
            data.owner = None;
            data.due.clear();
            data.adopted.clear();
            data.late.values_mut().for_each(|at| *at = now);
            data.live.values_mut().for_each(|until| *until = now + LEASE);
        }
        data.spare_all(now);
        data.dead.remove(node);
        data.live.insert(node.clone(), now + LEASE);
        data.generations.insert(node.clone(), generation);
        BusAnswer::Hello { epoch: data.id.clone(), age: now - data.born }
    }

    fn beat(&mut self, now: u64, partition: Partition, node: &NodeName, generation: u64) -> BusAnswer {
        let keeps_dead = self.makes(ScriptMistake::TheDeadAreNotFenced);
        let data = self.parts.entry(partition).or_default();
        data.spare_all(now);
        let mut is_fenced = data.generations.get(node) != Some(&generation) || !data.live.contains_key(node);
        if !is_fenced {
            data.live.insert(node.clone(), now + LEASE);
        }
        let over: Vec<_> =
            data.live.iter().filter(|(_, until)| **until <= now).map(|(n, _)| n.clone()).collect();
        for other in over {
            data.live.remove(&other);
            if !keeps_dead {
                data.generations.remove(&other);
            }
            is_fenced |= other == *node;
            data.dead.insert(other);
        }
        let mut is_more = false;
        let born = if data.data.is_some() { data.born } else { now };
        let age = now - born;
        if age >= SETTLING {
            let mut due: Vec<_> =
                data.due.iter().filter(|(_, at)| **at <= now).map(|(s, at)| (*at, s.clone())).collect();
            due.sort();
            due.truncate(GOINGS_PART);
            is_more = due.len() == GOINGS_PART;
            let mut is_hooked = false;
            for (_, subject) in due {
                data.due.remove(&subject);
                if data.told.remove(&subject) {
                    data.hook(now, false, subject);
                    is_hooked = true;
                }
            }
            if is_hooked {
                self.published.push(Published::Hooked(partition));
            }
        }
        if is_fenced {
            return BusAnswer::Fenced;
        }
        if data.owner.as_ref().is_none_or(|owner| !data.live.contains_key(owner)) {
            data.owner = Some(node.clone());
        }
        let mut late: Vec<_> =
            data.late.iter().filter(|(_, at)| **at <= now).map(|(c, at)| (*at, c.clone())).collect();
        late.sort();
        let late: Vec<_> = late.into_iter().map(|(_, channel)| channel).collect();
        for channel in &late {
            data.late.insert(channel.clone(), now + 1_000);
        }
        let owner = data.owner.clone().unwrap();
        let dead = data.dead.iter().cloned().collect();
        BusAnswer::Beat(Beat { epoch: data.id.clone(), age, dead, owner, term: data.term, late, is_more })
    }

    fn take(
        &mut self,
        now: u64,
        partition: Partition,
        node: &NodeName,
        (generation, last): (u64, Option<EntryId>),
    ) -> BusAnswer {
        let data = self.parts.entry(partition).or_default();
        if data.generations.get(node) != Some(&generation) || data.owner.as_ref() != Some(node) {
            return BusAnswer::Fenced;
        }
        let Some(last) = last else {
            data.term += 1;
            return BusAnswer::Term(data.term);
        };
        let behind: Vec<&HookEntry> = data.hooks.values().filter(|entry| entry.id > last).take(251).collect();
        let is_over = |entry: &&&HookEntry| {
            let ends = entry.id.milliseconds;
            ends < now || ends > now + 1_000
        };
        let mut entries: Vec<HookEntry> = behind.iter().take_while(is_over).copied().cloned().collect();
        let next = behind.get(entries.len());
        let wait = next.map_or(0, |entry| entry.id.milliseconds + 1 - now);
        let is_whole_page = entries.len() > 250;
        entries.truncate(250);
        let refused = data.take_refused(self.hook_bytes);
        let born = if data.data.is_some() { data.born } else { now };
        BusAnswer::Taken(TakenPage { entries, is_whole_page, wait, now, born, refused })
    }

    fn told(
        &mut self,
        now: u64,
        partition: Partition,
        (term, is_first): (u64, bool),
        subjects: &[HookSubject],
    ) -> BusAnswer {
        let data = self.parts.entry(partition).or_default();
        if now - data.born >= SETTLING {
            return BusAnswer::Late;
        }
        if term >= data.by {
            if is_first {
                data.told.clone_from(&data.adopted);
                data.hooks.clear();
                data.refused.clear();
                data.last_entry = EntryId::default();
                (data.by, data.term) = (term, data.term.max(term));
            }
            data.told.extend(subjects.iter().cloned());
        }
        BusAnswer::Done
    }
}

fn rows(keys: impl Iterator<Item = RowKey>, from: usize) -> Vec<Row> {
    let row = |(app, channel, user): RowKey| match user {
        Some(user) => Row::Member { app, channel, user },
        None => Row::Count { app, channel },
    };
    keys.skip(from).map(row).collect()
}

impl Data {
    /// All leases ran out together: Redis was away, and everybody has time to renew.
    fn spare_all(&mut self, now: u64) {
        if self.live.values().all(|until| *until <= now) {
            self.live.values_mut().for_each(|until| *until = now + LEASE / 2);
        }
    }

    fn hook(&mut self, now: u64, came: bool, subject: HookSubject) {
        let ends = (now / WINDOW + 1) * WINDOW;
        let last = self.last_entry;
        let id = if last.milliseconds < ends {
            EntryId { milliseconds: ends, number: 0 }
        } else {
            EntryId { number: last.number + 1, ..last }
        };
        self.last_entry = id;
        self.hooks.insert(id, HookEntry { id, came, subject });
    }

    /// Bytes of webhooks that wait: of an app, and of all others.
    fn queued(&self, app: &AppId) -> (usize, usize) {
        let size = |subject: &HookSubject| {
            let user = subject.user.as_ref().map_or(0, |user| user.as_str().len());
            subject.app.as_str().len() + subject.channel.as_str().len() + user + 128
        };
        let (mut own, mut others) = (0, 0);
        for HookEntry { subject, .. } in self.hooks.values() {
            *(if subject.app == *app { &mut own } else { &mut others }) += size(subject);
        }
        (own, others)
    }

    fn has_room(&self, app: &AppId, hook_bytes: usize) -> bool {
        let (own, others) = self.queued(app);
        own * 4 + others < hook_bytes
    }

    fn take_refused(&mut self, hook_bytes: usize) -> Vec<RefusedHooks> {
        let mut told = Vec::new();
        for (app, count) in std::mem::take(&mut self.refused) {
            let (own, others) = self.queued(&app);
            let has_room =
                (own * 8 + others < hook_bytes).then(|| self.hooked.get(&app).copied().unwrap_or_default());
            if has_room.is_none() {
                self.refused.insert(app.clone(), 0);
            }
            if has_room.is_some() || count > 0 {
                told.push(RefusedHooks { app, count, has_room });
            }
        }
        told
    }
}
