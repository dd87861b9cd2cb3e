//! One topic, an app in a partition, as this node has it: its channels, its subscription, and what waits to be said.
//!
//! Never decides about leases: the partition says whether there is one.

mod batch;
mod caches;
mod changes;
mod confirming;
mod counts;
mod failures;
mod heard;
mod results;
mod rosters;
mod rows;
mod samples;
mod serving;
mod snapshot;
mod wanted;
mod wishes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::webhook::Kinds;

use super::channel::Held;
use super::core::Core;
use crate::command::{Generation, Operation};
use crate::partition::Topic;

/// One app in one partition.
#[cfg_attr(test, derive(Clone))]
pub struct Room {
    pub topic: Topic,
    /// The lease is held, with this generation.
    pub generation: Option<Generation>,
    /// Redis is full: joins are not said (CL-106).
    pub is_full: bool,
    /// All old rows of this node in the partition were read.
    is_swept: bool,
    channels: BTreeMap<ChannelName, Held>,
    kinds: Option<Kinds>,

    is_wanted: bool,
    is_subscribed: bool,
    is_leaving: bool,
    is_live: bool,
    /// Counts the subscriptions.
    serial: u64,
    unsubscribed_since: u64,
    idle_since: Option<u64>,

    /// The number of the last delta (N1).
    last: Option<u64>,
    /// The first delta since the subscription, until an answer says that none was missed before.
    first: Option<u64>,
    /// What the number was at the last beat.
    probe: Option<u64>,
    asked: u64,
    checking: BTreeSet<ChannelName>,

    /// Rows to be stated, each once.
    rows: VecDeque<(ChannelName, UserId)>,
    /// The first of the rows that belong to the announcing (N6).
    announcing: usize,
    /// Joins that Redis has taken, in the order of its answers.
    confirming: VecDeque<confirming::Confirming>,
    counts: BTreeSet<(u64, ChannelName)>,
    sweep: VecDeque<Operation>,
    /// Old counts, swept behind all old users: a channel with users on it has a count.
    old_counts: Vec<ChannelName>,
    asks: VecDeque<ChannelName>,
    adopting: VecDeque<ChannelName>,
    /// Channels of which that was said, until the answer.
    adopted: BTreeSet<ChannelName>,
    others: VecDeque<Operation>,
    /// Where reconciling goes on reading the app's channels.
    totals: Option<(u64, Kinds)>,
    /// When somebody looks whether a channel's subscribers have waited for too long.
    timed: BTreeSet<(u64, ChannelName)>,
    in_ring: bool,
}

impl Room {
    /// An empty room.
    pub fn new(topic: Topic, generation: Option<Generation>, is_full: bool, is_swept: bool) -> Self {
        Self {
            topic,
            generation,
            is_full,
            is_swept,
            channels: BTreeMap::new(),
            kinds: None,
            is_wanted: false,
            is_subscribed: false,
            is_leaving: false,
            is_live: false,
            serial: 0,
            unsubscribed_since: 0,
            idle_since: None,
            last: None,
            first: None,
            probe: None,
            asked: 0,
            checking: BTreeSet::new(),
            rows: VecDeque::new(),
            announcing: 0,
            confirming: VecDeque::new(),
            counts: BTreeSet::new(),
            sweep: VecDeque::new(),
            old_counts: Vec::new(),
            asks: VecDeque::new(),
            adopting: VecDeque::new(),
            adopted: BTreeSet::new(),
            others: VecDeque::new(),
            totals: None,
            timed: BTreeSet::new(),
            in_ring: false,
        }
    }

    const fn is_up(&self) -> bool {
        self.generation.is_some()
    }

    /// The room's place in the order of turns, if anything waits to be said.
    pub fn queue_up(&mut self, core: &mut Core) {
        if !self.in_ring && self.has_work(core.now) {
            self.in_ring = true;
            core.ring.push_back(self.topic.clone());
        }
    }

    /// Whether nothing is left here, so that the room can go.
    pub fn is_over(&self) -> bool {
        self.channels.is_empty()
            && !self.is_wanted
            && !self.in_ring
            && self.sweep.is_empty()
            && self.old_counts.is_empty()
            && self.others.is_empty()
            && self.adopting.is_empty()
            && self.adopted.is_empty()
            && self.totals.is_none()
    }
}
