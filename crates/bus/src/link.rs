//! A link: this node's two connections to one Redis, and the task that owns the machine of its partitions.
//!
//! Everything that leaves goes through one place and in order: events, then what the machine asks, then questions. At
//! most four pipelines are in flight; meanwhile things gather. Nothing here waits for Redis but the wire.

mod answers;
mod batch;
mod bringing;
mod commands;
mod error;
mod greeting;
mod questions;
mod roll;
mod rounds;
mod server;
mod subscriber;
mod topics;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fanfare_outgoing::Trust;
use fanfare_redis::{Connector, Host, RedisAddress, RedisError, TopicKind, TopicSubscriber};
use redis::Cmd;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use self::batch::{Asked, Batch, TopicNumbers};
use self::commands::Commands;
pub(crate) use self::error::refusal_of;
use self::greeting::Digests;
use self::questions::Questions;
use self::roll::Roll;
pub use self::roll::{LinkReport, NodeReport};
use self::server::Server;
use self::subscriber::{Ear, MOST_NOTES, Note};
use self::topics::{TopicMeaning, Topics};
pub(crate) use self::wire::asked_once;
use self::wire::{Wire, WireEvent};
use crate::board::{Asking, Board, STANDSTILL, Told};
use crate::machine::{Machine, MachineSettings};
use crate::shared::Shared;
use crate::workers::BroughtDeltas;

/// Longest message that is kept of an answer to a subscriber, in bytes.
const LONGEST_MESSAGE: u64 = 2 * 1024 * 1024;

/// Most events in one pipeline, and their bytes.
const MOST_EVENTS: (usize, usize) = (1000, 1024 * 1024);

/// Most notes that are taken before the link does anything else.
const MOST_NOTES_AT_ONCE: usize = 256;

/// How long after a reading a copy of a roster is read again for safety, at least (N13).
const CHECKED: Duration = Duration::from_secs(240);

/// How long a question waits for this node's own part to be said (CL-020).
const FOR_OWN_PART: Duration = Duration::from_millis(250);

/// One link.
pub(crate) struct Link {
    shared: Arc<Shared>,
    board: Arc<Board>,
    machine: Machine,
    wire: Wire<Vec<Asked>>,
    topics: Topics,
    notes: mpsc::Receiver<Note>,
    /// Deltas among the notes that were taken, and how many of these were brought to the node.
    deltas: u64,
    brought: Arc<BroughtDeltas>,
    /// Where the subscriber is to be.
    host: watch::Sender<Option<Host>>,
    is_subscribed: bool,
    /// Topics that Redis refuses.
    refused: BTreeSet<Box<str>>,
    waiting: Commands,
    questions: Questions,
    numbers: TopicNumbers,
    digests: Digests,
    /// New epochs that the machine has noticed.
    begun: u64,
    /// How many ids of epochs were made up.
    epochs: u64,
    /// Of the first partition's link alone.
    roll: Option<Roll>,
    ending: Option<oneshot::Sender<()>>,
}

impl Link {
    /// A link that has not connected yet, to the Redis at a place of `bus.urls`, and the task of its subscriber.
    pub fn new(
        shared: &Arc<Shared>,
        board: &Arc<Board>,
        (address, place): (&RedisAddress, usize),
        trust: &Trust,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let layout = &shared.layout;
        let first = board.partitions.first().copied().unwrap_or_default();
        let connector = Connector::new(address, trust, LONGEST_MESSAGE).with_setting("bus.ca_file");
        let server = Server::new(address, layout.slot(first));
        let kind = if board.is_sharded { TopicKind::Sharded } else { TopicKind::Everywhere };
        let subscriber = TopicSubscriber::new(connector.clone(), kind);
        let written = (layout.layout_key(), layout.layout_value(place));
        let wire = Wire::new(server, connector, written, layout.layout_slot());
        let mut topics = Topics::new(Arc::clone(layout));
        let is_first = board.partitions.contains(&0);
        if is_first {
            topics.want(TopicMeaning::Control);
            topics.want(TopicMeaning::Node(Arc::clone(&shared.key)));
        }
        let (sender, notes) = mpsc::channel(MOST_NOTES);
        let host = watch::Sender::new(None);
        let brought = Arc::new(BroughtDeltas::default());
        let (workers, counters) = (shared.workers.clone(), Arc::clone(&shared.counters));
        let ear = Ear::new(topics.meanings(), workers, counters, sender, Arc::clone(&brought));
        let hearing = (host.subscribe(), topics.wanted());
        let listening = subscriber::run(subscriber, Arc::clone(board), hearing, ear);
        let settings = MachineSettings {
            node: Arc::clone(&shared.key),
            layout: Arc::clone(layout),
            lease: shared.lease,
            settling: shared.settling,
            checked: CHECKED,
            seed: shared.node.id ^ u64::from(first),
            frame_of: crate::message::frame_of,
        };
        let link = Self {
            shared: Arc::clone(shared),
            board: Arc::clone(board),
            machine: Machine::new(settings, board.partitions.iter().copied()),
            wire,
            topics,
            notes,
            deltas: 0,
            brought,
            host,
            is_subscribed: false,
            refused: BTreeSet::new(),
            waiting: Commands::default(),
            questions: Questions::default(),
            numbers: TopicNumbers::default(),
            digests: Digests::default(),
            begun: 0,
            epochs: 0,
            roll: is_first.then(Roll::new),
            ending: None,
        };
        (link, listening)
    }

    /// Runs until the node ends.
    pub async fn run(mut self) {
        loop {
            let (wake, began) = (self.wakes_at(), Instant::now());
            tokio::select! {
                event = self.wire.next() => self.wire_event(event),
                Some(note) = self.notes.recv() => self.notes(note),
                () = self.board.inbox.rung() => {}
                () = self.board.events.rung(), if self.wire.has_room() => {}
                () = sleep_until(wake) => self.machine.tick(self.shared.now()),
            }
            if began.elapsed() > STANDSTILL {
                // The process stood still: Redis may have dropped what it had for this node.
                self.board.note_loss();
            }
            self.inbox();
            self.turn();
            if self.is_ended() {
                break;
            }
        }
        self.board.set_why("this node has ended");
        self.board.set_up(false);
    }

    fn wakes_at(&self) -> Instant {
        let roll = self
            .roll
            .as_ref()
            .filter(|_| self.wire.has_room())
            .map_or(u64::MAX, |roll| roll.next(&self.shared));
        let expiry = if self.wire.is_up() { u64::MAX } else { self.shared.now() + 250 };
        // Far ahead is as good as never.
        let next = self.machine.next().min(roll).min(expiry).min(self.shared.now() + 1000);
        self.shared.start + Duration::from_millis(next)
    }

    fn wire_event(&mut self, event: WireEvent<Vec<Asked>>) {
        let now = self.shared.now();
        match event {
            WireEvent::Up { host, about, digests } => {
                tracing::debug!(target: "fanfare::bus", redis = self.board.redis, %host, "connected");
                self.board.set_warning(&host, about.warning);
                self.board.set_digests(&digests.usage, &digests.once);
                self.digests = digests;
                self.host.send_if_modified(|at| {
                    let is_other = at.as_ref() != Some(&host);
                    *at = Some(host);
                    is_other
                });
                self.machine.connected(now, &self.board.partitions);
            }
            WireEvent::Answered { with, values, took } => {
                self.shared.counters.took(took);
                self.board.set_round_trip(took);
                self.answers(now, with, values);
            }
            WireEvent::Lost { error, in_flight } => {
                self.shared.counters.lost.add(1);
                self.board.note_loss();
                let events = in_flight.iter().flatten().map(Asked::events).sum();
                self.shared.counters.dropped_link.add(events);
                if error.is_elsewhere() {
                    self.shared.counters.moved.add(1);
                    self.host.send_replace(None);
                }
                self.board.set_why(error.to_string());
                self.shared.counters.dropped_link.add(self.waiting.drop_all() as u64);
                self.questions.drop_all();
                self.machine.lost(now, &self.board.partitions);
            }
            WireEvent::Failed(error) => {
                if error.is_elsewhere() {
                    self.host.send_replace(None);
                }
                self.board.set_why(error.to_string());
            }
        }
    }

    /// Sends a command whose answer nobody waits for.
    fn say(&mut self, command: Cmd) {
        self.questions.push(Asking::new(vec![command], None, None));
    }

    /// Takes a note, and others that wait.
    fn notes(&mut self, note: Note) {
        let now = self.shared.now();
        self.note(now, note);
        for _ in 0..MOST_NOTES_AT_ONCE {
            let Ok(note) = self.notes.try_recv() else { break };
            self.note(now, note);
        }
    }

    fn note(&mut self, now: u64, note: Note) {
        match note {
            Note::Ready => self.is_subscribed = true,
            Note::Confirmed(name) => {
                self.refused.remove(&name);
                if let Some(TopicMeaning::App(topic)) = self.topics.confirm(&name) {
                    self.machine.subscribed(now, &[topic]);
                }
            }
            Note::Ended(name) => {
                self.refused.remove(&name);
                self.topics.end(&name);
            }
            Note::Delta(topic, delta) => {
                self.deltas += 1;
                self.machine.heard(now, &topic, delta);
            }
            Note::Hooks(partition) => self.machine.hooks_due(now, partition),
            Note::Refused(name, error) => {
                if self.topics.refuse(&name) {
                    self.refused.insert(name);
                    self.board.set_why(error.to_string());
                } else {
                    self.refused.remove(&name);
                }
            }
            Note::Lost(error) => {
                if self.is_subscribed {
                    self.shared.counters.subscriptions_lost.add(1);
                }
                // Where the link itself went elsewhere, the cause is said already.
                if error != RedisError::Moved && (self.is_subscribed || self.wire.is_up()) {
                    self.board.set_why(format!("the subscription: {error}"));
                }
                self.is_subscribed = false;
                self.refused.clear();
                self.topics.lose();
                self.machine.subscription_lost(now, &self.board.partitions);
            }
        }
    }

    fn inbox(&mut self) {
        let now = self.shared.now();
        for told in self.board.inbox.take() {
            match told {
                Told::Changes(app, changes) => {
                    for change in changes {
                        self.machine.change(now, &app, change);
                    }
                }
                Told::Snapshot(app, snapshot) => self.machine.reset(now, &app, snapshot),
                Told::Question(question) if self.wire.is_up() => self.questions.push(question),
                // Dropped, which its asker hears.
                Told::Question(_) => {}
                Told::HooksSent(partition, entries) => self.machine.hooks_sent(now, partition, &entries),
                Told::End(ended) => {
                    self.board.end();
                    self.machine.end(now);
                    if self.roll.take().is_some() {
                        self.say(Roll::goodbye(&self.shared.layout, &self.shared.key));
                    }
                    self.ending = Some(ended);
                }
            }
        }
    }

    /// Brings to the node what the machine says, and sends what there is to send.
    fn turn(&mut self) {
        let out = self.machine.take();
        self.bring(out);
        self.brought.set(self.deltas);
        let begun = self.machine.numbers().epochs;
        if std::mem::replace(&mut self.begun, begun) != begun {
            self.wire.renew_layout();
        }
        if self.wire.is_up() {
            while self.wire.has_room() && self.send() {}
        } else {
            let dropped = self.waiting.drop_all() + self.board.events.expire();
            if dropped > 0 {
                self.board.note_loss();
            }
            self.shared.counters.dropped_link.add(dropped as u64);
        }
        let has_leases = self.board.partitions.iter().all(|partition| self.machine.is_up(*partition));
        let hears = self.is_subscribed && self.refused.is_empty();
        self.board.set_up(self.wire.is_up() && hears && has_leases);
        self.board.set_numbers(self.machine.numbers());
    }

    /// The questions of the next pipeline: what they wait for goes before.
    fn ready_questions(&mut self, now: u64) -> Vec<Asking> {
        if self.questions.is_empty() {
            return Vec::new();
        }
        let machine = &mut self.machine;
        // Where changes never end, an answer that lacks the last of them is better than none.
        let ready = self.questions.take(|question| {
            let is_behind = question.behind.as_ref().is_none_or(|app| machine.flush(now, app));
            is_behind || question.since.elapsed() > FOR_OWN_PART
        });
        let out = self.machine.take();
        self.bring(out);
        ready
    }

    /// Sends a pipeline; false if there was nothing to send.
    fn send(&mut self) -> bool {
        let (now, mut events) = (self.shared.now(), Vec::new());
        let ready = self.ready_questions(now);
        self.board.events.take(MOST_EVENTS.0, MOST_EVENTS.1, &mut events);
        let commands = self.waiting.take();
        let roll = self.roll.as_mut().and_then(|roll| roll.commands(now, &self.shared));
        // Asked behind every pipeline: what follows costs more than a look.
        if events.is_empty() && commands.is_empty() && ready.is_empty() && roll.is_none() {
            return false;
        }
        self.epochs += 1;
        let fresh = format!("{}-{}", self.shared.key, self.epochs);
        let speaker = self.shared.speaker(self.board.is_sharded, "", &fresh);
        let mut batch = Batch::new(&speaker, &self.digests, &mut self.numbers, self.shared.node.id);
        batch.events(events);
        for (token, command) in commands {
            batch.command(token, command);
        }
        for question in ready {
            batch.question(question);
        }
        if let Some(commands) = roll {
            batch.roll(commands);
        }
        let Batch { pipeline, asked, .. } = batch;
        self.wire.send(pipeline, asked);
        true
    }

    /// Whether the node has ended, and everything was said.
    fn is_ended(&mut self) -> bool {
        let is_quiet = self.waiting.is_empty() && self.wire.is_idle() && self.board.events.held().0 == 0;
        let is_ended = self.ending.is_some() && (is_quiet || !self.wire.is_up());
        if is_ended && let Some(ended) = self.ending.take() {
            // Whoever ends the node may have gone on.
            let _ = ended.send(());
        }
        is_ended
    }
}
