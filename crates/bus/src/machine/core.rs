//! What all partitions of a machine share: the time, what is said, commands in flight, alarms, and numbers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{ClusterOutcome, CopyId, Ticket};
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::webhook::Kinds;

use super::channel::Wish;
use super::mistakes::Mistake;
use super::said::{MachineSettings, Out};
use crate::command::{BusCommand, EntryId, NodeName, Operation, Token};
use crate::partition::{Partition, Topic};

/// Batches of operations in flight at once (N14).
const MOST_BATCHES: usize = 4;

/// Between two readings of copies that are read for safety alone: ten a second (N13).
const BETWEEN_CHECKS: u64 = 100;

/// What a machine has counted, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineNumbers {
    /// Leases that were lost without a lost connection (CL-111, CL-116).
    pub fenced: u64,
    /// New epochs: Redis empty, restarted or another (CL-120).
    pub epochs: u64,
    /// Numbers of deltas that were missed, by topic and occasion (N1).
    pub gaps: u64,
    /// Dead nodes whose rows this node has taken away, or helped to (N9).
    pub nodes_reaped: u64,
    /// Rows of dead nodes that this node has taken away.
    pub rows_reaped: u64,
    /// Times that this node became the sender of a partition's webhooks (CL-113).
    pub hooks_taken_over: u64,
    /// Events that webhooks were not told of, because too many waited.
    pub hooks_refused: u64,
    /// Copies that were wrong without any known cause (N13).
    pub rosters_mended: u64,
    /// Batches, and events of cache channels, that a full Redis refused (CL-106).
    pub refused_oom: u64,
    /// Times that so much waited that everything was announced anew (CL-115).
    pub overflows: u64,
    /// Events of cache channels that could not be sent to other nodes.
    pub kept_dropped: u64,
    /// Times that what was told to webhooks was stated too late, so lost (CL-033).
    pub told_late: u64,
    /// Deltas of a kind that this release does not know, or of an epoch that Redis does not know.
    pub unknown: u64,
}

/// Why a command was sent.
#[cfg_attr(test, derive(Clone))]
pub enum Purpose {
    Hello,
    Beat { sent: u64 },
    Numbers { topics: Vec<(AppId, u64)> },
    Batch { app: AppId, sent: Vec<(Operation, About)> },
    OldRows,
    Reaping { node: NodeName, app: AppId, sent: Vec<Operation> },
    RowsOfDead { node: NodeName },
    RosterPart { app: AppId, channel: ChannelName, asked: u64 },
    Take,
    ToldPart { term: u64 },
    LastEntries { term: u64 },
    Hooked,
    Totals { app: AppId, kinds: Kinds },
    Read { app: AppId, channel: ChannelName, copy: CopyId },
    Keep { app: AppId, channel: ChannelName },
    Miss { app: AppId, channel: ChannelName },
    Taken { entries: Vec<EntryId> },
    Told,
    Nothing,
}

/// What an operation was about, for its result.
#[derive(Clone, Debug)]
pub enum About {
    Row { channel: ChannelName, user: UserId, ticket: Ticket },
    Count { channel: ChannelName, count: usize, wish: Wish },
    Tell { channel: ChannelName },
    Roster { channel: ChannelName, asked: u64 },
    Swept,
    Adopted { channel: ChannelName },
    Other,
}

/// A copy that is to be read again, for safety (N13).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    pub at: u64,
    pub partition: Partition,
    pub app: AppId,
    pub channel: ChannelName,
    pub copy: CopyId,
}

impl Check {
    pub fn topic(&self) -> Topic {
        Topic { partition: self.partition, app: self.app.clone() }
    }
}

/// Topics that want to be told of a time.
#[derive(Clone, Default)]
pub struct Alarms(BTreeSet<(u64, Topic)>);

impl Alarms {
    pub fn set(&mut self, at: u64, topic: Topic) {
        self.0.insert((at, topic));
    }

    pub fn next(&self) -> Option<u64> {
        self.0.first().map(|(at, _)| *at)
    }

    /// A topic whose time has come.
    pub fn due(&mut self, now: u64) -> Option<Topic> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, topic)| topic)
    }
}

/// The partition of a command, and why the command was sent.
type Waiting = (Partition, Purpose);

/// What all partitions share.
#[cfg_attr(test, derive(Clone))]
pub struct Core {
    pub settings: MachineSettings,
    pub now: u64,
    pub out: Out,
    pub numbers: MachineNumbers,
    pub alarms: Alarms,
    pub checks: BTreeSet<Check>,
    /// Topics with something to send, in the order of their turns; each once.
    pub ring: VecDeque<Topic>,
    /// Leaves that wait to be sent, of all topics.
    pub leaves: usize,
    pending: BTreeMap<Token, Waiting>,
    last_token: Token,
    batches: usize,
    last_check: u64,
    seed: u64,
    #[cfg(test)]
    pub mistakes: Vec<Mistake>,
}

impl Core {
    pub fn new(settings: MachineSettings) -> Self {
        Self {
            seed: settings.seed | 1,
            settings,
            now: 0,
            out: Out::default(),
            numbers: MachineNumbers::default(),
            alarms: Alarms::default(),
            checks: BTreeSet::new(),
            ring: VecDeque::new(),
            leaves: 0,
            pending: BTreeMap::new(),
            last_token: 0,
            batches: 0,
            last_check: 0,
            #[cfg(test)]
            mistakes: Vec::new(),
        }
    }

    pub fn lease(&self) -> u64 {
        self.settings.lease.as_millis() as u64
    }

    pub fn settling(&self) -> u64 {
        self.settings.settling.as_millis() as u64
    }

    pub fn checked(&self) -> u64 {
        self.settings.checked.as_millis() as u64
    }

    pub fn outcome(&mut self, app: &AppId, outcome: ClusterOutcome) {
        self.out.outcomes.push((app.clone(), outcome));
    }

    pub fn ask(&mut self, partition: Partition, purpose: Purpose, command: BusCommand) {
        self.last_token += 1;
        self.batches += usize::from(is_batch(&purpose));
        self.pending.insert(self.last_token, (partition, purpose));
        self.out.commands.push((self.last_token, command));
    }

    /// What the answered command was sent for.
    pub fn answered(&mut self, token: Token) -> Option<Waiting> {
        let waiting = self.pending.remove(&token)?;
        self.batches -= usize::from(is_batch(&waiting.1));
        Some(waiting)
    }

    /// No command of the partition is waited for any more; returns what they were sent for.
    pub fn forget(&mut self, partition: Partition) -> Vec<Purpose> {
        let forgotten: Vec<Purpose> = self
            .pending
            .extract_if(.., |_, (of, _)| *of == partition)
            .map(|(_, (_, purpose))| purpose)
            .collect();
        self.batches -= forgotten.iter().filter(|purpose| is_batch(purpose)).count();
        forgotten
    }

    /// Whether one more batch may be sent (N14).
    pub fn has_room(&self) -> bool {
        self.batches < MOST_BATCHES
    }

    /// A number below `end`, another each time.
    pub fn random(&mut self, end: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % end
    }

    #[cfg(test)]
    pub fn makes(&self, mistake: Mistake) -> bool {
        self.mistakes.contains(&mistake)
    }

    #[cfg(not(test))]
    pub const fn makes(&self, _: Mistake) -> bool {
        false
    }

    /// The next copy to be read for safety, if it is time for one.
    pub fn next_check(&mut self) -> Option<Check> {
        self.check_at().filter(|at| *at <= self.now)?;
        self.last_check = self.now;
        self.checks.pop_first()
    }

    pub fn check_at(&self) -> Option<u64> {
        Some(self.checks.first()?.at.max(self.last_check + BETWEEN_CHECKS))
    }
}

fn is_batch(purpose: &Purpose) -> bool {
    matches!(purpose, Purpose::Batch { .. } | Purpose::Reaping { .. })
}
