//! The queue of an app's transitions for its webhooks.
//!
//! Transitions are pushed under the lock of the channel's shard, so in the order in which they happened. Bounded:
//! transitions that find the queue full are counted and dropped, and the taker is told to look at the channels
//! themselves. The queue's locks are leaves.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::{Kind, Kinds, Transition};

use crate::bell::Bell;
use crate::sync::Mutex;

/// Bounds on waiting transitions, and on the bytes of client events among them.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 4 << 20;

/// Capacity that is kept when nothing waits.
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
    /// Transitions dropped since the last `take`.
    lost: u64,
    /// Kinds that became wanted since the last `take`.
    newly_wanted: Kinds,
    /// The bell has the app.
    is_due: bool,
}

/// What was dropped, and whether more waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenTransitions {
    /// Transitions dropped because the queue was full; the gap is behind the transitions taken.
    pub lost: u64,
    /// Kinds that became wanted: present channels and users have not been reported for them.
    pub newly_wanted: Kinds,
    /// More transitions wait, and no further wake-up comes for them.
    pub more: bool,
}

/// The kinds that an app's webhooks want of one channel.
#[derive(Clone, Copy)]
pub(crate) struct Hooks<'a> {
    told: Kinds,
    /// Absent where the cluster tells webhooks of channels (CL-030).
    transitions: Option<&'a Transitions>,
}

impl Transitions {
    pub(crate) fn new(app: AppId, bell: Arc<Bell>) -> Self {
        Self { app, bell, queue: Mutex::default() }
    }

    /// The kinds wanted of a channel; none for users' own channels (HOOK-019).
    pub(crate) fn hooks<'a>(&'a self, app: &App, channel: &ChannelName) -> Hooks<'a> {
        let mut told = app.told();
        if !told.is_empty() && channel.kind() == ChannelKind::ServerToUser {
            told = Kinds::NONE;
        }
        Hooks { told, transitions: Some(self) }
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

    /// Notes kinds that are wanted from now on.
    pub(crate) fn begin(&self, kinds: Kinds) {
        self.change(|queue| queue.newly_wanted = queue.newly_wanted.and(kinds));
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

    /// Moves up to `most` transitions to the end of `into`, the oldest first.
    pub(crate) fn take(&self, into: &mut Vec<Transition>, most: usize) -> TakenTransitions {
        let mut queue = self.queue.lock();
        let count = queue.waiting.len().min(most);
        let before = into.len();
        into.extend(queue.waiting.drain(..count));
        queue.bytes -= into[before..].iter().map(Transition::bytes).sum::<usize>();
        let more = !queue.waiting.is_empty();
        if !more {
            // Frees the capacity that a burst needed.
            queue.waiting.shrink_to(SLOTS_KEPT);
        }
        queue.is_due = more;
        if more {
            return TakenTransitions { more, ..TakenTransitions::default() };
        }
        // A gap is behind the last waiting transition, and nowhere else.
        let (lost, newly_wanted) = (std::mem::take(&mut queue.lost), std::mem::take(&mut queue.newly_wanted));
        TakenTransitions { lost, newly_wanted, more }
    }

    /// Whether nothing is to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        !self.queue.lock().is_due
    }
}

impl Hooks<'_> {
    /// Whether a webhook wants this kind.
    pub(crate) const fn want(&self, kind: Kind) -> bool {
        self.told.contains(kind)
    }

    /// Queues the transition if a webhook wants its kind.
    pub(crate) fn tell(&self, kind: Kind, transition: impl FnOnce() -> Transition) {
        if self.want(kind)
            && let Some(transitions) = self.transitions
        {
            transitions.push(transition());
        }
    }

    /// The same kinds are wanted, and the hub queues none of them.
    pub(crate) const fn left_to_the_cluster(self) -> Self {
        Self { transitions: None, ..self }
    }
}
