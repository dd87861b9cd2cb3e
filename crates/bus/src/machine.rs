//! How nodes agree on who is where, as rules alone: leases, numbers, rosters, webhooks (N1 … N14).
//!
//! One machine for one Redis, owned by the link's task. The machine is told what happened, on this node and in Redis, and
//! says what to ask of Redis and what to bring to this node. Never reads a clock, a socket or a lock, and never waits.
//!
//! A row (user on a channel, or a channel's count) is stated from its present state when its turn comes. So a queue
//! holds a row once, and what came and went in between is never said.

mod channel;
mod core;
mod leased;
mod mistakes;
mod room;
mod said;
mod sender;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_protocol::cluster::{Change, Snapshot};
use fanfare_protocol::ids::AppId;

use crate::command::{BusAnswer, EntryId, Token};
use crate::partition::{Partition, Topic};
use crate::scripts::Delta;

use self::core::Core;
pub use self::core::MachineNumbers;
use self::leased::{Lease, Leased};
use self::room::Room;
pub use self::said::{MachineSettings, Out};

/// The rules of one link.
#[cfg_attr(test, derive(Clone))]
pub struct Machine {
    core: Core,
    parts: BTreeMap<Partition, Leased>,
}

impl Machine {
    /// A machine for the partitions of one Redis.
    #[must_use]
    pub fn new(settings: MachineSettings, partitions: impl IntoIterator<Item = Partition>) -> Self {
        let parts = partitions.into_iter().map(|number| (number, Leased::new(number))).collect();
        Self { core: Core::new(settings), parts }
    }

    /// The command connection to these partitions stands, and every command goes over it from now on.
    pub fn connected(&mut self, now: u64, partitions: &[Partition]) {
        self.core.now = now;
        for number in partitions {
            if let Some(part) = self.parts.get_mut(number).filter(|part| part.lease == Lease::Away) {
                part.hello(&mut self.core);
            }
        }
    }

    /// The command connection to these partitions is lost: no command without an answer gets one.
    pub fn lost(&mut self, now: u64, partitions: &[Partition]) {
        self.core.now = now;
        for number in partitions {
            if let Some(part) = self.parts.get_mut(number).filter(|part| part.lease != Lease::Ended) {
                part.let_go(&mut self.core);
                part.lease = Lease::Away;
            }
        }
    }

    /// These topics are subscribed to, anew: nothing published from now on is missed.
    pub fn subscribed(&mut self, now: u64, topics: &[Topic]) {
        self.core.now = now;
        for topic in topics {
            self.in_room(topic, Room::subscribed);
        }
    }

    /// Messages of these partitions' topics may have been missed, and are missed until the topics are subscribed to anew.
    pub fn subscription_lost(&mut self, now: u64, partitions: &[Partition]) {
        self.core.now = now;
        for number in partitions {
            let topics: Vec<Topic> = self.parts.get(number).into_iter().flat_map(Leased::topics).collect();
            for topic in topics {
                self.in_room(&topic, Room::unsubscribed);
            }
        }
    }

    /// The topics that are to be subscribed to.
    pub fn wanted(&self) -> impl Iterator<Item = Topic> {
        self.parts.values().flat_map(Leased::topics)
    }

    /// Something has changed on this node.
    pub fn change(&mut self, now: u64, app: &AppId, change: Change) {
        self.core.now = now;
        let layout = Arc::clone(&self.core.settings.layout);
        let topic = layout.topic(app, change.channel());
        self.in_new_room(&topic, |room, core| room.change(core, change));
    }

    /// Whether a topic is of this machine's partitions.
    #[must_use]
    pub fn has(&self, partition: Partition) -> bool {
        self.parts.contains_key(&partition)
    }

    /// A change that scripts have published on a topic.
    pub fn heard(&mut self, now: u64, topic: &Topic, delta: Delta) {
        self.core.now = now;
        if let Some(part) = self.parts.get_mut(&topic.partition) {
            part.heard(&mut self.core, &topic.app, delta);
        }
    }

    /// Everything that an app has here: changes before this were missed.
    pub fn reset(&mut self, now: u64, app: &AppId, snapshot: Snapshot) {
        self.core.now = now;
        let layout = Arc::clone(&self.core.settings.layout);
        let mut by_partition: BTreeMap<Partition, Vec<_>> =
            self.parts.keys().map(|number| (*number, Vec::new())).collect();
        for open in snapshot.channels {
            if let Some(channels) = by_partition.get_mut(&layout.partition(app, &open.channel)) {
                channels.push(open);
            }
        }
        for (partition, channels) in by_partition {
            self.in_new_room(&Topic { partition, app: app.clone() }, |room, core| {
                room.set_kinds(snapshot.hooked);
                room.reset(core, channels);
            });
        }
    }

    /// Says at once what would wait for its time, because somebody asks for numbers (CL-020). False if something has to
    /// wait for a batch in flight: then to be called again after the next answer, until true.
    pub fn flush(&mut self, now: u64, app: &AppId) -> bool {
        self.core.now = now;
        for partition in self.parts.keys().copied().collect::<Vec<_>>() {
            self.in_room(&Topic { partition, app: app.clone() }, Room::flush);
        }
        self.pump();
        self.parts.values().filter_map(|part| part.rooms.get(app)).all(Room::is_flushed)
    }

    /// Scripts have added webhooks to the partition's stream.
    pub fn hooks_due(&mut self, now: u64, partition: Partition) {
        self.core.now = now;
        if let Some(part) = self.parts.get_mut(&partition) {
            part.hooks_due(now);
        }
    }

    /// Webhooks that need no more sending: every receiver has answered, or retrying has ended.
    pub fn hooks_sent(&mut self, now: u64, partition: Partition, entries: &[EntryId]) {
        self.core.now = now;
        if let Some(part) = self.parts.get_mut(&partition) {
            part.hooks_sent(&mut self.core, entries);
        }
    }

    /// Redis has answered a command. An answer to a command of a lost connection is ignored.
    pub fn answered(&mut self, now: u64, token: Token, answer: BusAnswer) {
        self.core.now = now;
        let Some((partition, purpose)) = self.core.answered(token) else { return };
        if let Some(part) = self.parts.get_mut(&partition) {
            part.answered(&mut self.core, purpose, answer);
        }
    }

    /// Time goes on; to be called when [`Machine::next`] says so, and at least every second.
    pub fn tick(&mut self, now: u64) {
        self.core.now = now;
        for part in self.parts.values_mut() {
            part.tick(&mut self.core);
        }
        while let Some(topic) = self.core.alarms.due(now) {
            self.in_room(&topic, Room::tick);
        }
        while let Some(check) = self.core.next_check() {
            self.in_room(&check.topic(), |room, core| room.check(core, &check));
        }
    }

    /// When [`Machine::tick`] is to be called next, in milliseconds of the caller's clock.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.due().max(self.core.now + 1)
    }

    fn due(&self) -> u64 {
        let parts = self.parts.values().filter_map(|part| part.next(&self.core)).min();
        let next = [parts, self.core.alarms.next(), self.core.check_at()].into_iter().flatten().min();
        next.unwrap_or(u64::MAX)
    }

    /// What there is to say, behind everything that was told until now.
    pub fn take(&mut self) -> Out {
        // Under load the caller's timer may come late.
        if self.due() <= self.core.now {
            self.tick(self.core.now);
        }
        self.pump();
        std::mem::take(&mut self.core.out)
    }

    /// What was counted so far.
    #[must_use]
    pub const fn numbers(&self) -> &MachineNumbers {
        &self.core.numbers
    }

    /// Whether this node has its lease in the partition.
    #[must_use]
    pub fn is_up(&self, partition: Partition) -> bool {
        self.parts.get(&partition).is_some_and(|part| part.lease == Lease::Up)
    }

    /// Partitions whose webhooks this node sends.
    pub fn sends_hooks(&self) -> impl Iterator<Item = Partition> {
        self.parts.values().filter(|part| part.sender.is_owner()).map(|part| part.number)
    }

    /// This node ends: others take away what is left of it at once (CL-070). Nothing is asked of Redis behind this.
    pub fn end(&mut self, now: u64) {
        self.core.now = now;
        self.pump();
        for part in self.parts.values_mut() {
            part.end(&mut self.core);
        }
    }

    /// Sends batches, while fewer than four are in flight.
    fn pump(&mut self) {
        while self.core.has_room() {
            let Some(topic) = self.core.ring.pop_front() else { break };
            let Some(part) = self.parts.get_mut(&topic.partition) else { continue };
            part.send_batch(&mut self.core, &topic);
        }
        for part in self.parts.values_mut() {
            part.reap_on(&mut self.core);
        }
    }

    fn in_room(&mut self, topic: &Topic, act: impl FnOnce(&mut Room, &mut Core)) {
        let Some(part) = self.parts.get_mut(&topic.partition) else { return };
        if part.rooms.contains_key(&topic.app) {
            part.in_room(&mut self.core, &topic.app, act);
        }
    }

    fn in_new_room(&mut self, topic: &Topic, act: impl FnOnce(&mut Room, &mut Core)) {
        if let Some(part) = self.parts.get_mut(&topic.partition) {
            part.in_room(&mut self.core, &topic.app, act);
        }
    }
}
