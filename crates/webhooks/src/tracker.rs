//! Joins and leaves as webhooks know them: strictly alternating, a leave only after a delay, and not at all for
//! a channel or user that is back by then (HOOK-012, HOOK-021).
//!
//! Goes by the events sent, so that a repeated transition, or the snapshot after a gap, does no
//! harm. Knows no clock: callers give the time, in milliseconds that never go back.

use std::collections::{BTreeMap, HashMap, HashSet};

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::webhook::{Kind, Kinds, Present, Transition};

/// Most delayed leaves; over the bound the oldest is sent early.
const MOST_WAITING: usize = 100_000;

/// What joins and leaves: a channel or a member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Channel(ChannelName),
    Member(ChannelName, UserId),
}

/// When a leave is due, and a number that keeps leaves of one moment in order.
type DueKey = (u64, u64);

/// The state of a subject whose last event was a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    There,
    Delayed(DueKey),
}

/// The subjects of one app.
#[derive(Debug)]
pub(crate) struct Tracker {
    delay: u64,
    most_waiting: usize,
    /// Every subject that has joined and not left.
    known: HashMap<Subject, Known>,
    waiting: BTreeMap<DueKey, Subject>,
    turns: u64,
}

impl Tracker {
    pub(crate) fn new(delay: u64) -> Self {
        Self { delay, most_waiting: MOST_WAITING, known: HashMap::new(), waiting: BTreeMap::new(), turns: 0 }
    }

    /// Another delay for leaves from now on.
    pub(crate) const fn set_delay(&mut self, delay: u64) {
        self.delay = delay;
    }

    /// The event to send at once for a transition; transitions other than joins and leaves are passed through.
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
            Some(Known::Delayed(turn)) => {
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
        *known = Known::Delayed(turn);
        self.waiting.insert(turn, subject);
        (self.waiting.len() > self.most_waiting).then(|| self.tell_first()).flatten()
    }

    fn tell_first(&mut self) -> Option<Transition> {
        let (_, subject) = self.waiting.pop_first()?;
        self.known.remove(&subject);
        Some(subject.has_gone())
    }

    /// The next leave whose delay has passed.
    pub(crate) fn next_due(&mut self, now: u64) -> Option<Transition> {
        self.next_moment().filter(|due| *due <= now)?;
        self.tell_first()
    }

    /// When the next leave is due.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Records everybody present as known and sends nothing: they joined before any webhook wanted this
    /// kind.
    pub(crate) fn adopt(&mut self, present: &[Present], kinds: Kinds) {
        for subject in subjects(present, kinds) {
            self.known.entry(subject).or_insert(Known::There);
        }
    }

    /// The events to send after a gap, for a snapshot of everybody present.
    pub(crate) fn catch_up(&mut self, present: &[Present], kinds: Kinds, now: u64) -> Vec<Transition> {
        let there: HashSet<Subject> = subjects(present, kinds).collect();
        let gone: Vec<Subject> =
            self.known.keys().filter(|subject| !there.contains(subject)).cloned().collect();
        let mut told: Vec<Transition> =
            gone.into_iter().filter_map(|subject| self.go(subject, now)).collect();
        told.extend(subjects(present, kinds).filter_map(|subject| self.come(subject)));
        told
    }

    /// Drops the subjects of kinds that no webhook wants any more.
    pub(crate) fn forget(&mut self, kinds: Kinds) {
        self.known.retain(|subject, _| !kinds.contains(subject.kind()));
        self.waiting.retain(|_, subject| !kinds.contains(subject.kind()));
    }

    /// Whether nobody is present, and no leave is delayed.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Channels before their members.
fn subjects(present: &[Present], kinds: Kinds) -> impl Iterator<Item = Subject> {
    let all = present.iter().flat_map(|Present { channel, users }| {
        let members = users.iter().map(|user| Subject::Member(channel.clone(), user.clone()));
        // A user's hidden channel is none that anybody is told of.
        let own = channel.is_shown().then(|| Subject::Channel(channel.clone()));
        own.into_iter().chain(members)
    });
    all.filter(move |subject| kinds.contains(subject.kind()))
}

impl Subject {
    fn kind(&self) -> Kind {
        match self {
            Self::Channel(_) => Kind::ChannelExistence,
            Self::Member(channel, _) => Kind::of_members(channel),
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
