//! The queue of an app's transitions for its webhooks.
//!
//! Transitions are pushed under the lock of the channel's shard, so in the order in which they happened. Bounded:
//! transitions that find the queue full are counted and dropped, and the taker is told to look at the channels
//! themselves. The queue's locks are leaves.

use std::sync::Arc;

use fanfare_protocol::app::App;
use fanfare_protocol::channel::{ChannelKind, ChannelName};
use fanfare_protocol::ids::AppId;
use fanfare_protocol::webhook::{Kind, Kinds, Transition};

use crate::bell::Bell;
use crate::waking_queue::{WakingQueue, Weighed};

/// The queue of one app.
#[derive(Debug)]
pub(crate) struct Transitions(WakingQueue<Transition, Notes>);

#[derive(Debug, Default)]
struct Notes {
    /// Transitions dropped since the last `take`.
    lost: u64,
    /// Kinds that became wanted since the last `take`.
    newly_wanted: Kinds,
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
        Self(WakingQueue::new(app, bell))
    }

    /// The kinds wanted of a channel; none for users' own channels (HOOK-019).
    pub(crate) fn hooks<'a>(&'a self, app: &App, channel: &ChannelName) -> Hooks<'a> {
        let mut told = app.told();
        if !told.is_empty() && channel.kind() == ChannelKind::ServerToUser {
            told = Kinds::NONE;
        }
        Hooks { told, transitions: Some(self) }
    }

    /// The kinds wanted of the users who are online.
    pub(crate) fn hooks_of_users<'a>(&'a self, app: &App) -> Hooks<'a> {
        Hooks { told: app.told(), transitions: Some(self) }
    }

    fn push(&self, transition: Transition) {
        self.0.change(|queue| {
            if !queue.push(transition) {
                queue.notes.lost += 1;
            }
        });
    }

    /// Notes kinds that are wanted from now on.
    pub(crate) fn begin(&self, kinds: Kinds) {
        self.0.change(|queue| queue.notes.newly_wanted = queue.notes.newly_wanted.and(kinds));
    }

    /// Moves up to `most` transitions to the end of `into`, the oldest first.
    pub(crate) fn take(&self, into: &mut Vec<Transition>, most: usize) -> TakenTransitions {
        self.0.take(into, most, |notes, more| {
            // A gap is behind the last waiting transition, and nowhere else.
            let Notes { lost, newly_wanted } = if more { Notes::default() } else { std::mem::take(notes) };
            TakenTransitions { lost, newly_wanted, more }
        })
    }

    /// Whether nothing is to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Weighed for Transition {
    /// Bytes are those of client events.
    const BOUNDS: (usize, usize) = (10_000, 4 << 20);

    fn weight(&self) -> usize {
        self.bytes()
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
