//! Cache channels on two nodes: every order of publishing, joining, executing, hearing and answering (CL-040 … CL-042, N12).

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use fanfare_protocol::cluster::{Change, ClusterOutcome, KeptEvent};
use fanfare_protocol::frame::Frame;

use super::bare::{Rig, channel};
use super::store::{Memory, Published, Store as _};
use crate::command::{BusAnswer, BusCommand, Token};
use crate::machine::Machine;

const CHANNEL: &str = "cache-c";
const PUBLISHES: [&[&str]; 2] = [&["a1", "a2"], &["b1"]];
const JOINS: [usize; 2] = [1, 1];

#[derive(Clone, Copy, PartialEq)]
enum Mistaken {
    Nothing,
    OthersReplaceOwnOnes,
    VersionsAreNotCompared,
    ReadsOvertakeEvents,
}

/// Where a hub stands with the channel.
#[derive(Clone, Debug, PartialEq)]
enum Cache {
    None,
    /// What was published here or heard while the answer is awaited: version and event.
    Loading(Vec<(Option<u64>, Option<String>)>),
    Ready,
}

#[derive(Clone)]
struct Side {
    machine: Machine,
    flying: VecDeque<(Token, BusCommand)>,
    replies: VecDeque<(Token, BusAnswer)>,
    heard: VecDeque<(bool, u64, String)>,
    cache: Cache,
    kept: Option<String>,
    own: usize,
    as_of: u64,
    published: usize,
    /// What each subscriber got; nothing before the acknowledgement.
    got: Vec<Option<Vec<String>>>,
}

#[derive(Clone)]
struct Scene {
    store: Memory,
    sides: Vec<Side>,
    last: Option<String>,
}

fn text(frame: &Frame) -> String {
    String::from_utf8(frame.payload().to_vec()).unwrap()
}

/// The store keeps the frame, with its header of two bytes.
fn without_header(message: &[u8]) -> String {
    String::from_utf8(message[2..].to_vec()).unwrap()
}

impl Side {
    fn give(&mut self, event: &str) {
        for got in self.got.iter_mut().flatten() {
            got.push(event.to_owned());
        }
    }

    fn publish(&mut self, event: &str, wrong: Mistaken) {
        if let Cache::Loading(pending) = &mut self.cache {
            pending.push((None, Some(event.to_owned())));
            self.own += 1;
        } else {
            self.give(event);
            if self.cache == Cache::Ready {
                self.kept = Some(event.to_owned());
                self.own += 1;
            }
        }
        let frame = Frame::text(0, |out| out.extend_from_slice(event.as_bytes()));
        let lives = Duration::from_secs(60);
        let event = KeptEvent {
            channel: channel(CHANNEL),
            frame,
            except: None,
            lives,
            most_bytes: 1 << 24,
            quiet: false,
        };
        self.change(Change::Kept(event), wrong);
    }

    fn join(&mut self, wrong: Mistaken) {
        match self.cache {
            Cache::Ready => {
                let first = self.kept.clone().unwrap_or_else(|| "miss".to_owned());
                self.got.push(Some(vec![first]));
                return;
            }
            Cache::None => {
                self.cache = Cache::Loading(Vec::new());
                self.change(Change::Opened { channel: channel(CHANNEL), copy: 9 }, wrong);
            }
            Cache::Loading(_) => {}
        }
        self.got.push(None);
    }

    fn change(&mut self, change: Change, wrong: Mistaken) {
        self.machine.change(1_020_000, &"a".into(), change);
        self.collect(wrong);
    }

    fn collect(&mut self, wrong: Mistaken) {
        let out = self.machine.take();
        for (token, command) in out.commands {
            match command {
                BusCommand::Read { .. } if wrong == Mistaken::ReadsOvertakeEvents => {
                    self.flying.push_front((token, command));
                }
                BusCommand::Read { .. } | BusCommand::Keep { .. } => self.flying.push_back((token, command)),
                _ => {}
            }
        }
        for (_, outcome) in out.outcomes {
            if let ClusterOutcome::Cached { found, .. } = outcome {
                let found = found.map(|found| (found.version, without_header(found.frame.payload())));
                self.read(found, wrong);
            }
        }
    }

    fn read(&mut self, found: Option<(u64, String)>, wrong: Mistaken) {
        let Cache::Loading(pending) = std::mem::replace(&mut self.cache, Cache::Ready) else {
            panic!("read twice")
        };
        let (version, last) = found.map_or((0, None), |(version, event)| (version, Some(event)));
        let first = last.clone().unwrap_or_else(|| "miss".to_owned());
        for got in self.got.iter_mut().filter(|got| got.is_none()) {
            *got = Some(vec![first.clone()]);
        }
        (self.kept, self.as_of, self.own) = (last, version, 0);
        for (heard, event) in pending {
            match (heard, event) {
                // Own, sent behind the read.
                (None, Some(event)) => {
                    self.give(&event);
                    self.kept = Some(event);
                    self.own += 1;
                }
                (Some(number), None) if number > version => self.own = self.own.saturating_sub(1),
                (Some(number), Some(event))
                    if number > version || wrong == Mistaken::VersionsAreNotCompared =>
                {
                    self.give(&event);
                    if self.own == 0 {
                        self.kept = Some(event);
                    }
                }
                _ => {}
            }
        }
    }

    fn hear(&mut self, (is_own, version, event): (bool, u64, String), wrong: Mistaken) {
        if let Cache::Loading(pending) = &mut self.cache {
            // Own ones are here already, or were sent before the read and are in its answer.
            pending.push((Some(version), (!is_own).then_some(event)));
        } else if version <= self.as_of && wrong != Mistaken::VersionsAreNotCompared {
        } else if is_own {
            self.own = self.own.saturating_sub(1);
        } else {
            self.give(&event);
            if self.cache == Cache::Ready && (self.own == 0 || wrong == Mistaken::OthersReplaceOwnOnes) {
                self.kept = Some(event);
            }
        }
    }
}

impl Scene {
    fn new() -> Self {
        let mut rig = Rig::settled(2);
        for at in 0..2 {
            rig.open(at, "news", 1);
        }
        rig.run();
        let side = |machine| Side {
            machine,
            flying: VecDeque::new(),
            replies: VecDeque::new(),
            heard: VecDeque::new(),
            cache: Cache::None,
            kept: None,
            own: 0,
            as_of: 0,
            published: 0,
            got: Vec::new(),
        };
        let sides = rig.nodes.into_iter().map(|node| side(node.machine)).collect();
        Self { store: rig.store, sides, last: None }
    }

    fn after(&self, which: usize, at: usize, wrong: Mistaken) -> Option<Self> {
        let side = &self.sides[at];
        let is_possible = match which {
            0 => side.published < PUBLISHES[at].len(),
            1 => side.got.len() < JOINS[at],
            2 => !side.flying.is_empty(),
            3 => !side.heard.is_empty(),
            _ => !side.replies.is_empty(),
        };
        if !is_possible {
            return None;
        }
        let mut next = self.clone();
        let side = &mut next.sides[at];
        match which {
            0 => {
                side.published += 1;
                side.publish(PUBLISHES[at][side.published - 1], wrong);
            }
            1 => side.join(wrong),
            2 => next.execute(at),
            3 => {
                let heard = side.heard.pop_front().unwrap();
                side.hear(heard, wrong);
            }
            _ => {
                let (token, answer) = side.replies.pop_front().unwrap();
                side.machine.answered(1_020_000, token, answer);
                side.collect(wrong);
            }
        }
        Some(next)
    }

    fn execute(&mut self, at: usize) {
        let (token, command) = self.sides[at].flying.pop_front().unwrap();
        let answer = self.store.execute(1_020_000, &"n".into(), &command);
        if let BusCommand::Keep { event, .. } = &command {
            self.last = Some(text(&event.frame));
        }
        self.sides[at].replies.push_back((token, answer));
        for message in self.store.published() {
            let Published::Kept(_, version, _, message) = message else { continue };
            let event = without_header(&message);
            for (other, side) in self.sides.iter_mut().enumerate() {
                side.heard.push_back((other == at, version, event.clone()));
            }
        }
    }

    fn fingerprint(&self) -> String {
        let side = |side: &Side| {
            let flying: Vec<&str> = side
                .flying
                .iter()
                .map(|(_, c)| if matches!(c, BusCommand::Read { .. }) { "r" } else { "k" })
                .collect();
            let replies: Vec<String> = side.replies.iter().map(|(_, answer)| format!("{answer:?}")).collect();
            format!(
                "{flying:?}{replies:?}{:?}{:?}{:?}{}{}{}{:?}",
                side.heard, side.cache, side.kept, side.own, side.as_of, side.published, side.got
            )
        };
        format!("{}|{}|{:?}", side(&self.sides[0]), side(&self.sides[1]), self.last)
    }

    fn fault(&self) -> Option<String> {
        for (at, side) in self.sides.iter().enumerate() {
            if side.cache == Cache::Ready && side.kept != self.last {
                return Some(format!("node {at} keeps {:?}, Redis {:?}", side.kept, self.last));
            }
            for got in &side.got {
                let Some(got) = got else { return Some("somebody waits for ever".to_owned()) };
                let distinct: BTreeSet<&String> = got.iter().collect();
                if distinct.len() != got.len() {
                    return Some(format!("got twice: {got:?}"));
                }
                if self.last.as_ref().is_some_and(|last| !got.contains(last)) {
                    return Some(format!("the last event {:?} never came: {got:?}", self.last));
                }
            }
        }
        None
    }
}

/// Every order; the first fault, and how many states there were.
fn explore(wrong: Mistaken) -> (Option<String>, usize) {
    let (mut seen, mut todo) = (BTreeSet::new(), vec![Scene::new()]);
    while let Some(scene) = todo.pop() {
        if !seen.insert(scene.fingerprint()) {
            continue;
        }
        let before = todo.len();
        for at in 0..2 {
            todo.extend((0..5).filter_map(|which| scene.after(which, at, wrong)));
        }
        if todo.len() == before
            && let Some(fault) = scene.fault()
        {
            return (Some(fault), seen.len());
        }
    }
    (None, seen.len())
}

#[test]
fn cl_042_a_newcomer_gets_each_event_once_in_every_order() {
    let (fault, states) = explore(Mistaken::Nothing);
    assert_eq!(fault, None);
    assert!(states > 1_000, "{states}");
}

#[test]
fn mistakes_about_cached_events_are_found() {
    for wrong in
        [Mistaken::OthersReplaceOwnOnes, Mistaken::VersionsAreNotCompared, Mistaken::ReadsOvertakeEvents]
    {
        assert!(explore(wrong).0.is_some());
    }
}
