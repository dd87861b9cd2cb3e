//! Four workers that bring what was heard to the node: a partition has one worker, so the order in a channel stays.
//!
//! Bounded in bytes; over the bound the reader waits, and reads nothing. An event of a presence channel waits for the
//! changes of members that were heard before (`behind`).

mod behind;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::resume::tag_of;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(crate) use self::behind::{Behind, BroughtDeltas};
use crate::counters::BusCounters;
use crate::local::{HeardEvent, HeardKept, HeardMissed, Local, MissedNews};
use crate::message::{
    CameBackNote, EventKind, EventMessage, FLAG_QUIET, Message, MissedQuestion, NodeAnswerText,
    NodeQuestionText, ReachAnswer, Unreadable, frame, read_answer, read_part, read_tap, write_answer,
};
use crate::partition::{Partition, Topic};
use crate::reaching::Reaching;

/// Workers.
const WORKERS: usize = 4;

/// Most bytes that wait for a worker, with what a message costs beside its bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Most messages that are brought before other tasks have their turn.
const MOST_AT_ONCE: usize = 256;

/// What a message costs beside its bytes.
const COST: usize = 128;

/// Most publishers whose numbers a worker keeps; over that all are forgotten, and gaps in between are not counted.
const MOST_PUBLISHERS: usize = 100_000;

/// A message that was heard.
pub(crate) struct Heard {
    /// `None`: what concerns every node.
    pub topic: Option<Topic>,
    pub payload: Vec<u8>,
    /// Changes that were heard before and not brought to the node then.
    pub behind: Option<Behind>,
}

impl Heard {
    /// Whether the event is of a channel whose members are told of each other.
    fn is_among_members(&self) -> bool {
        let is_presence = |event: &EventMessage<'_>| event.channel.starts_with("presence-");
        match Message::read(&self.payload) {
            Ok(Message::Event(event) | Message::Kept { event, .. }) => is_presence(&event),
            Err(_) => false,
        }
    }

    fn cost(&self) -> usize {
        self.payload.len() + COST
    }
}

/// The queues of all workers.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<[Queue; WORKERS]>);

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    bell: Notify,
    room: Notify,
}

#[derive(Default)]
struct Waiting {
    heard: VecDeque<Heard>,
    bytes: usize,
    is_ended: bool,
}

impl Workers {
    fn of(&self, partition: Partition) -> Option<&Queue> {
        self.0.get(usize::from(partition) % WORKERS)
    }

    /// Queues a message, whether there is room or not: the caller waits for [`Workers::room`] then.
    pub fn push(&self, heard: Heard) {
        let partition = heard.topic.as_ref().map_or(0, |topic| topic.partition);
        let Some(queue) = self.of(partition) else { return };
        let mut waiting = queue.waiting.lock();
        waiting.bytes += heard.cost();
        waiting.heard.push_back(heard);
        let is_first = waiting.heard.len() == 1;
        drop(waiting);
        if is_first {
            queue.bell.notify_one();
        }
    }

    /// Returns when the partition's worker has room.
    pub async fn room(&self, partition: Partition) {
        let Some(queue) = self.of(partition) else { return };
        loop {
            let freed = queue.room.notified();
            {
                let waiting = queue.waiting.lock();
                if waiting.bytes <= MOST_BYTES || waiting.is_ended {
                    return;
                }
            }
            freed.await;
        }
    }

    /// Bytes that wait for all workers.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|queue| queue.waiting.lock().bytes).sum()
    }

    /// Ends the workers behind what they have.
    pub fn end(&self) {
        for queue in &*self.0 {
            queue.waiting.lock().is_ended = true;
            queue.bell.notify_one();
            queue.room.notify_waiters();
        }
    }

    /// What each worker's task is to run.
    pub fn tasks(
        &self,
        node: u64,
        local: &Arc<dyn Local>,
        counters: &Arc<BusCounters>,
        reaching: &Arc<Reaching>,
    ) -> Vec<impl Future<Output = ()> + Send + 'static> {
        let worker = |at| {
            let workers = self.clone();
            let teller = Teller {
                node,
                local: Arc::clone(local),
                counters: Arc::clone(counters),
                reaching: Arc::clone(reaching),
                name: String::new(),
                numbers: HashMap::new(),
            };
            async move { workers.run(at, teller).await }
        };
        (0..WORKERS).map(worker).collect()
    }

    async fn run(&self, at: usize, mut teller: Teller) {
        let Some(queue) = self.0.get(at) else { return };
        let mut taken = VecDeque::new();
        loop {
            if taken.is_empty() {
                let is_ended = {
                    let mut waiting = queue.waiting.lock();
                    std::mem::swap(&mut waiting.heard, &mut taken);
                    waiting.is_ended
                };
                match (taken.is_empty(), is_ended) {
                    (true, true) => return,
                    (true, false) => {
                        queue.bell.notified().await;
                        continue;
                    }
                    (false, _) => {}
                }
            }
            for mut heard in std::iter::from_fn(|| taken.pop_front()).take(MOST_AT_ONCE) {
                if let Some(behind) = heard.behind.take().filter(|_| heard.is_among_members()) {
                    behind.wait().await;
                }
                let cost = heard.cost();
                teller.tell(heard);
                let mut waiting = queue.waiting.lock();
                let was_full = waiting.bytes > MOST_BYTES;
                waiting.bytes -= cost;
                if was_full && waiting.bytes <= MOST_BYTES {
                    queue.room.notify_waiters();
                }
            }
            // A long queue is no reason to keep others from this thread.
            tokio::task::yield_now().await;
        }
    }
}

/// Reads messages, and brings them to the node.
struct Teller {
    node: u64,
    local: Arc<dyn Local>,
    counters: Arc<BusCounters>,
    reaching: Arc<Reaching>,
    /// The name of an event's channel; kept for its memory.
    name: String,
    /// The last number of each publisher in each topic.
    numbers: HashMap<(u64, Topic), u32>,
}

impl Teller {
    fn tell(&mut self, heard: Heard) {
        match (Message::read(&heard.payload), &heard.topic) {
            (Ok(Message::Event(event)), Some(topic)) if event.node == self.node => self.own(topic, &event),
            (Ok(Message::Event(event)), Some(topic)) if event.kind == EventKind::AskReach => {
                self.number(topic, &event);
                self.asked(topic, &event);
            }
            (Ok(Message::Event(event)), Some(topic)) if event.kind == EventKind::AskMissed => {
                self.number(topic, &event);
                self.asked_missed(topic, &event);
            }
            (Ok(Message::Event(event)), Some(topic)) if event.kind == EventKind::Missed => {
                self.number(topic, &event);
                self.heard_missed(topic, &event);
            }
            (Ok(Message::Event(event)), Some(topic)) => {
                self.number(topic, &event);
                self.name.clear();
                self.name.push_str(event.channel);
                let (except, node) = (event.except, event.node);
                let start = heard.payload.len() - event.text.len();
                // The message's memory is the frame's: the text is not copied.
                let frame = Frame::text_within(heard.payload, start);
                let event = HeardEvent { app: &topic.app, channel: &self.name, except, frame: &frame, node };
                self.local.event(event);
            }
            (Ok(Message::Kept { version, event }), Some(topic)) => self.kept(topic, version, &event),
            (Ok(Message::Event(event)), None) => self.control(&event),
            (Ok(Message::Kept { .. }), None) | (Err(Unreadable::Malformed), _) => {
                self.counters.malformed.add(1)
            }
            (Err(Unreadable::Version(_) | Unreadable::Kind(_)), _) => self.counters.unknown.add(1),
        }
    }

    /// Another node asks whom the event that it has just sent has reached here.
    fn asked(&self, topic: &Topic, event: &EventMessage<'_>) {
        let Ok(question) = event.text.try_into().map(u64::from_be_bytes) else {
            return self.counters.malformed.add(1);
        };
        let reach = self.local.reach(&topic.app, event.channel, event.except);
        self.reaching.answer(ReachAnswer { to: event.node, question, reach });
    }

    /// A message of this node has come back: of interest is only the place of a question among what others have sent.
    fn own(&self, topic: &Topic, event: &EventMessage<'_>) {
        if event.kind == EventKind::AskMissed
            && let Some(question) = MissedQuestion::read(event.text, event.except)
        {
            let (newcomer, question) = (question.asked.newcomer, question.number);
            let heard = HeardMissed { newcomer, question, news: MissedNews::Asked };
            self.local.heard_missed((&topic.app, event.channel), heard);
        }
    }

    /// Another node asks what a client has missed, perhaps of this node.
    fn asked_missed(&self, topic: &Topic, event: &EventMessage<'_>) {
        let Some(question) = MissedQuestion::read(event.text, event.except) else {
            return self.counters.malformed.add(1);
        };
        if question.asked.token.tag() != tag_of(self.node) {
            return;
        }
        self.local.missed((&topic.app, event.channel), question.asked, &mut |found| {
            let answer = write_answer(event.node, question.number, found);
            let Some(text) = answer.or_else(|| write_answer(event.node, question.number, None)) else {
                return;
            };
            let (except, channel) = (Some(question.asked.newcomer), event.channel);
            let (kind, node) = (EventKind::Missed, self.node);
            let message = EventMessage { kind, flags: 0, node, number: 0, except, channel, text: &text };
            self.reaching.answer_missed(topic, message.write());
        });
    }

    /// A node has answered what a client has missed, perhaps this node.
    fn heard_missed(&self, topic: &Topic, event: &EventMessage<'_>) {
        let Some(((to, question, found), newcomer)) = read_answer(event.text).zip(event.except) else {
            return self.counters.malformed.add(1);
        };
        if to == self.node {
            let news = MissedNews::Answered(event.node, found);
            self.local.heard_missed((&topic.app, event.channel), HeardMissed { newcomer, question, news });
        }
    }

    fn kept(&mut self, topic: &Topic, version: u64, event: &EventMessage<'_>) {
        let is_own = event.node == self.node;
        if !is_own {
            self.number(topic, event);
        }
        let EventKind::Kept { milliseconds } = event.kind else { return };
        self.local.kept(HeardKept {
            app: topic.app.clone(),
            channel: ChannelName::trusted(event.channel),
            version,
            is_own,
            except: event.except,
            quiet: event.flags & FLAG_QUIET != 0,
            lives: Duration::from_millis(milliseconds),
            frame: frame(event.text),
        });
    }

    fn control(&self, event: &EventMessage<'_>) {
        if event.node == self.node {
            return;
        }
        if event.kind == EventKind::Reach {
            return match ReachAnswer::read(event.text) {
                Some(answer) if answer.to == self.node => self.reaching.heard(answer),
                Some(_) => {}
                None => self.counters.malformed.add(1),
            };
        }
        let app = AppId::from(event.channel);
        if matches!(event.kind, EventKind::AskNodes | EventKind::NodeAnswer) {
            return self.between_nodes(&app, event);
        }
        if event.kind == EventKind::CameBack {
            return match CameBackNote::read(event.text) {
                Some(CameBackNote { token, newcomer }) if token.tag() == tag_of(self.node) => {
                    self.local.came_back(&app, token, newcomer);
                }
                Some(_) => {}
                None => self.counters.malformed.add(1),
            };
        }
        if matches!(event.kind, EventKind::Tap | EventKind::TapPart) {
            return self.about_taps(&app, event);
        }
        match (event.kind, std::str::from_utf8(event.text)) {
            (EventKind::CloseUser, Ok(user)) => self.local.close_user(&app, &UserId::from(user)),
            (EventKind::AppChanged, _) => self.local.app_changed(&app),
            _ => self.counters.malformed.add(1),
        }
    }

    /// A question to all nodes, or the answer to one.
    fn between_nodes(&self, app: &AppId, event: &EventMessage<'_>) {
        let questions = &self.reaching.of_nodes;
        if event.kind == EventKind::AskNodes {
            return match NodeQuestionText::read(event.text) {
                Some(asked) => questions.answer(&*self.local, (event.node, app), asked),
                None => self.counters.malformed.add(1),
            };
        }
        match NodeAnswerText::read(event.text) {
            Some(answer) if answer.to == self.node => questions.heard(event.node, &answer),
            Some(_) => {}
            None => self.counters.malformed.add(1),
        }
    }

    /// A tap of another node, or what another node has seen for one of this node.
    fn about_taps(&self, app: &AppId, event: &EventMessage<'_>) {
        let is_read = if event.kind == EventKind::Tap {
            read_tap(event.node, event.text).map(|tap| self.local.tap(app, tap))
        } else {
            read_part(event.node, event.text).map(|part| self.local.tap_part(part))
        };
        if is_read.is_none() {
            self.counters.malformed.add(1);
        }
    }

    /// Counts what was missed between two messages of one publisher. A number that is not greater begins anew.
    fn number(&mut self, topic: &Topic, event: &EventMessage<'_>) {
        self.counters.heard.add(1);
        if self.numbers.len() >= MOST_PUBLISHERS {
            self.numbers.clear();
        }
        let last = self.numbers.insert((event.node, topic.clone()), event.number);
        if let Some(missed) = last.and_then(|last| event.number.checked_sub(last)?.checked_sub(1)) {
            self.counters.missed.add(missed.into());
        }
    }
}

#[cfg(test)]
mod tests;
