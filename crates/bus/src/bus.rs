//! The handle of a node on the bus: cheap to clone, and nothing but questions ever waits.

mod all_nodes;
mod asking;
mod by_node;
mod counting;
mod known_nodes;
mod links;
mod missed;
mod once;
mod questions;
mod reach;
mod scanning;
mod taps;
mod usage;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, Snapshot};
use fanfare_protocol::ids::{AppId, SocketId, UserId};
use fanfare_redis::{RedisAddress, Topology};
use redis::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

pub use self::all_nodes::NodesSaid;
pub use self::known_nodes::KnownNode;
pub(crate) use self::known_nodes::{commands_for_nodes, known_nodes};
pub use self::links::BusAway;
use self::links::Links;
pub use self::once::KeyStanding;
pub use self::questions::{ChannelCounts, ClusterQuestion, ClusterReply};
pub use self::usage::{UsageReport, UsageTotal};
use crate::board::{Board, LinkState};
use crate::counters::BusCounters;
use crate::link::Link;
use crate::local::{HeardReach, HeardTapPart, Local};
use crate::machine::MachineNumbers;
use crate::message::{EventKind, EventMessage, LONGEST};
use crate::partition::{Layout, Partition, redis_of};
use crate::settings::Settings;
use crate::shared::{Rank, Shared};
use crate::workers::Workers;

/// Most questions that wait (CL-021).
const MOST_QUESTIONS: usize = 1000;

/// Most questions to all nodes at once: each answer may be long, and goes to every node. A node that hangs has each question of a
/// second under way.
const MOST_TO_ALL: usize = 8;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A task of the bus.
pub type BusTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The bus holds too many changes: a snapshot is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyChanges;

/// The bus of a node.
#[derive(Clone)]
pub struct Bus {
    links: Links,
    questions: Arc<Semaphore>,
    to_all: Arc<Semaphore>,
}

impl Bus {
    /// Starts every link; `spawn` gets tasks that live until [`Bus::end`], each with a name.
    pub fn start(
        settings: Settings,
        local: Arc<dyn Local>,
        mut spawn: impl FnMut(&'static str, BusTask),
    ) -> Self {
        let layout = Arc::new(Layout::new(&settings.prefix, settings.partitions));
        let plan = plan(&settings.urls, layout.partitions());
        let board =
            |planned: &PlannedLink| Arc::new(Board::new(&planned.address, planned.partitions.clone()));
        let shared = Arc::new(Shared {
            key: settings.node.key().into(),
            lease: settings.lease,
            settling: settings.settling,
            hook_delay: settings.hook_delay,
            hook_batch: settings.hook_batch.clamp(Duration::from_millis(1), Duration::from_secs(1)),
            key_bytes: settings.key_bytes,
            node: settings.node,
            local: Arc::clone(&local),
            counters: Arc::default(),
            workers: Workers::default(),
            reaching: Arc::default(),
            connections: Default::default(),
            rank: Rank::default(),
            living: Default::default(),
            tags: Default::default(),
            lost: Default::default(),
            boards: plan.iter().map(board).collect(),
            start: Instant::now(),
            layout,
        });
        for task in shared.workers.tasks(shared.node.id, &local, &shared.counters, &shared.reaching) {
            spawn("bus worker", Box::pin(task));
        }
        let mut links = vec![0; usize::from(shared.layout.partitions())];
        for (at, (planned, board)) in plan.iter().zip(&shared.boards).enumerate() {
            for partition in &planned.partitions {
                if let Some(link) = links.get_mut(usize::from(*partition)) {
                    *link = at;
                }
            }
            let (link, listening) =
                Link::new(&shared, board, (&planned.address, planned.place), &settings.trust);
            spawn("bus subscriber", Box::pin(listening));
            spawn("bus link", Box::pin(link.run()));
        }
        let links = Links::new(shared, links);
        reach::answer_by(&links);
        all_nodes::answer_by(&links);
        missed::answer_by(&links);
        let [questions, to_all] = [MOST_QUESTIONS, MOST_TO_ALL].map(|most| Arc::new(Semaphore::new(most)));
        Self { links, questions, to_all }
    }

    /// Where everything lies.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.links.shared.layout
    }

    /// This node's id, as the other nodes know it.
    #[must_use]
    pub fn own_id(&self) -> &str {
        &self.links.shared.key
    }

    /// Sends an event to the other nodes. Dropped, and counted, if too many wait, or the link is away for long (CL-003).
    pub fn publish(&self, app: &AppId, channel: &ChannelName, except: Option<SocketId>, text: &[u8]) {
        let topic = self.links.shared.layout.topic(app, channel);
        let event = EventMessage {
            kind: EventKind::Event,
            flags: 0,
            node: self.links.shared.node.id,
            number: 0,
            except,
            channel: channel.as_str(),
            text,
        };
        let Some(board) = self.links.board(topic.partition) else { return };
        if text.len() > LONGEST {
            self.links.shared.counters.dropped_long.add(1);
            board.note_loss();
        } else if !board.events.push(topic, event.write()) {
            self.links.shared.counters.dropped_full.add(1);
            board.note_loss();
        }
    }

    /// Tells the cluster what has changed on this node; in order for each app.
    ///
    /// # Errors
    /// Too many wait: some of these are lost, and [`Bus::reset`] must follow.
    pub fn changes(&self, app: &AppId, changes: Vec<Change>) -> Result<(), TooManyChanges> {
        if let [board] = &*self.links.shared.boards {
            return board.inbox.changes(app, changes).map_err(|lost| self.refused(lost));
        }
        let mut parts: Vec<Vec<Change>> = self.links.shared.boards.iter().map(|_| Vec::new()).collect();
        for change in changes {
            let link = self.links.number_of(app, change.channel());
            if let Some(part) = parts.get_mut(link) {
                part.push(change);
            }
        }
        let mut result = Ok(());
        for (board, part) in self.links.shared.boards.iter().zip(parts).filter(|(_, part)| !part.is_empty()) {
            result = result.and(board.inbox.changes(app, part).map_err(|lost| self.refused(lost)));
        }
        result
    }

    /// Counts changes that never came here, because too many waited; [`Bus::reset`] follows.
    pub fn lost_changes(&self, app: &AppId, lost: u64) {
        let (counters, now) = (&self.links.shared.counters, self.links.shared.now());
        counters.dropped_changes.add(lost);
        if counters.dropped_changes_logged.is_time(now) {
            let app = app.as_str();
            tracing::warn!(target: "fanfare::bus", app, lost, "too many changes waited for the other nodes: all is stated anew");
        }
    }

    fn refused(&self, events: usize) -> TooManyChanges {
        self.links.shared.counters.dropped_full.add(events as u64);
        TooManyChanges
    }

    /// Tells the cluster everything that an app has on this node, in place of changes that were lost.
    pub fn reset(&self, app: &AppId, snapshot: Snapshot) {
        let Snapshot { hooked, has_gap, .. } = snapshot;
        let empty = || Snapshot { channels: Vec::new(), hooked, has_gap };
        let mut parts: Vec<Snapshot> = self.links.shared.boards.iter().map(|_| empty()).collect();
        for channel in snapshot.channels {
            let link = self.links.number_of(app, &channel.channel);
            if let Some(part) = parts.get_mut(link) {
                part.channels.push(channel);
            }
        }
        for (board, part) in self.links.shared.boards.iter().zip(parts) {
            let lost = board.inbox.snapshot(app, part);
            self.links.shared.counters.dropped_full.add(lost as u64);
        }
    }

    /// Asks the cluster.
    ///
    /// # Errors
    /// There is no answer within a second.
    pub async fn ask(&self, app: &AppId, question: ClusterQuestion) -> Result<ClusterReply, BusAway> {
        let _permit = self.questions.try_acquire().map_err(|_| BusAway)?;
        timeout(PATIENCE, questions::ask(&self.links, app, question)).await.unwrap_or(Err(BusAway))
    }

    /// Asks so many other nodes whom an event has reached that this node has sent before, and adds up what comes until then
    /// (CON-042). A node of an older release does not answer.
    pub async fn reach(
        &self,
        app: &AppId,
        channel: &ChannelName,
        except: Option<SocketId>,
        (nodes, until): (usize, Instant),
    ) -> HeardReach {
        match self.questions.try_acquire() {
            Ok(_permit) => reach::ask(&self.links, (app, channel), except, (nodes, until)).await,
            Err(_) => HeardReach::default(),
        }
    }

    /// Tells the other nodes of a tap of this node, and how long it lasts; nothing ends it. Nobody waits, and `about` is at most
    /// 64 KiB (CON-037).
    pub fn lease_tap(&self, app: &AppId, tap: u64, leased: (Duration, &[u8])) {
        taps::lease(&self.links, app, tap, leased);
    }

    /// Tells a node what this one has seen for a tap of it, in less than a mebibyte (CON-037).
    ///
    /// # Errors
    /// Within a second Redis has not said that the node hears it, or a thousand questions wait.
    pub async fn tell_tap(&self, to: u64, part: HeardTapPart<'_>) -> Result<(), BusAway> {
        let _permit = self.questions.try_acquire().map_err(|_| BusAway)?;
        taps::tell(&self.links, to, part, PATIENCE).await
    }

    /// Tells the other nodes to close a user's connections (API-060, CL-052).
    ///
    /// # Errors
    /// Redis has not taken the message within a second.
    pub async fn close_user(&self, app: &AppId, user: &UserId) -> Result<(), BusAway> {
        let command = self.links.control(EventKind::CloseUser, app, user.as_str().as_bytes());
        let answered = timeout(PATIENCE, self.links.command(0, None, vec![command])).await;
        match answered.unwrap_or(Err(BusAway))?.as_slice() {
            [Value::Int(_)] => Ok(()),
            _ => Err(BusAway),
        }
    }

    /// Tells the other nodes that an app's settings have changed; nobody waits, and who misses it finds out later
    /// (CL-060).
    pub fn app_changed(&self, app: &AppId) {
        self.links.tell_all(EventKind::AppChanged, app, b"");
    }

    /// Says what apps have used, and hears the sums of all nodes, in the same order; `None` for an app whose Redis does not
    /// answer within a second, which may have stored what was said. A repeat does no harm.
    pub async fn usage(&self, reports: &[UsageReport]) -> Vec<Option<UsageTotal>> {
        usage::add_up(&self.links, reports, PATIENCE).await
    }

    /// Says how many connections this node has, for the list of nodes.
    pub fn set_connections(&self, connections: usize) {
        self.links.shared.connections.store(connections, Ordering::Relaxed);
    }

    /// Whether this node has the lowest number of the living nodes, as far as is known (CL-068).
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.links.shared.rank.is_first(self.links.shared.now())
    }

    /// The number of nodes that had a lease when this one heard of it last; at least 1.
    #[must_use]
    pub fn living(&self) -> usize {
        self.links.shared.living.load(Ordering::Relaxed).max(1)
    }

    /// Whether this node is in touch with the others for a channel.
    #[must_use]
    pub fn is_up(&self, app: &AppId, channel: &ChannelName) -> bool {
        let topic = self.links.topic(app, channel);
        self.links.board(topic.partition).is_some_and(|board| board.is_up())
    }

    /// How each link is.
    #[must_use]
    pub fn links(&self) -> Vec<LinkState> {
        self.links.shared.boards.iter().map(|board| board.state()).collect()
    }

    /// What was counted so far, but for the rules' own numbers.
    #[must_use]
    pub fn counters(&self) -> &BusCounters {
        &self.links.shared.counters
    }

    /// What the rules of each link have counted so far.
    #[must_use]
    pub fn machine_numbers(&self) -> Vec<MachineNumbers> {
        self.links.shared.boards.iter().map(|board| board.numbers()).collect()
    }

    /// Bytes that were heard and wait to be brought to this node.
    #[must_use]
    pub fn heard_bytes(&self) -> usize {
        self.links.shared.workers.bytes()
    }

    /// Sends what waits, and says goodbye, so that other nodes take over at once (CL-070). Ends the bus's tasks.
    pub async fn end(&self, deadline: Instant) {
        let ended = self.links.shared.boards.iter().map(|board| board.inbox.end());
        for ended in ended.collect::<Vec<_>>() {
            // A link that does not end by then goes with its runtime; one that has ended dropped its sender.
            let _ = timeout_at(deadline, ended).await;
        }
        self.links.shared.workers.end();
    }
}

/// A link, and the place of its Redis in `bus.urls`.
#[derive(Debug)]
struct PlannedLink {
    address: RedisAddress,
    place: usize,
    partitions: Vec<Partition>,
}

/// Which partitions lie at which Redis. In a Cluster each partition is a link of its own: the partition's master may be
/// another tomorrow, and its loss concerns no other partition.
fn plan(urls: &[RedisAddress], partitions: Partition) -> Vec<PlannedLink> {
    let mut of: Vec<Vec<Partition>> = urls.iter().map(|_| Vec::new()).collect();
    for partition in 0..partitions {
        if let Some(own) = of.get_mut(redis_of(partition, urls.len())) {
            own.push(partition);
        }
    }
    let mut plan = Vec::new();
    for ((place, address), own) in urls.iter().enumerate().zip(of) {
        let link = |partitions| PlannedLink { address: address.clone(), place, partitions };
        match address.topology() {
            Topology::Cluster(_) => plan.extend(own.into_iter().map(|partition| link(vec![partition]))),
            // A Redis may get no partition.
            Topology::Single(_) | Topology::Sentinels { .. } if own.is_empty() => {}
            Topology::Single(_) | Topology::Sentinels { .. } => plan.push(link(own)),
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_one_link_and_in_a_cluster_one_of_its_own() {
        let urls = ["redis://a", "redis+sentinel://b/m", "redis+cluster://c"];
        let urls = urls.map(|url| RedisAddress::parse(url).unwrap());
        let plan = plan(&urls, 16);
        let mut all: Vec<Partition> = plan.iter().flat_map(|planned| planned.partitions.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..16).collect::<Vec<_>>());
        assert!(plan.iter().all(|planned| planned.place != 2 || planned.partitions.len() == 1));
        assert!(plan.len() > 3, "{plan:?}");
    }
}
