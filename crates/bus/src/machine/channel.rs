//! What a node has on one channel, and what it has told Redis of it.

use std::collections::BTreeMap;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{CopyId, Telling, Ticket};
use fanfare_protocol::ids::UserId;

use crate::scripts::DeltaKind;

/// A channel with anything of this node on it.
#[derive(Clone, Default)]
pub struct Held {
    /// The life of the channel in the hub; none without subscribers or watchers here.
    pub copy: Option<CopyId>,
    /// What is known of the roster that the hub has.
    pub roster: Option<View>,
    /// The hub waits for what is kept of the channel.
    pub is_read_awaited: bool,
    /// The hub was told to let everybody in: users may be in its copy who were never in Redis.
    pub was_served: bool,
    /// Subscribers may wait for [`fanfare_protocol::cluster::ClusterOutcome::Serve`].
    pub may_wait: bool,
    /// Since when a roster or a reading is owed to subscribers who may wait for the answer.
    pub owed_since: Option<u64>,
    /// Somebody looks whether subscribers have waited for too long.
    pub is_timed: bool,
    /// The users who are here, or whose leaving is still to be said.
    pub members: BTreeMap<UserId, Member>,
    /// The number of subscriptions.
    pub count: Count,
    /// The number of the last count that was heard.
    pub count_as_of: u64,
    /// The count that subscribers were last told; unknown while they may have missed one.
    pub last_told: Option<usize>,
}

impl Held {
    /// Everybody who waits is let in: no limit is applied to the users here any more (CL-016).
    pub fn let_in(&mut self) {
        self.was_served = true;
        for member in self.members.values_mut() {
            member.was_served |= member.is_present;
        }
    }

    /// Whether Redis owes an answer that every newcomer waits for.
    pub fn is_owed(&self) -> bool {
        self.is_read_awaited || self.roster.as_ref().is_some_and(|view| !view.is_ready)
    }

    /// Since when somebody may be waiting for Redis.
    pub fn waits_since(&self) -> Option<u64> {
        let waiting = |member: &&Member| member.is_present && !member.is_confirmed && !member.was_served;
        let members = self.members.values().filter(waiting).map(|member| member.since);
        members.chain(self.owed_since).min()
    }

    /// Whether the number of subscriptions is known, where there is one.
    pub fn is_counted(&self, channel: &ChannelName) -> bool {
        self.count.count > 0 || channel.online_user().is_some()
    }

    /// Whether there is nothing left to know or to say.
    pub fn is_over(&self) -> bool {
        self.copy.is_none() && self.members.is_empty() && self.count.is_over()
    }
}

/// A user on a channel, as this node states.
#[derive(Clone)]
pub struct Member {
    pub is_present: bool,
    pub ticket: Ticket,
    /// When the change was made here.
    pub since: u64,
    /// Redis has the row as it is now.
    pub is_confirmed: bool,
    /// Redis has the row, and the join is confirmed when everything up to this number was heard (CL-011).
    pub confirmed_at: Option<u64>,
    /// The user was let in without being asked for, so no limit is applied any more (CL-016).
    pub was_served: bool,
    pub info: String,
    pub most: Option<usize>,
    pub hooked: bool,
    /// The row waits for its turn.
    pub is_queued: bool,
    /// Statements without an answer.
    pub in_flight: usize,
    /// The ticket of the last statement.
    pub said: Ticket,
}

/// The number of subscriptions of a channel.
#[derive(Clone, Default)]
pub struct Count {
    pub count: usize,
    pub told: Telling,
    pub hooked: bool,
    /// What was last said to Redis; unknown after a lost connection.
    pub stated: Option<usize>,
    /// When the number is to be said.
    pub due: Option<u64>,
    /// When a number was last said.
    pub said: Option<u64>,
    /// Whether the number in the cluster is wanted, even if nothing has changed here.
    pub wish: Wish,
    /// Statements without an answer.
    pub in_flight: usize,
    /// A total that was heard while a statement was in flight, with its number.
    pub held: Option<(u64, usize)>,
}

/// Whether subscribers here are to be told the cluster's number, even if the number has not changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    #[default]
    None,
    /// A number may have been missed: another than the last one is told.
    Others,
    /// Some are new here, and as many have gone: they are told, except in a crowd (WS-176).
    Newcomers,
    /// Numbers may have been missed.
    All,
}

impl Count {
    fn is_over(&self) -> bool {
        self.count == 0 && self.stated.unwrap_or(0) == 0 && self.due.is_none() && self.in_flight == 0
    }
}

/// What is known of the roster that the hub has a copy of (N2). The users are the hub's.
#[derive(Clone, Default)]
pub struct View {
    pub is_ready: bool,
    /// The number that the last roster was as of.
    pub as_of: u64,
    /// The newest question; only its answer counts.
    pub asked: u64,
    pub is_queued: bool,
    /// Changes since the newest question.
    pub kept: Vec<(u64, DeltaKind)>,
    /// A large roster that is being read.
    pub parts: Option<PartialRoster>,
    /// The sum of marks of the users, for the check of N13; none of a roster that was read in parts.
    pub sum: Option<u64>,
    /// When the copy is read again for safety (N13).
    pub checked_at: Option<u64>,
    pub check: Option<Comparison>,
}

/// A large roster of which parts were read.
#[derive(Clone)]
pub struct PartialRoster {
    pub as_of: u64,
    pub only_adds: bool,
    pub users: BTreeMap<UserId, String>,
}

/// A copy that is being compared (N13).
#[derive(Clone)]
pub enum Comparison {
    /// Asked: the sum then, with every change up to the number `from`, heard or not.
    Asked { from: u64, sum: u64 },
    /// Answered: the sum as of a number, and the sum with what was heard; equal as soon as everything up to it was heard.
    Answered { from: u64, as_of: u64, expected: u64, sum: u64 },
}

/// A number for a user, so that sets are compared by the sum of their numbers.
pub fn mark(user: &UserId) -> u64 {
    xxhash_rust::xxh3::xxh3_64(user.as_str().as_bytes())
}
