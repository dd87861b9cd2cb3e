//! Two nodes, one cache channel, and Redis as one ordered log: every interleaving of three events and three newcomers
//! (CL-040 … CL-042).
//!
//! A state that was reached before is not gone on from. Each of three mistakes must be found.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fanfare_protocol::cluster::{Change, ClusterOutcome, CopyId, FoundEvent};
use fanfare_protocol::ids::{AppId, SocketId};
use fanfare_protocol::server::{QuotedEvent, cache_miss, subscription_succeeded};

use super::mistakes::MADE;
use super::*;
use crate::{AppHub, Budget, Conn, Hubs, Subscriptions, Taken, Topics, test_app};
use fanfare_protocol::channel::ChannelName;

/// Which events each node publishes, in order, and how many newcomers it has.
const PUBLISHES: [&[usize]; 2] = [&[0, 1], &[2]];
const JOINS: [usize; 2] = [1, 2];

/// What clients can get: the three events, and word that nothing is kept.
const GETS: usize = 4;
const MISS: usize = 3;

const LIVES: Duration = Duration::from_secs(1_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Publish(usize),
    Join(usize),
    /// Redis executes a node's next command.
    Execute(usize),
    Hear(usize),
    /// The node gets an answer of Redis.
    Answer(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ToRedis {
    Keep(usize),
    Read(CopyId),
}

struct Side {
    hub: Arc<AppHub>,
    /// On the way to Redis: node, events and questions in one order.
    sent: VecDeque<ToRedis>,
    /// On the way from Redis: source, version and event.
    heard: VecDeque<(usize, u64, usize)>,
    answers: VecDeque<(CopyId, Option<(usize, u64)>)>,
    published: usize,
    clients: Vec<(Subscriptions, Vec<usize>)>,
}

struct World {
    frames: [Frame; GETS],
    succeeded: Frame,
    channel: ChannelName,
    /// The last event, and its version.
    redis: Option<(usize, u64)>,
    nodes: [Side; 2],
    reads_overtake: bool,
    sockets: u64,
}

struct AllLive;

impl Topics for AllLive {
    fn is_live(&self, _: &AppId, _: &ChannelName) -> bool {
        true
    }
}

impl World {
    fn new(reads_overtake: bool) -> Self {
        let channel = ChannelName::trusted("cache-rates");
        let event = |name: &str| QuotedEvent::new("e", name).on(&channel);
        let side = || Side {
            hub: Hubs::shared(Budget::default(), Arc::new(AllLive)).open(&test_app("1")),
            sent: VecDeque::new(),
            heard: VecDeque::new(),
            answers: VecDeque::new(),
            published: 0,
            clients: Vec::new(),
        };
        Self {
            frames: [event("a1"), event("a2"), event("b1"), cache_miss(&channel)],
            succeeded: subscription_succeeded(&channel),
            channel: channel.clone(),
            redis: None,
            nodes: [side(), side()],
            reads_overtake,
            sockets: 0,
        }
    }

    /// Everything as at the beginning; the hubs are empty again when all clients have gone.
    fn begin_anew(&mut self) {
        self.redis = None;
        for side in &mut self.nodes {
            side.clients.clear();
            side.hub.take_changes(&mut Vec::new(), usize::MAX);
            side.sent.clear();
            side.heard.clear();
            side.answers.clear();
            side.published = 0;
        }
    }

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (at, side) in self.nodes.iter().enumerate() {
            let possible = [
                (side.published < PUBLISHES[at].len(), Move::Publish(at)),
                (side.clients.len() < JOINS[at], Move::Join(at)),
                (!side.sent.is_empty(), Move::Execute(at)),
                (!side.heard.is_empty(), Move::Hear(at)),
                (!side.answers.is_empty(), Move::Answer(at)),
            ];
            moves.extend(possible.into_iter().filter(|(may, _)| *may).map(|(_, which)| which));
        }
        moves
    }

    fn make(&mut self, which: Move) {
        match which {
            Move::Publish(at) => {
                let side = &mut self.nodes[at];
                let frame = &self.frames[PUBLISHES[at][side.published]];
                side.published += 1;
                side.hub.deliver_and_keep(&self.channel, frame, None, u64::MAX);
                self.send(at);
            }
            Move::Join(at) => {
                self.sockets += 1;
                let side = &mut self.nodes[at];
                let conn = Conn::new(SocketId::from_bits(self.sockets), Budget::of_each(1 << 20));
                let mut client = Subscriptions::new(Arc::clone(&side.hub), Arc::new(conn));
                client.subscribe(self.channel.clone(), None, 0).expect("a first subscription");
                side.clients.push((client, Vec::new()));
                self.send(at);
            }
            Move::Execute(at) => match self.nodes[at].sent.pop_front().expect("a command") {
                ToRedis::Read(copy) => self.nodes[at].answers.push_back((copy, self.redis)),
                ToRedis::Keep(event) => {
                    let version = self.redis.map_or(1, |(_, version)| version + 1);
                    self.redis = Some((event, version));
                    for side in &mut self.nodes {
                        side.heard.push_back((at, version, event));
                    }
                }
            },
            Move::Hear(at) => {
                let (source, version, event) = self.nodes[at].heard.pop_front().expect("an event");
                let event = OrderedEvent {
                    version,
                    is_own: source == at,
                    is_quiet: false,
                    frame: &self.frames[event],
                    except: None,
                    until: u64::MAX,
                };
                self.nodes[at].hub.hear_kept(&self.channel, event);
            }
            Move::Answer(at) => {
                let (copy, found) = self.nodes[at].answers.pop_front().expect("an answer");
                let found = found.map(|(event, version)| FoundEvent {
                    version,
                    frame: self.frames[event].clone(),
                    lives: LIVES,
                });
                self.nodes[at]
                    .hub
                    .apply(ClusterOutcome::Cached { channel: self.channel.clone(), copy, found }, 0);
            }
        }
        self.read();
    }

    /// What the hub tells the cluster goes to Redis in the same order.
    fn send(&mut self, at: usize) {
        let mut changes = Vec::new();
        self.nodes[at].hub.take_changes(&mut changes, usize::MAX);
        for change in changes {
            match change {
                Change::Opened { copy, .. } if self.reads_overtake => {
                    self.nodes[at].sent.push_front(ToRedis::Read(copy));
                }
                Change::Opened { copy, .. } => self.nodes[at].sent.push_back(ToRedis::Read(copy)),
                Change::Kept(kept) => {
                    let event = self.which(&kept.frame).expect("an event");
                    self.nodes[at].sent.push_back(ToRedis::Keep(event));
                }
                _ => {}
            }
        }
    }

    fn which(&self, frame: &Frame) -> Option<usize> {
        self.frames.iter().position(|known| known.bytes() == frame.bytes())
    }

    /// Notes what the clients have got, but for acknowledgements.
    fn read(&mut self) {
        let cx = Context::from_waker(Waker::noop());
        for (client, got) in self.nodes.iter_mut().flat_map(|side| &mut side.clients) {
            let mut frames = Vec::new();
            while let Poll::Ready(Taken::Frames) = client.conn().outbox.poll_take(&cx, &mut frames, 64) {}
            for frame in frames.iter().filter(|frame| frame.bytes() != self.succeeded.bytes()) {
                let known = self.frames.iter().position(|known| known.bytes() == frame.bytes());
                got.push(known.expect("a known frame"));
            }
        }
    }

    /// All that the future depends on.
    fn state(&self) -> String {
        let mut all = format!("{:?}", self.redis);
        for side in &self.nodes {
            let sent = side.sent.iter().map(|sent| match sent {
                ToRedis::Keep(event) => *event,
                ToRedis::Read(_) => GETS,
            });
            let answers: Vec<_> = side.answers.iter().map(|(_, found)| found).collect();
            let got: Vec<_> = side.clients.iter().map(|(_, got)| got).collect();
            let hub = side.hub.look(&self.channel, |channel| self.state_of(channel));
            let sent: Vec<usize> = sent.collect();
            all += &format!("|{sent:?}{:?}{answers:?}{}{got:?}{hub:?}", side.heard, side.published);
        }
        all
    }

    fn state_of(&self, channel: &Channel) -> impl std::fmt::Debug + use<> {
        let cache = channel.copy.as_ref().and_then(|copy| copy.cache.as_ref()).expect("a cache channel");
        let kept = channel.last(0).and_then(|(frame, _)| self.which(frame));
        let pending = cache.reading.as_ref().map(|reading| {
            let events = reading.events().iter();
            events
                .map(|event| format!("{:?}{:?}", event.origin, self.which(&event.frame)))
                .collect::<String>()
        });
        (kept, pending, cache.own, cache.first_read, channel.members.len())
    }

    /// Nothing is on its way any more.
    fn check(&self) -> Result<(), String> {
        let last = self.redis.map(|(event, _)| event).expect("events were published");
        for (at, side) in self.nodes.iter().enumerate() {
            let kept = side.hub.cached(&self.channel, 0).and_then(|cached| self.which(&cached.frame));
            if kept != Some(last) {
                return Err(format!("node {at} keeps {kept:?}, Redis {last}"));
            }
            for (_, got) in &side.clients {
                let once: HashSet<usize> = got.iter().copied().collect();
                if got.is_empty() {
                    return Err("somebody waits for ever".to_owned());
                }
                if once.len() != got.len() {
                    return Err(format!("got twice: {got:?}"));
                }
                if !got.contains(&last) || got[1..].contains(&MISS) {
                    return Err(format!("{last} is the last, and one got {got:?}"));
                }
            }
        }
        Ok(())
    }
}

/// Goes through every order; the numbers of states and of ends, or the first fault.
fn explore(reads_overtake: bool) -> Result<(usize, usize), String> {
    let mut world = World::new(reads_overtake);
    let (mut seen, mut ends) = (HashSet::new(), 0);
    let mut todo: Vec<Vec<Move>> = vec![Vec::new()];
    while let Some(mut path) = todo.pop() {
        world.begin_anew();
        for which in &path {
            world.make(*which);
        }
        while seen.insert(world.state()) {
            let moves = world.moves();
            let Some((first, others)) = moves.split_first() else {
                ends += 1;
                world.check().map_err(|fault| format!("{fault}, after {path:?}"))?;
                break;
            };
            todo.extend(others.iter().map(|other| [&path[..], &[*other]].concat()));
            world.make(*first);
            path.push(*first);
        }
    }
    Ok((seen.len(), ends))
}

#[test]
fn cl_042_in_every_interleaving_each_newcomer_gets_an_event_once_and_all_agree_on_the_last() {
    let (states, ends) = explore(false).expect("no fault");
    assert!(states > 60_000 && ends > 10, "{states} states, {ends} ends");
}

#[test]
fn each_mistake_is_found() {
    for mistake in [Mistake::OthersReplaceOwn, Mistake::VersionsAreNotCompared] {
        MADE.set(Some(mistake));
        let found = explore(false);
        MADE.set(None);
        assert!(found.is_err(), "{mistake:?}: {found:?}");
    }
    assert!(explore(true).is_err(), "reads overtake events");
}
