//! The connection for subscriptions of a link: made again for ever, at the server that the link has found.
//!
//! Events go to the workers, all else to the link's task, in order. While there is no room nothing is read (CL-114).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fanfare_redis::{Happening, Host, RedisError, TopicListener, TopicSubscriber, WantedTopics};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::topics::{Meanings, TopicMeaning};
use crate::board::Board;
use crate::counters::BusCounters;
use crate::partition::{Partition, Topic};
use crate::scripts::{Delta, NotADelta};
use crate::workers::{BroughtDeltas, Heard, Workers};

/// Most deltas and notes that wait for the link's task.
pub(super) const MOST_NOTES: usize = 1024;

/// Between two attempts to connect: the shortest time, and the longest.
const BETWEEN_ATTEMPTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What the subscriber tells the link.
#[derive(Debug)]
pub(super) enum Note {
    /// Every topic that was wanted at first is subscribed to, or refused.
    Ready,
    Confirmed(Box<str>),
    Ended(Box<str>),
    Delta(Topic, Delta),
    Hooks(Partition),
    /// A topic is refused, perhaps again; what Redis says.
    Refused(Box<str>, RedisError),
    /// The connection is lost, and with it all subscriptions.
    Lost(RedisError),
}

/// Hears one connection after another.
pub(super) struct Ear {
    pub meanings: Meanings,
    pub workers: Workers,
    pub counters: Arc<BusCounters>,
    pub notes: mpsc::Sender<Note>,
    /// Deltas that the link's task has brought to the node.
    brought: Arc<BroughtDeltas>,
    /// Deltas that the link's task was sent, in all, and until the last one of each partition.
    deltas: u64,
    deltas_until: HashMap<Partition, u64>,
    /// Notes of the message that was heard last.
    unsent: VecDeque<Note>,
    /// The partition whose worker got the last event.
    last: Option<Partition>,
}

impl Ear {
    pub fn new(
        meanings: Meanings,
        workers: Workers,
        counters: Arc<BusCounters>,
        notes: mpsc::Sender<Note>,
        brought: Arc<BroughtDeltas>,
    ) -> Self {
        let (deltas, deltas_until) = (0, HashMap::new());
        let (unsent, last) = (VecDeque::new(), None);
        Self { meanings, workers, counters, notes, brought, deltas, deltas_until, unsent, last }
    }

    fn message(&mut self, name: &str, payload: Vec<u8>) {
        let meanings = self.meanings.read();
        let meaning = meanings.get(name);
        match meaning {
            Some(TopicMeaning::App(topic)) if Delta::is_meant(&payload) => match Delta::read(&payload) {
                Ok(delta) => self.unsent.push_back(Note::Delta(topic.clone(), delta)),
                Err(NotADelta::Version(_)) => self.counters.unknown.add(1),
                Err(NotADelta::Garbled) => self.counters.malformed.add(1),
            },
            Some(TopicMeaning::App(topic)) => {
                self.last = Some(topic.partition);
                let until = self.deltas_until.get(&topic.partition);
                let behind = until.and_then(|until| self.brought.behind(*until));
                self.workers.push(Heard { topic: Some(topic.clone()), payload, behind });
            }
            Some(TopicMeaning::Control) => {
                self.workers.push(Heard { topic: None, payload, behind: None });
            }
            Some(TopicMeaning::Node(_)) => {
                self.last = Some(0);
                self.workers.push(Heard { topic: None, payload, behind: None });
            }
            Some(TopicMeaning::Hooks(partition)) => self.unsent.push_back(Note::Hooks(*partition)),
            None => {}
        }
    }
}

impl TopicListener for Ear {
    fn hear(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Message { channel, payload } => self.message(channel, payload),
            Happening::TooLong { .. } => self.counters.malformed.add(1),
            Happening::Refused { prefix, error } => {
                self.unsent.push_back(Note::Refused(prefix.into(), error.clone()));
            }
            Happening::Subscribed { .. } => self.unsent.push_back(Note::Ready),
            // A grant is a confirmation, too.
            Happening::Granted { .. } | Happening::Away(_) => {}
        }
    }

    fn confirmed(&mut self, topic: &str) {
        self.unsent.push_back(Note::Confirmed(topic.into()));
    }

    fn ended(&mut self, topic: &str) {
        self.unsent.push_back(Note::Ended(topic.into()));
    }

    async fn room(&mut self) {
        while let Some(note) = self.unsent.pop_front() {
            let of = match &note {
                Note::Delta(topic, _) => Some(topic.partition),
                _ => None,
            };
            // The link's task ends first, and this one with it.
            let is_sent = self.notes.send(note).await.is_ok();
            if let Some(partition) = of.filter(|_| is_sent) {
                self.deltas += 1;
                self.deltas_until.insert(partition, self.deltas);
            }
        }
        if let Some(partition) = self.last.take() {
            self.workers.room(partition).await;
        }
    }
}

/// Subscribes at the host that the link names, until the link ends.
pub(super) async fn run(
    subscriber: TopicSubscriber,
    board: Arc<Board>,
    (mut host, mut wanted): (watch::Receiver<Option<Host>>, watch::Receiver<WantedTopics>),
    mut ear: Ear,
) {
    let mut pause = BETWEEN_ATTEMPTS.0;
    loop {
        let Ok(at) = host.wait_for(Option::is_some).await.map(|host| host.clone()) else { return };
        let Some(at) = at else { continue };
        let start = Instant::now();
        let error = tokio::select! {
            error = subscriber.follow(&at, &mut wanted, &mut ear) => error,
            other = host.wait_for(|host| host.as_ref() != Some(&at)) => match other {
                Ok(_) => RedisError::Moved,
                Err(_) => return,
            },
        };
        // Before anything is heard on the next connection.
        board.note_loss();
        ear.unsent.clear();
        if ear.notes.send(Note::Lost(error)).await.is_err() {
            return;
        }
        // A connection that lasted is no attempt.
        pause = if start.elapsed() > BETWEEN_ATTEMPTS.1 { BETWEEN_ATTEMPTS.0 } else { pause * 2 };
        pause = pause.min(BETWEEN_ATTEMPTS.1);
        sleep(pause).await;
    }
}
