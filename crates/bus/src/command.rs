//! What the machine asks of Redis, and what comes back: the seam between rules and sockets.
//!
//! The machine makes commands and reads answers; `link` alone turns them into Redis's own and back. Commands of one
//! link are executed in the order in which they were made.
#![expect(missing_docs, reason = "the variants say what their fields are")]

use bytes::Bytes;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::KeptEvent;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::webhook::Kinds;

use crate::partition::{Partition, Topic};

/// Connects an answer with its command; never comes twice in a process.
pub type Token = u64;

/// A node's own counter of its leases (N7).
pub type Generation = u64;

/// A node's id, random at each start.
pub type NodeName = std::sync::Arc<str>;

/// A command.
#[derive(Clone, Debug)]
pub enum BusCommand {
    /// Takes a lease anew (`hello.lua`). The link adds the id of the master's data and a fresh epoch's id.
    Hello { partition: Partition, generation: Generation },
    /// Renews a lease, and looks whether Redis still has some of what this node has told (`beat.lua`).
    Beat { partition: Partition, generation: Generation, samples: Vec<Sample> },
    /// The number of the last delta of each topic (MGET).
    Numbers { topics: Vec<Topic> },
    /// A batch of operations on one topic (`apply.lua`).
    Apply { topic: Topic, by: Actor, operations: Vec<Operation> },
    /// Part of the rows of a node (HSCAN 500); `cursor` 0 begins.
    Rows { partition: Partition, node: NodeName, cursor: u64 },
    /// Part of a large roster (HSCAN 500).
    RosterPart { topic: Topic, channel: ChannelName, cursor: u64 },
    /// A node has no rows left, or goes by itself with this generation (`bye.lua`).
    Bye { partition: Partition, node: NodeName, generation: Option<Generation> },
    /// What is to be told to webhooks, behind the last entry taken; `None` the first time, for a term (`take.lua`).
    Take { partition: Partition, generation: Generation, last: Option<EntryId> },
    /// Part of what webhooks were told of (HSCAN 500); `cursor` 0 begins.
    ToldPart { partition: Partition, cursor: u64 },
    /// The last entries that are to be told, before one of them or of all (XREVRANGE).
    LastEntries { partition: Partition, before: Option<EntryId> },
    /// Entries that need no more sending (`sent.lua`).
    Taken { partition: Partition, entries: Vec<EntryId> },
    /// What a former sender has told, in a young epoch (`told.lua`).
    Told { partition: Partition, term: u64, is_first: bool, subjects: Vec<HookSubject> },
    /// The apps of a partition whose webhooks want anything (SMEMBERS).
    Hooked { partition: Partition },
    /// Part of an app's channels with their numbers of subscriptions (HSCAN 1,000).
    Totals { topic: Topic, cursor: u64 },
    /// Publishes an event and keeps it (`keep.lua`).
    Keep { topic: Topic, event: KeptEvent },
    /// The kept event of a channel, and how long it lives (GET, PTTL).
    Read { topic: Topic, channel: ChannelName },
    /// Whether this node is the first to miss the channel's event in ten seconds (SET NX PX).
    Miss { topic: Topic, channel: ChannelName },
}

/// Something that Redis has been told by this node, and must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The app.
    pub app: AppId,
    /// The channel.
    pub channel: ChannelName,
    /// A user on its roster; `None` for its number of subscriptions.
    pub user: Option<UserId>,
}

/// Who applies operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// This node, under its lease.
    Own(Generation),
    /// This node, for a dead one (N9).
    Reaper(NodeName),
}

/// One operation of `apply.lua`.
#[derive(Clone, Debug)]
pub enum Operation {
    /// `J`
    Join { channel: ChannelName, user: UserId, info: String, most: Option<usize>, hooked: bool },
    /// `L`
    Leave { channel: ChannelName, user: UserId },
    /// `X`: leave, if the row is of an older generation.
    LeaveOld { channel: ChannelName, user: UserId },
    /// `C`
    Count { channel: ChannelName, count: usize, told: CountRule, hooked: bool, members_hooked: bool },
    /// `Y`: the count goes, if it is of an older generation.
    CountOld { channel: ChannelName },
    /// `T`: tells the number, if it is another than the last told and its time has come (CL-022).
    TellCount { channel: ChannelName },
    /// `S`
    Roster { channel: ChannelName },
    /// `I`: webhooks are told of whoever is there and was not told of.
    Reconcile { channel: ChannelName, existence: bool, presence: bool },
    /// `H`: webhooks were told of a subject that perhaps is no more.
    ReconcileGone { channel: ChannelName, user: Option<UserId> },
    /// `K`: whoever is there counts as told (CL-036).
    Adopt { channel: ChannelName, existence: bool, presence: bool },
}

/// Whether a number is told to nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountRule {
    /// To nobody.
    Off,
    /// Up to a hundred at once, above that every five seconds.
    Crowds,
    /// Always.
    Always,
    /// As was said last; for a dead node's counts.
    AsStored,
}

/// Entries in one part of [`BusCommand::LastEntries`]; few in tests, so that their short streams have several parts.
pub const ENTRIES_PART: usize = if cfg!(test) { 3 } else { 500 };

/// Goings that one beat moves to the webhooks' stream, about 2 ms of Redis (N14); few in tests.
pub const GOINGS_PART: usize = if cfg!(test) { 3 } else { 250 };

/// Entries of one window that are sent and removed together, at most.
const GROUP: u64 = 500;

/// A stream entry's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Milliseconds of Redis.
    pub milliseconds: u64,
    /// Number within the millisecond.
    pub number: u64,
}

impl EntryId {
    /// The group that the entry is sent with, if of the same app: the window, in parts. Follows from ids alone, so that
    /// another sender makes the same groups (CL-032).
    #[must_use]
    pub const fn group(self) -> (u64, u64) {
        (self.milliseconds, self.number / GROUP)
    }
}

/// What webhooks are told of: a channel, or a user on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookSubject {
    /// The app.
    pub app: AppId,
    /// The channel.
    pub channel: ChannelName,
    /// The user; `None` for the channel itself.
    pub user: Option<UserId>,
}

/// An entry of the webhooks' stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEntry {
    /// Its id.
    pub id: EntryId,
    /// Whether the subject came or went.
    pub came: bool,
    /// The subject.
    pub subject: HookSubject,
}

/// A row of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A user on a channel.
    Member { app: AppId, channel: ChannelName, user: UserId },
    /// A channel's number of subscriptions.
    Count { app: AppId, channel: ChannelName },
}

/// An answer.
#[derive(Clone, Debug)]
pub enum BusAnswer {
    /// The lease or the generation is not the caller's.
    Fenced,
    /// Redis refused the command; nothing, or only a part of a batch, was done.
    Failed(Failure),
    /// `Hello`: the epoch and its age in milliseconds.
    Hello { epoch: String, age: u64 },
    /// `Beat`
    Beat(Beat),
    /// `Numbers`, in the order asked.
    Numbers(Vec<u64>),
    /// `Apply`: one result for each operation.
    Applied { epoch: String, age: u64, results: Vec<Applied> },
    /// `Rows`: the rows, and where to go on; 0 at the end.
    Rows { rows: Vec<Row>, cursor: u64 },
    /// `RosterPart`: users with their infos.
    RosterPart { users: Vec<(UserId, String)>, cursor: u64 },
    /// `Take`, the first time: the new term.
    Term(u64),
    /// `Take`: entries, and what else the sender is to know.
    Taken(TakenPage),
    /// `ToldPart`: subjects, and where to go on; 0 at the end.
    ToldPart { subjects: Vec<HookSubject>, cursor: u64 },
    /// `LastEntries`, the last first.
    LastEntries(Vec<HookEntry>),
    /// `Hooked`: apps whose webhooks want to know of channels, of members, or of users.
    Hooked(Vec<(AppId, Kinds)>),
    /// `Totals`
    Totals { channels: Vec<(ChannelName, usize)>, cursor: u64 },
    /// `Read`: the kept message with its version, and how many milliseconds it lives.
    Read(Option<(u64, Bytes, u64)>),
    /// `Miss`
    Missed { is_first: bool },
    /// `Told`, too late: the epoch is not young any more, and what was told is lost with its data (CL-033).
    Late,
    /// `Keep`: the event was published, and not kept, because Redis is full (CL-106).
    NotKept,
    /// Every other command.
    Done,
}

/// What `take.lua` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenPage {
    /// Entries of windows that are over, in order.
    pub entries: Vec<HookEntry>,
    /// There may be more of them.
    pub is_whole_page: bool,
    /// In how many milliseconds the next window is over; 0 if nothing waits for that.
    pub wait: u64,
    /// Milliseconds of Redis.
    pub now: u64,
    /// When the epoch began, in milliseconds of Redis.
    pub born: u64,
    /// Apps that had no room for more.
    pub refused: Vec<RefusedHooks>,
}

/// An app whose webhooks had no room in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedHooks {
    /// The app.
    pub app: AppId,
    /// Events that were refused since this was told last.
    pub count: u64,
    /// There is room again, for webhooks of these kinds: whoever is there and was not told of can be told of.
    pub has_room: Option<Kinds>,
}

/// What `beat.lua` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The epoch.
    pub epoch: String,
    /// Its age in milliseconds.
    pub age: u64,
    /// Nodes whose rows are to be taken away.
    pub dead: Vec<NodeName>,
    /// The sender of webhooks.
    pub owner: NodeName,
    /// The sender's term.
    pub term: u64,
    /// Channels whose number is to be told now, by the caller (`T`): the last change is always told (CL-022).
    pub late: Vec<(AppId, ChannelName)>,
    /// More is due than one beat moves on.
    pub is_more: bool,
}

/// The result of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// How it went.
    pub status: Status,
    /// The topic's number behind the operation.
    pub number: u64,
    /// `S`: the roster; for a large one the number of its users, to be read in parts.
    pub roster: Option<Roster>,
    /// `C`, `T`: the channel's number of subscriptions in the cluster.
    pub total: Option<usize>,
}

/// The answer to `S`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roster {
    /// Every user with the `user_info`.
    Whole(Vec<(UserId, String)>),
    /// More than a thousand users.
    Large,
}

/// How an operation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok,
    /// There was nothing to do.
    Nothing,
    /// The channel is full.
    Full,
    /// The number was told to all nodes.
    Told,
}

/// Why Redis refused a command, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Redis is full (CL-106).
    OutOfMemory,
    /// Anything else.
    Other,
}
