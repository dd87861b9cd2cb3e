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

/// Most bytes of events of cache channels among them.
const MOST_BYTES: usize = 32 * 1024 * 1024;

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
    held: Weight,
}

/// What changes weigh.
#[derive(Clone, Copy, Default)]
struct Weight {
    changes: usize,
    /// Events of cache channels among them, and their bytes.
    events: usize,
    bytes: usize,
}

impl Weight {
    fn of(changes: &[Change]) -> Self {
        let frames = changes.iter().filter_map(|change| match change {
            Change::Kept(event) => Some(event.frame.bytes().len()),
            _ => None,
        });
        let (events, bytes) = frames.fold((0, 0), |(events, bytes), frame| (events + 1, bytes + frame));
        Self { changes: changes.len(), events, bytes }
    }

    fn add(&mut self, more: Self) {
        self.changes += more.changes;
        self.events += more.events;
        self.bytes += more.bytes;
    }

    fn remove(&mut self, less: Self) {
        self.changes -= less.changes;
        self.events -= less.events;
        self.bytes -= less.bytes;
    }
}

impl Inbox {
    /// Queues changes.
    ///
    /// # Errors
    /// Too many wait, and nothing is queued; so many events of cache channels are lost.
    pub fn changes(&self, app: &AppId, changes: Vec<Change>) -> Result<(), usize> {
        let more = Weight::of(&changes);
        let mut waiting = self.waiting.lock();
        let held = waiting.held;
        // Events that are longer than the bound find room in an empty queue.
        let has_bytes = held.bytes == 0 || held.bytes + more.bytes <= MOST_BYTES;
        if held.changes + more.changes > MOST_CHANGES || !has_bytes {
            return Err(more.events);
        }
        waiting.held.add(more);
        waiting.told.push_back(Told::Changes(app.clone(), changes));
        drop(waiting);
        self.bell.notify_one();
        Ok(())
    }

    /// Queues a snapshot; after a loss in place of everything about the app that waits. Returns how many events of cache
    /// channels are lost.
    pub fn snapshot(&self, app: &AppId, snapshot: Snapshot) -> usize {
        let mut waiting = self.waiting.lock();
        let Waiting { told, held } = &mut *waiting;
        let before = held.events;
        if snapshot.has_gap {
            told.retain(|one| match one {
                Told::Changes(of, dropped) if of == app => {
                    held.remove(Weight::of(dropped));
                    false
                }
                Told::Snapshot(of, _) => of != app,
                _ => true,
            });
        }
        let lost = before - held.events;
        told.push_back(Told::Snapshot(app.clone(), snapshot));
        drop(waiting);
        self.bell.notify_one();
        lost
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
                waiting.held.remove(Weight::of(changes));
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
    use std::time::Duration;

    use fanfare_protocol::channel::ChannelName;
    use fanfare_protocol::cluster::KeptEvent;
    use fanfare_protocol::frame::Frame;

    use super::*;

    fn changes(count: usize) -> Vec<Change> {
        let channel = ChannelName::trusted("a");
        (0..count).map(|_| Change::Missed { channel: channel.clone() }).collect()
    }

    fn kept(bytes: usize) -> Change {
        let frame = Frame::text(bytes, |frame| frame.resize(frame.len() + bytes, b'x'));
        let (channel, lives) = (ChannelName::trusted("cache-a"), Duration::from_secs(1));
        Change::Kept(KeptEvent { channel, frame, except: None, lives, quiet: false, most_bytes: usize::MAX })
    }

    fn after_a_loss() -> Snapshot {
        Snapshot { has_gap: true, ..Snapshot::default() }
    }

    fn kinds(told: &[Told]) -> Vec<(&str, usize)> {
        let kind = |one: &Told| match one {
            Told::Changes(app, changes) => (if app.as_str() == "1" { "1" } else { "2" }, changes.len()),
            Told::Snapshot(..) => ("snapshot", 0),
            _ => unreachable!(),
        };
        told.iter().map(kind).collect()
    }

    #[test]
    fn cl_115_changes_over_the_bound_are_refused_and_a_snapshot_takes_their_place() {
        let inbox = Inbox::default();
        let (one, other) = (AppId::from("1"), AppId::from("2"));
        assert_eq!(inbox.changes(&other, changes(10)), Ok(()));
        assert_eq!(inbox.changes(&one, changes(MOST_CHANGES - 10)), Ok(()));
        assert_eq!(inbox.changes(&one, vec![kept(1), kept(1)]), Err(2));
        assert_eq!((inbox.snapshot(&one, after_a_loss()), inbox.snapshot(&one, after_a_loss())), (0, 0));
        assert_eq!(inbox.changes(&one, changes(1)), Ok(()));
        assert!(inbox.changes(&other, changes(MOST_AT_ONCE)).is_ok());
        assert!(inbox.changes(&other, changes(1)).is_ok());
        assert_eq!(kinds(&inbox.take()), [("2", 10), ("snapshot", 0), ("1", 1), ("2", MOST_AT_ONCE)]);
        assert_eq!(inbox.take().len(), 1, "the rest is for the next time");
    }

    #[test]
    fn cl_115_events_of_cache_channels_wait_in_so_many_bytes() {
        let (inbox, app) = (Inbox::default(), AppId::from("1"));
        let mebibyte = || vec![kept(1024 * 1024)];
        let taken = (0..40).filter(|_| inbox.changes(&app, mebibyte()).is_ok()).count();
        assert_eq!(taken, 31);
        assert_eq!(inbox.changes(&app, changes(10)), Ok(()), "which weigh nothing");
        assert_eq!(inbox.snapshot(&app, after_a_loss()), 31);
        assert_eq!(inbox.changes(&app, mebibyte()), Ok(()));
        assert_eq!(kinds(&inbox.take()), [("snapshot", 0), ("1", 1)]);
        assert!((0..31).all(|_| inbox.changes(&app, mebibyte()).is_ok()), "what was taken weighs nothing");
    }

    #[test]
    fn cl_001_a_snapshot_without_a_loss_leaves_events_that_wait() {
        let (inbox, app) = (Inbox::default(), AppId::from("1"));
        assert_eq!(inbox.changes(&app, vec![kept(10)]), Ok(()));
        // An app with other settings.
        assert_eq!(inbox.snapshot(&app, Snapshot::default()), 0);
        assert_eq!(inbox.changes(&app, changes(2)), Ok(()));
        assert_eq!(inbox.snapshot(&app, Snapshot::default()), 0);
        assert_eq!(kinds(&inbox.take()), [("1", 1), ("snapshot", 0), ("1", 2), ("snapshot", 0)]);
    }
}
