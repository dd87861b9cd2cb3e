//! What has happened on an app's channels and is still to be told to its webhooks.
//!
//! Pushed under the lock of the channel's shard, so in the order in which it happened. Bounded: what comes while
//! it is full is counted and left out, and whoever takes is told to look at the channels themselves. Its locks
//! are leaves.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::{Kind, Kinds, Transition};

use crate::bell::Bell;
use crate::sync::Mutex;

/// Transitions that wait at most, and bytes of the events of clients among them.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 4 << 20;

/// Room that is kept when nothing waits.
const SLOTS_KEPT: usize = 64;

/// The queue of one app.
#[derive(Debug)]
pub(crate) struct Transitions {
    app: AppId,
    bell: Arc<Bell>,
    /// Guards the queue.
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Transition>,
    bytes: usize,
    /// Left out since somebody took.
    lost: u64,
    /// Kinds that are told since somebody took.
    begun: Kinds,
    /// The bell has the app.
    is_due: bool,
}

/// What was left out, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenTransitions {
    /// Transitions for which there was no room; behind those that were taken.
    pub lost: u64,
    /// Kinds that were not told before: what was there already was not told of.
    pub begun: Kinds,
    /// There are more to take; nobody will be woken for them.
    pub more: bool,
}

/// What an app's webhooks want to hear of one channel.
#[derive(Clone, Copy)]
pub(crate) struct Hooks<'a> {
    told: Kinds,
    transitions: &'a Transitions,
}

impl Transitions {
    pub(crate) fn new(app: AppId, bell: Arc<Bell>) -> Self {
        Self { app, bell, queue: Mutex::default() }
    }

    /// What is to be told of a channel; nothing of users' own (HOOK-019).
    pub(crate) fn hooks<'a>(&'a self, app: &App, channel: &ChannelName) -> Hooks<'a> {
        let mut told = app.told();
        if !told.is_empty() && channel.kind() == ChannelKind::ServerToUser {
            told = Kinds::NONE;
        }
        Hooks { told, transitions: self }
    }

    fn push(&self, transition: Transition) {
        self.change(|queue| {
            let bytes = transition.bytes();
            if queue.waiting.len() < MOST && queue.bytes + bytes <= MOST_BYTES {
                queue.bytes += bytes;
                queue.waiting.push_back(transition);
            } else {
                queue.lost += 1;
            }
        });
    }

    /// Notes kinds that are told from now on.
    pub(crate) fn begin(&self, kinds: Kinds) {
        self.change(|queue| queue.begun = queue.begun.and(kinds));
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.lock();
        change(&mut queue);
        let is_due = std::mem::replace(&mut queue.is_due, true);
        drop(queue);
        if !is_due {
            self.bell.ring(&self.app);
        }
    }

    /// Moves up to `most` to the end of `into`, the oldest first.
    pub(crate) fn take(&self, into: &mut Vec<Transition>, most: usize) -> TakenTransitions {
        let mut queue = self.queue.lock();
        let count = queue.waiting.len().min(most);
        let before = into.len();
        into.extend(queue.waiting.drain(..count));
        queue.bytes -= into[before..].iter().map(Transition::bytes).sum::<usize>();
        let more = !queue.waiting.is_empty();
        if !more {
            // What a burst needed is given back.
            queue.waiting.shrink_to(SLOTS_KEPT);
        }
        queue.is_due = more;
        if more {
            return TakenTransitions { more, ..TakenTransitions::default() };
        }
        // There is a gap behind the last that waits, and nowhere else.
        let (lost, begun) = (std::mem::take(&mut queue.lost), std::mem::take(&mut queue.begun));
        TakenTransitions { lost, begun, more }
    }

    /// Whether nothing is to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        !self.queue.lock().is_due
    }
}

impl Hooks<'_> {
    /// Whether this is told at all.
    pub(crate) const fn want(&self, kind: Kind) -> bool {
        self.told.contains(kind)
    }

    /// Queues it if it is told.
    pub(crate) fn tell(&self, kind: Kind, transition: impl FnOnce() -> Transition) {
        if self.want(kind) {
            self.transitions.push(transition());
        }
    }
}
