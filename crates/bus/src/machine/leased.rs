//! One partition of a link: its lease, its apps, the dead nodes and the webhooks in it.

mod answers;
mod beats;
mod greeting;
mod hooks;
mod reaping;
mod samples;

use std::collections::{BTreeMap, VecDeque};

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::Kinds;

use super::core::{Core, Purpose};
use super::room::Room;
use super::sender::Sender;
use crate::command::{Actor, BusCommand, Generation, NodeName, Operation};
use crate::partition::{Partition, Topic};

/// Leaves that wait, in all topics of a link; with more, everything is announced anew (CL-115).
pub const MOST_LEAVES: usize = 100_000;

/// The lease of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// No connection.
    Away,
    /// Asked for.
    Greeting,
    /// Held.
    Up,
    /// Redis answered with an error; asked for at this time.
    Resting(u64),
    /// This node has said goodbye.
    Ended,
}

/// A dead node whose rows are taken away (N9).
#[cfg_attr(test, derive(Clone))]
pub struct Reap {
    starts: u64,
    cursor: u64,
    is_begun: bool,
    is_busy: bool,
    batches: VecDeque<(AppId, Vec<Operation>)>,
    /// Counts go last: a channel with users on it has a count, or reconciling would not find the channel.
    counts: BTreeMap<AppId, Vec<Operation>>,
}

/// A partition.
#[cfg_attr(test, derive(Clone))]
pub struct Leased {
    pub number: Partition,
    pub lease: Lease,
    pub rooms: BTreeMap<AppId, Room>,
    pub sender: Sender,
    generation: Generation,
    epoch: Option<String>,
    /// The epoch before; its deltas may still be on their way.
    previous: Option<String>,
    /// When the epoch is young no more (N8).
    settles: Option<u64>,
    next_beat: u64,
    last_beat: u64,
    /// Where the next beat goes on with its samples.
    sampled: Option<(AppId, ChannelName)>,
    /// Deltas of unknown epochs that were heard since the last answer to a beat.
    foreign: u64,
    /// Redis is full until then (CL-106).
    full_until: Option<u64>,
    is_swept: bool,
    reaps: BTreeMap<NodeName, Reap>,
}

impl Leased {
    /// A partition without a connection.
    pub fn new(number: Partition) -> Self {
        Self {
            number,
            lease: Lease::Away,
            rooms: BTreeMap::new(),
            sender: Sender::default(),
            generation: 0,
            epoch: None,
            previous: None,
            settles: None,
            next_beat: 0,
            last_beat: 0,
            sampled: None,
            foreign: 0,
            full_until: None,
            is_swept: true,
            reaps: BTreeMap::new(),
        }
    }

    /// The topics that are to be subscribed to.
    pub fn topics(&self) -> impl Iterator<Item = Topic> {
        self.rooms.values().filter(|room| room.is_wanted()).map(|room| room.topic.clone())
    }

    /// Does something with an app's room, makes the room if need be, and looks after it.
    pub fn in_room(&mut self, core: &mut Core, app: &AppId, act: impl FnOnce(&mut Room, &mut Core)) {
        let generation = (self.lease == Lease::Up).then_some(self.generation);
        let topic = Topic { partition: self.number, app: app.clone() };
        let room = self
            .rooms
            .entry(app.clone())
            .or_insert_with(|| Room::new(topic, generation, self.full_until.is_some(), self.is_swept));
        act(room, core);
        room.look_after(core);
        if room.is_over() {
            self.rooms.remove(app);
        }
        if core.leaves > MOST_LEAVES && self.lease == Lease::Up {
            core.numbers.overflows += 1;
            self.hello_again(core, greeting::why::TOO_MUCH_WAITS);
        }
    }

    /// Does something with each room.
    fn in_rooms(&mut self, core: &mut Core, act: impl Fn(&mut Room, &mut Core)) {
        for app in self.rooms.keys().cloned().collect::<Vec<_>>() {
            self.in_room(core, &app, &act);
        }
    }

    /// The next batch of a topic whose turn has come.
    pub fn send_batch(&mut self, core: &mut Core, topic: &Topic) {
        let Some(room) = self.rooms.get_mut(&topic.app) else { return };
        let sent = room.take_batch(core);
        if !sent.is_empty() {
            let operations = sent.iter().map(|(operation, _)| operation.clone()).collect();
            let by = Actor::Own(self.generation);
            let purpose = Purpose::Batch { app: topic.app.clone(), sent };
            core.ask(self.number, purpose, BusCommand::Apply { topic: topic.clone(), by, operations });
        }
        let next = room.next_totals();
        room.queue_up(core);
        if room.is_over() {
            self.rooms.remove(&topic.app);
        }
        if let Some((cursor, kinds)) = next {
            self.ask_totals(core, topic.app.clone(), cursor, kinds);
        }
    }

    fn ask_totals(&self, core: &mut Core, app: AppId, cursor: u64, kinds: Kinds) {
        let topic = Topic { partition: self.number, app: app.clone() };
        core.ask(self.number, Purpose::Totals { app, kinds }, BusCommand::Totals { topic, cursor });
    }
}
