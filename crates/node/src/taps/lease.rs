//! What a tap is for the other nodes: a lease that they are told of, what has come from each of them, and which are silent
//! (CON-037). Knows no clock but what it is given, and no bus.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How long a silent node is named after it has lost its lease in the cluster, unless one of its name comes.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Most nodes of which is known what they told.
const MOST_NODES: usize = 1000;

/// Which nodes a tap hears of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TapNodes {
    /// The names of the other nodes that look for the tap.
    pub answering: Vec<String>,
    /// The names of those that do not, the full ones among them.
    pub missing: Vec<String>,
    /// The names of those that look for as many taps as they may.
    pub full: Vec<String>,
    /// Whether it is known which nodes there are.
    pub is_in_touch: bool,
}

/// A tap as the other nodes know it; a reader who comes back goes on with the same.
#[derive(Debug)]
pub struct TapLease {
    /// The number among those of this node.
    pub number: u64,
    /// The app.
    pub app: AppId,
    /// What other nodes are told of the tap.
    pub about: Vec<u8>,
    state: Mutex<State>,
    said: watch::Sender<Option<Arc<TapNodes>>>,
    /// Rings when a node has told something the first time in a turn, and at the end.
    pub bell: Notify,
    is_over: AtomicBool,
    is_kept: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    turn: u64,
    heard: HashMap<u64, HeardOf>,
    /// Nodes that do not answer, by id.
    silent: BTreeMap<u64, Silent>,
    /// Nodes that answer, each with the turn since when.
    answering: HashMap<u64, u64>,
}

/// What is known of what a node told.
#[derive(Debug)]
struct HeardOf {
    begun: u64,
    /// The number of the part that is to come.
    next: u64,
    /// The last turn in which something came.
    turn: u64,
    is_full: bool,
}

#[derive(Debug)]
struct Silent {
    name: String,
    /// The turn since when.
    since: u64,
    /// Since when the node has no lease in the cluster.
    gone: Option<Instant>,
}

/// The place of a part among those of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartPlace {
    /// The next.
    Next,
    /// Parts before it are lost.
    BehindGap,
    /// Heard already, or too late.
    Old,
}

impl TapLease {
    pub(super) fn new(number: u64, app: AppId, about: Vec<u8>) -> Self {
        let state = Mutex::default();
        let said = watch::Sender::new(None);
        let [is_over, is_kept] = [false; 2].map(AtomicBool::new);
        Self { number, app, about, state, said, bell: Notify::new(), is_over, is_kept }
    }

    /// What the reader is told of the nodes.
    pub(super) fn said(&self) -> watch::Receiver<Option<Arc<TapNodes>>> {
        self.said.subscribe()
    }

    /// Whether nobody keeps the lease yet; who asks does from now on.
    pub(super) fn take_keeping(&self) -> bool {
        !self.is_kept.swap(true, Ordering::AcqRel)
    }

    /// Ends the lease.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// The lease is told anew: who says nothing from now on is silent.
    pub(super) fn begin_turn(&self) {
        self.state.lock().turn += 1;
    }

    /// A node has told a part of the lease it knows by this beginning.
    pub(super) fn hear(&self, node: u64, (begun, number): (u64, u64)) -> PartPlace {
        let mut state = self.state.lock();
        let turn = state.turn;
        if !state.heard.contains_key(&node) && state.heard.len() >= MOST_NODES {
            return PartPlace::Old;
        }
        let is_known = state.heard.contains_key(&node);
        let heard = state.heard.entry(node).or_insert(HeardOf { begun, next: 0, turn: 0, is_full: false });
        heard.is_full = false;
        let is_other = heard.begun != begun;
        let expected = if is_other { 0 } else { heard.next };
        let place = match number {
            number if number < expected => PartPlace::Old,
            number if number > expected || is_known && is_other && heard.next > 0 => PartPlace::BehindGap,
            _ => PartPlace::Next,
        };
        if place != PartPlace::Old {
            (heard.begun, heard.next) = (begun, number.saturating_add(1));
        }
        if std::mem::replace(&mut heard.turn, turn) != turn {
            self.bell.notify_one();
        }
        place
    }

    /// A node has no room for the tap.
    pub(super) fn hear_full(&self, node: u64) {
        let mut state = self.state.lock();
        let turn = state.turn;
        if state.heard.len() < MOST_NODES || state.heard.contains_key(&node) {
            let heard = state.heard.entry(node).or_insert(HeardOf { begun: 0, next: 0, turn, is_full: true });
            (heard.turn, heard.is_full) = (turn, true);
            self.bell.notify_one();
        }
    }

    /// Whether all of these nodes have told something in this turn.
    pub(super) fn has_heard(&self, nodes: &[(u64, String)]) -> bool {
        let state = self.state.lock();
        nodes.iter().all(|(id, _)| state.heard.get(id).is_some_and(|heard| heard.turn == state.turn))
    }

    /// Says which of the other nodes have told nothing in this turn; `None` if it is not known which nodes there are.
    pub(super) fn end_turn(&self, others: Option<&[(u64, String)]>, now: Instant) {
        let mut state = self.state.lock();
        let nodes = match others {
            Some(others) => state.look_at(others, now),
            None => state.out_of_touch(self.said.borrow().as_deref()),
        };
        drop(state);
        self.said.send_if_modified(|said| {
            let is_news = said.as_deref() != Some(&nodes);
            if is_news {
                *said = Some(Arc::new(nodes));
            }
            is_news
        });
    }
}

impl State {
    fn look_at(&mut self, others: &[(u64, String)], now: Instant) -> TapNodes {
        let (turn, mut answering, mut full) = (self.turn, Vec::new(), Vec::new());
        for (id, name) in others {
            match self.heard.get(id).filter(|heard| heard.turn == turn) {
                Some(heard) => {
                    if heard.is_full { &mut full } else { &mut answering }.push((*id, name.clone()));
                    self.answering.entry(*id).or_insert(turn);
                    self.silent.remove(id);
                }
                None => {
                    self.answering.remove(id);
                    if self.silent.len() < MOST_NODES {
                        let silent = || Silent { name: name.clone(), since: turn, gone: None };
                        self.silent.entry(*id).or_insert_with(silent).gone = None;
                    }
                }
            }
        }
        let lives: HashSet<u64> = others.iter().map(|(id, _)| *id).collect();
        self.answering.retain(|id, _| lives.contains(id));
        self.silent.iter_mut().filter(|(id, _)| !lives.contains(id)).for_each(|(_, silent)| {
            silent.gone.get_or_insert(now);
        });
        // A node that starts again has another number.
        let began = &self.answering;
        let is_back = |silent: &Silent| {
            let mut named = answering.iter().chain(&full).filter(|(_, name)| *name == silent.name);
            named.any(|(id, _)| began.get(id).is_some_and(|began| *began >= silent.since))
        };
        let is_over =
            |silent: &Silent, gone: Instant| now.duration_since(gone) >= FORGOTTEN || is_back(silent);
        self.silent.retain(|_, silent| silent.gone.is_none_or(|gone| !is_over(silent, gone)));
        let silent = &self.silent;
        self.heard.retain(|id, _| lives.contains(id) || silent.contains_key(id));
        let missing: Vec<(u64, String)> =
            silent.iter().map(|(id, silent)| (*id, silent.name.clone())).chain(full.clone()).collect();
        let mut of_name: HashMap<&str, usize> = HashMap::new();
        for (_, name) in answering.iter().chain(&missing) {
            *of_name.entry(name).or_default() += 1;
        }
        let shown = |nodes: &[(u64, String)]| {
            let shown = |(id, name): &(u64, String)| match of_name.get(&**name) {
                Some(2..) => format!("{id:016x}"),
                _ => name.clone(),
            };
            let mut names: Vec<String> = nodes.iter().map(shown).collect();
            names.sort();
            names
        };
        TapNodes {
            answering: shown(&answering),
            missing: shown(&missing),
            full: shown(&full),
            is_in_touch: true,
        }
    }

    /// Nobody can be asked: all that were known are missing.
    fn out_of_touch(&self, last: Option<&TapNodes>) -> TapNodes {
        let mut missing: Vec<String> =
            last.into_iter().flat_map(|last| last.answering.iter().chain(&last.missing)).cloned().collect();
        missing.sort();
        TapNodes { missing, ..TapNodes::default() }
    }
}

#[cfg(test)]
mod tests;
