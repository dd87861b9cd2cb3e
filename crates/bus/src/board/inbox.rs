//! What a link is told by its node: changes, snapshots, questions, and the end.
//!
//! Never waited for. Changes have a bound; over it they are refused, and the node brings a snapshot instead.

use std::collections::VecDeque;

use fanfare_protocol::cluster::{Change, Snapshot};
use fanfare_protocol::ids::AppId;
use parking_lot::Mutex;
use redis::{Cmd, Value};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::command::EntryId;
use crate::partition::Partition;

/// Most changes that wait (CL-115).
const MOST_CHANGES: usize = 100_000;

/// Changes after which the link does something else.
const MOST_AT_ONCE: usize = 2000;

/// Something that a link is told.
pub(crate) enum Told {
    Changes(AppId, Vec<Change>),
    Snapshot(AppId, Snapshot),
    Question(Asking),
    /// Webhooks of a partition that need no more sending.
    HooksSent(Partition, Vec<EntryId>),
    /// The node stops; the link lets go of the sender when it has said goodbye.
    End(oneshot::Sender<()>),
}

/// Commands whose answers somebody waits for; dropped without an answer while the link is not up.
pub(crate) struct Asking {
    pub commands: Vec<Cmd>,
    /// What this node has of an app goes before the question.
    pub behind: Option<AppId>,
    /// `None` if nobody waits.
    pub answer: Option<oneshot::Sender<Vec<Value>>>,
    /// When the question was asked.
    pub since: Instant,
}

impl Asking {
    /// A question of now.
    pub fn new(
        commands: Vec<Cmd>,
        behind: Option<AppId>,
        answer: Option<oneshot::Sender<Vec<Value>>>,
    ) -> Self {
        Self { commands, behind, answer, since: Instant::now() }
    }

    /// Whether somebody has waited too long.
    pub fn is_given_up(&self) -> bool {
        self.answer.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// The queue of one link.
#[derive(Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Default)]
struct Waiting {
    told: VecDeque<Told>,
    changes: usize,
}

impl Inbox {
    /// Queues changes; false, and nothing is queued, if too many wait.
    pub fn changes(&self, app: &AppId, changes: Vec<Change>) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.changes + changes.len() > MOST_CHANGES {
            return false;
        }
        waiting.changes += changes.len();
        waiting.told.push_back(Told::Changes(app.clone(), changes));
        drop(waiting);
        self.bell.notify_one();
        true
    }

    /// Queues a snapshot, in place of everything about the app that waits.
    pub fn snapshot(&self, app: &AppId, snapshot: Snapshot) {
        let mut waiting = self.waiting.lock();
        let Waiting { told, changes } = &mut *waiting;
        told.retain(|one| match one {
            Told::Changes(of, dropped) if of == app => {
                *changes -= dropped.len();
                false
            }
            Told::Snapshot(of, _) => of != app,
            _ => true,
        });
        told.push_back(Told::Snapshot(app.clone(), snapshot));
        drop(waiting);
        self.bell.notify_one();
    }

    /// Queues a question; the asker has a bound.
    pub fn question(&self, question: Asking) {
        self.push(Told::Question(question));
    }

    /// Ends the link; the answer comes when the link has said goodbye, or is gone.
    pub fn end(&self) -> oneshot::Receiver<()> {
        let (ended, heard) = oneshot::channel();
        self.push(Told::End(ended));
        heard
    }

    /// Queues anything else.
    pub fn push(&self, told: Told) {
        self.waiting.lock().told.push_back(told);
        self.bell.notify_one();
    }

    /// Takes what waits, as much as is done in a moment; rings again if there is more.
    pub fn take(&self) -> Vec<Told> {
        let mut waiting = self.waiting.lock();
        let (mut taken, mut changes) = (Vec::new(), 0);
        while changes < MOST_AT_ONCE
            && let Some(told) = waiting.told.pop_front()
        {
            changes += match &told {
                Told::Changes(_, changes) => changes.len(),
                Told::Snapshot(_, snapshot) => snapshot.channels.len(),
                _ => 1,
            };
            if let Told::Changes(_, changes) = &told {
                waiting.changes -= changes.len();
            }
            taken.push(told);
        }
        let is_more = !waiting.told.is_empty();
        drop(waiting);
        if is_more {
            self.bell.notify_one();
        }
        taken
    }

    /// Returns when something was queued, perhaps taken meanwhile.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::channel::ChannelName;

    use super::*;

    fn changes(count: usize) -> Vec<Change> {
        let channel = ChannelName::trusted("a");
        (0..count).map(|_| Change::Missed { channel: channel.clone() }).collect()
    }

    #[test]
    fn cl_115_changes_over_the_bound_are_refused_and_a_snapshot_takes_their_place() {
        let inbox = Inbox::default();
        let (one, other) = (AppId::from("1"), AppId::from("2"));
        assert!(inbox.changes(&other, changes(10)));
        assert!(inbox.changes(&one, changes(MOST_CHANGES - 10)));
        assert!(!inbox.changes(&one, changes(1)));
        inbox.snapshot(&one, Snapshot::default());
        inbox.snapshot(&one, Snapshot::default());
        assert!(inbox.changes(&one, changes(1)));
        assert!(inbox.changes(&other, changes(MOST_AT_ONCE)) && inbox.changes(&other, changes(1)));
        let told = inbox.take();
        let kinds: Vec<_> = told
            .iter()
            .map(|one| match one {
                Told::Changes(app, changes) => (app.as_str(), changes.len()),
                Told::Snapshot(app, _) => (app.as_str(), 0),
                _ => unreachable!(),
            })
            .collect();
        assert_eq!(kinds, [("2", 10), ("1", 0), ("1", 1), ("2", MOST_AT_ONCE)]);
        assert_eq!(inbox.take().len(), 1, "the rest is for the next time");
    }
}
