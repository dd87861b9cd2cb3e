//! Machines without hubs, on a store in memory that answers at once: for one rule at a time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{Change, ClusterOutcome, CopyId, Joined, Telling, Ticket};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::{AppId, UserId};

use super::store::{LEASE, Memory, Published, SETTLING, Store as _};
use crate::command::{BusAnswer, BusCommand, NodeName, Token};
use crate::local::HookBatch;
use crate::machine::{Machine, MachineSettings, Out};
use crate::partition::{Layout, Partition, Topic};

/// A machine, and what it has said.
pub struct Bare {
    pub name: NodeName,
    pub machine: Machine,
    pub outcomes: Vec<ClusterOutcome>,
    pub hooks: Vec<HookBatch>,
    pub live: Vec<bool>,
    pub stopped: Vec<Partition>,
    /// Channels whose roster was wrong.
    pub mended: Vec<ChannelName>,
    /// Commands that were sent and not executed.
    pub flying: VecDeque<(Token, BusCommand)>,
    /// Everything that was sent, by its name.
    pub sent: Vec<BusCommand>,
    pub subscribed: BTreeSet<Topic>,
    pub subscribes: bool,
    pub listens: bool,
}

/// Several machines on one store.
pub struct Rig {
    pub now: u64,
    pub store: Memory,
    pub nodes: Vec<Bare>,
    pub app: AppId,
}

impl Rig {
    /// Connected nodes in an epoch that is not young any more.
    pub fn settled(nodes: usize) -> Self {
        let mut rig = Self::young(nodes);
        rig.pass(SETTLING + 2_000);
        for node in &mut rig.nodes {
            node.outcomes.clear();
            node.sent.clear();
        }
        rig
    }

    /// Connected nodes in a new epoch.
    pub fn young(nodes: usize) -> Self {
        let mut store = Memory::new(&[]);
        store.clear("r0".to_owned());
        let nodes = (1..=nodes).map(|number| Bare::new(&format!("n{number}"), number as u64)).collect();
        let mut rig = Self { now: 1_000_000, store, nodes, app: AppId::from("a") };
        for node in &mut rig.nodes {
            node.machine.connected(rig.now, &[0]);
        }
        rig.run();
        rig
    }

    pub fn change(&mut self, at: usize, change: Change) {
        let (now, app) = (self.now, self.app.clone());
        self.nodes[at].machine.change(now, &app, change);
    }

    pub fn open(&mut self, at: usize, name: &str, copy: CopyId) {
        self.change(at, Change::Opened { channel: channel(name), copy });
    }

    pub fn join(&mut self, at: usize, name: &str, user: &str, ticket: Ticket) {
        self.change(at, Change::Joined(joined(name, user, ticket)));
    }

    pub fn leave(&mut self, at: usize, name: &str, user: &str, ticket: Ticket) {
        self.change(at, Change::Left { channel: channel(name), user: UserId::from(user), ticket });
    }

    pub fn count(&mut self, at: usize, name: &str, count: usize, told: Telling) {
        self.change(at, Change::Counted { channel: channel(name), count, told, hooked: true });
    }

    /// Executes everything until nobody has anything to say.
    pub fn run(&mut self) {
        loop {
            let mut is_busy = false;
            for at in 0..self.nodes.len() {
                let out = self.nodes[at].machine.take();
                self.nodes[at].note(self.now, out);
                while self.execute(at) {
                    is_busy = true;
                }
            }
            if !is_busy {
                return;
            }
        }
    }

    /// Executes a node's next command, and brings the answer and what was published.
    pub fn execute(&mut self, at: usize) -> bool {
        let Some((token, command)) = self.nodes[at].flying.pop_front() else { return false };
        let name = self.nodes[at].name.clone();
        let answer = self.store.execute(self.now, &name, &command);
        self.answer(at, token, answer);
        for message in self.store.published() {
            self.hear(&message);
        }
        true
    }

    pub fn answer(&mut self, at: usize, token: Token, answer: BusAnswer) {
        let now = self.now;
        self.nodes[at].machine.answered(now, token, answer);
        let out = self.nodes[at].machine.take();
        self.nodes[at].note(now, out);
    }

    fn hear(&mut self, message: &Published) {
        let now = self.now;
        for node in &mut self.nodes {
            match message {
                Published::Delta(topic, delta) if node.subscribed.contains(topic) => {
                    node.machine.heard(now, topic, delta.clone());
                }
                Published::Hooked(partition) if node.listens => node.machine.hooks_due(now, *partition),
                _ => {}
            }
            let out = node.machine.take();
            node.note(now, out);
        }
    }

    /// Lets time pass, as the link does.
    pub fn pass(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while self.now < end {
            self.now = (self.now + 50).min(end);
            for node in &mut self.nodes {
                node.machine.tick(self.now);
            }
            self.run();
        }
    }

    /// Lets time pass for one node alone.
    pub fn pass_one(&mut self, at: usize, milliseconds: u64) {
        self.now += milliseconds;
        self.nodes[at].machine.tick(self.now);
        let out = self.nodes[at].machine.take();
        self.nodes[at].note(self.now, out);
        while self.execute(at) {}
    }

    /// What a node has said since the last call.
    pub fn said(&mut self, at: usize) -> Vec<ClusterOutcome> {
        std::mem::take(&mut self.nodes[at].outcomes)
    }
}

impl Bare {
    fn new(name: &str, seed: u64) -> Self {
        let settings = MachineSettings {
            node: name.into(),
            layout: Arc::new(Layout::new("t:", 1)),
            lease: Duration::from_millis(LEASE),
            settling: Duration::from_millis(SETTLING),
            checked: Duration::from_secs(240),
            seed,
            frame_of: |message| Some(Frame::text(0, |out| out.extend_from_slice(message))),
        };
        Self {
            name: name.into(),
            machine: Machine::new(settings, [0]),
            outcomes: Vec::new(),
            hooks: Vec::new(),
            live: Vec::new(),
            stopped: Vec::new(),
            mended: Vec::new(),
            flying: VecDeque::new(),
            sent: Vec::new(),
            subscribed: BTreeSet::new(),
            subscribes: true,
            listens: false,
        }
    }

    pub fn note(&mut self, now: u64, out: Out) {
        self.sent.extend(out.commands.iter().map(|(_, command)| command.clone()));
        self.flying.extend(out.commands);
        self.outcomes.extend(out.outcomes.into_iter().map(|(_, outcome)| outcome));
        self.hooks.extend(out.hooks);
        self.live.extend(out.live.into_iter().map(|(.., is_live)| is_live));
        self.stopped.extend(out.stop_hooks);
        self.mended.extend(out.mended.into_iter().map(|(_, channel)| channel));
        for topic in out.unsubscribe {
            self.subscribed.remove(&topic);
        }
        for (_, listens) in out.listen_hooks {
            self.listens = listens;
        }
        if self.subscribes && !out.subscribe.is_empty() {
            self.subscribed.extend(out.subscribe.iter().cloned());
            self.machine.subscribed(now, &out.subscribe);
            let out = self.machine.take();
            self.note(now, out);
        }
    }
}

pub fn channel(name: &str) -> ChannelName {
    ChannelName::trusted(name)
}

pub fn joined(name: &str, user: &str, ticket: Ticket) -> Joined {
    Joined { channel: channel(name), user: UserId::from(user), info: None, ticket, most: None, hooked: true }
}
