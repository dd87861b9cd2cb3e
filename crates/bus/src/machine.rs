//! A stub.
#![allow(missing_docs, reason = "a stub")]
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::cluster::{Change, Outcome, Snapshot};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::AppId;

use crate::command::{Answer, Command, EntryId, NodeName, Token};
use crate::local::HookBatch;
use crate::partition::{Layout, Partition, Topic};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineNumbers {
    pub fenced: u64,
}

#[derive(Clone)]
pub struct MachineSettings {
    pub node: NodeName,
    pub layout: Arc<Layout>,
    pub lease: Duration,
    pub settling: Duration,
    pub seed: u64,
    pub frame_of: fn(&Bytes) -> Option<Frame>,
}
#[derive(Debug, Default)]
pub struct Out {
    pub commands: Vec<(Token, Command)>,
    pub outcomes: Vec<(AppId, Outcome)>,
    pub subscribe: Vec<Topic>,
    pub unsubscribe: Vec<Topic>,
    pub live: Vec<(AppId, Partition, bool)>,
    pub hooks: Vec<HookBatch>,
    pub stop_hooks: Vec<Partition>,
    pub listen_hooks: Vec<(Partition, bool)>,
}
pub struct Machine {
    s: MachineSettings,
    up: BTreeMap<Partition, bool>,
    topics: BTreeSet<Topic>,
    out: Out,
    t: Token,
    next: u64,
    n: MachineNumbers,
    lease_no: u64,
    asked: BTreeMap<Token, Command>,
}
impl Machine {
    pub fn new(settings: MachineSettings, partitions: impl IntoIterator<Item = Partition>) -> Self {
        Self {
            s: settings,
            up: partitions.into_iter().map(|p| (p, false)).collect(),
            topics: BTreeSet::new(),
            out: Out::default(),
            t: 0,
            next: 0,
            n: MachineNumbers::default(),
            lease_no: 0,
            asked: BTreeMap::new(),
        }
    }
    fn ask(&mut self, c: Command) {
        self.t += 1;
        self.asked.insert(self.t, c.clone());
        self.out.commands.push((self.t, c));
    }
    pub fn connected(&mut self, now: u64, partitions: &[Partition]) {
        self.next = now + 1000;
        self.lease_no += 1;
        for p in partitions {
            self.ask(Command::Hello { partition: *p, generation: self.lease_no });
        }
    }
    pub fn lost(&mut self, _now: u64, partitions: &[Partition]) {
        for p in partitions {
            self.up.insert(*p, false);
        }
        self.asked.clear();
    }
    pub fn subscribed(&mut self, _now: u64, topics: &[Topic]) {
        for t in topics {
            self.out.live.push((t.app.clone(), t.partition, true));
        }
    }
    pub fn subscription_lost(&mut self, _now: u64, _partitions: &[Partition]) {
        for t in &self.topics {
            self.out.live.push((t.app.clone(), t.partition, false));
        }
    }
    pub fn change(&mut self, _now: u64, app: &AppId, change: Change) {
        match change {
            Change::Opened { channel, .. } => {
                let t = self.s.layout.topic(app, &channel);
                if self.topics.insert(t.clone()) {
                    self.out.subscribe.push(t);
                }
            }
            Change::Closed { channel, .. } => {
                let t = self.s.layout.topic(app, &channel);
                if self.topics.remove(&t) {
                    self.out.unsubscribe.push(t);
                }
            }
            Change::Kept(event) => {
                let topic = self.s.layout.topic(app, &event.channel);
                self.ask(Command::Keep { topic, event });
            }
            Change::Counted { channel, count, hooked, .. } => {
                let topic = self.s.layout.topic(app, &channel);
                let op = crate::command::Operation::Count {
                    channel,
                    count,
                    told: crate::command::CountRule::Off,
                    hooked,
                };
                self.ask(Command::Apply {
                    topic,
                    by: crate::command::Actor::Own(self.lease_no),
                    operations: vec![op],
                });
            }
            Change::Joined(j) => {
                let topic = self.s.layout.topic(app, &j.channel);
                let op = crate::command::Operation::Join {
                    channel: j.channel,
                    user: j.user,
                    info: "{}".into(),
                    most: None,
                    hooked: false,
                };
                self.ask(Command::Apply {
                    topic,
                    by: crate::command::Actor::Own(self.lease_no),
                    operations: vec![op],
                });
            }
            _ => {}
        }
    }
    pub fn reset(&mut self, _now: u64, _app: &AppId, _s: Snapshot) {}
    pub fn heard(&mut self, _now: u64, _topic: &Topic, _delta: crate::scripts::Delta) {}
    pub fn hooks_due(&mut self, _now: u64, _p: Partition) {}
    pub fn hooks_sent(&mut self, _now: u64, _p: Partition, _e: &[EntryId]) {}
    pub fn answered(&mut self, _now: u64, token: Token, answer: Answer) {
        match (self.asked.remove(&token), answer) {
            (Some(Command::Hello { partition, .. }), Answer::Hello { .. }) => {
                self.up.insert(partition, true);
            }
            (Some(Command::Beat { partition, .. }), Answer::Fenced) => {
                self.lease_no += 1;
                self.n.fenced += 1;
                self.up.insert(partition, false);
                self.ask(Command::Hello { partition, generation: self.lease_no });
            }
            _ => {}
        }
    }
    pub fn tick(&mut self, now: u64) {
        if now >= self.next {
            self.next = now + 1000;
            for p in self.up.clone().into_iter().filter(|p| p.1).map(|p| p.0) {
                self.ask(Command::Beat { partition: p, generation: self.lease_no });
            }
        }
    }
    pub fn next(&self) -> u64 {
        self.next
    }
    pub fn take(&mut self) -> Out {
        std::mem::take(&mut self.out)
    }
    pub const fn numbers(&self) -> &MachineNumbers {
        &self.n
    }
    pub fn is_up(&self, p: Partition) -> bool {
        self.up.get(&p).copied().unwrap_or(false)
    }
    pub fn end(&mut self, _now: u64) {
        for p in self.up.clone().into_keys() {
            let node = self.s.node.clone();
            self.ask(Command::Bye { partition: p, node, generation: Some(self.lease_no) });
        }
    }
}
