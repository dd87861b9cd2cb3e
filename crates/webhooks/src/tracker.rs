//! Comings and goings as webhooks know them: strictly alternating, a going after a while only, and not at all if
//! somebody is back by then (HOOK-012, HOOK-021).
//!
//! Goes by what it has told, so that hearing a thing twice, or finding out how things are after a gap, does no
//! harm. Knows no clock: moments are given, in milliseconds that never go back.

use std::collections::{BTreeMap, HashMap, HashSet};

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::webhook::{Kind, Kinds, Present, Transition};

/// Goings that wait at most; over it the one that has waited longest is told early.
const MOST_WAITING: usize = 100_000;

/// Who comes and goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Channel(ChannelName),
    Member(ChannelName, UserId),
}

/// When a going is to be told, and a number that keeps those of one moment in order.
type Turn = (u64, u64);

/// How things are with somebody of whom the last that was told is a coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    There,
    Going(Turn),
}

/// One app's.
#[derive(Debug)]
pub(crate) struct Tracker {
    delay: u64,
    most_waiting: usize,
    /// Whoever has come and not gone.
    known: HashMap<Subject, Known>,
    waiting: BTreeMap<Turn, Subject>,
    turns: u64,
}

impl Tracker {
    pub(crate) fn new(delay: u64) -> Self {
        Self { delay, most_waiting: MOST_WAITING, known: HashMap::new(), waiting: BTreeMap::new(), turns: 0 }
    }

    /// What is to be told at once because of this; anything but comings and goings is passed on.
    pub(crate) fn hear(&mut self, transition: Transition, now: u64) -> Option<Transition> {
        match transition {
            Transition::Occupied(channel) => self.come(Subject::Channel(channel)),
            Transition::Joined(channel, user) => self.come(Subject::Member(channel, user)),
            Transition::Vacated(channel) => self.go(Subject::Channel(channel), now),
            Transition::Left(channel, user) => self.go(Subject::Member(channel, user), now),
            other => Some(other),
        }
    }

    fn come(&mut self, subject: Subject) -> Option<Transition> {
        match self.known.insert(subject.clone(), Known::There) {
            None => Some(subject.has_come()),
            Some(Known::There) => None,
            Some(Known::Going(turn)) => {
                self.waiting.remove(&turn);
                None
            }
        }
    }

    fn go(&mut self, subject: Subject, now: u64) -> Option<Transition> {
        let known = self.known.get_mut(&subject).filter(|known| **known == Known::There)?;
        if self.delay == 0 {
            self.known.remove(&subject);
            return Some(subject.has_gone());
        }
        self.turns += 1;
        let turn = (now + self.delay, self.turns);
        *known = Known::Going(turn);
        self.waiting.insert(turn, subject);
        (self.waiting.len() > self.most_waiting).then(|| self.tell_first()).flatten()
    }

    fn tell_first(&mut self) -> Option<Transition> {
        let (_, subject) = self.waiting.pop_first()?;
        self.known.remove(&subject);
        Some(subject.has_gone())
    }

    /// The next going that has waited long enough.
    pub(crate) fn next_due(&mut self, now: u64) -> Option<Transition> {
        self.next_moment().filter(|due| *due <= now)?;
        self.tell_first()
    }

    /// When the next is due.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes those who are there as having come, without telling it: their coming was before anybody wanted to
    /// hear of it.
    pub(crate) fn adopt(&mut self, present: &[Present], kinds: Kinds) {
        for subject in subjects(present, kinds) {
            self.known.entry(subject).or_insert(Known::There);
        }
    }

    /// What is to be told after a gap in what was heard, if these are there now and nobody else.
    pub(crate) fn catch_up(&mut self, present: &[Present], kinds: Kinds, now: u64) -> Vec<Transition> {
        let there: HashSet<Subject> = subjects(present, kinds).collect();
        let gone: Vec<Subject> =
            self.known.keys().filter(|subject| !there.contains(subject)).cloned().collect();
        let mut told: Vec<Transition> =
            gone.into_iter().filter_map(|subject| self.go(subject, now)).collect();
        told.extend(subjects(present, kinds).filter_map(|subject| self.come(subject)));
        told
    }

    /// Nobody wants to hear of these kinds any more.
    pub(crate) fn forget(&mut self, kinds: Kinds) {
        self.known.retain(|subject, _| !kinds.contains(subject.kind()));
        self.waiting.retain(|_, subject| !kinds.contains(subject.kind()));
    }

    /// Whether nobody is there, and nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Channels before their members.
fn subjects(present: &[Present], kinds: Kinds) -> impl Iterator<Item = Subject> {
    let all = present.iter().flat_map(|Present { channel, users }| {
        let members = users.iter().map(|user| Subject::Member(channel.clone(), user.clone()));
        std::iter::once(Subject::Channel(channel.clone())).chain(members)
    });
    all.filter(move |subject| kinds.contains(subject.kind()))
}

impl Subject {
    const fn kind(&self) -> Kind {
        match self {
            Self::Channel(_) => Kind::ChannelExistence,
            Self::Member(..) => Kind::Presence,
        }
    }

    fn has_come(self) -> Transition {
        match self {
            Self::Channel(channel) => Transition::Occupied(channel),
            Self::Member(channel, user) => Transition::Joined(channel, user),
        }
    }

    fn has_gone(self) -> Transition {
        match self {
            Self::Channel(channel) => Transition::Vacated(channel),
            Self::Member(channel, user) => Transition::Left(channel, user),
        }
    }
}

#[cfg(test)]
mod tests;
