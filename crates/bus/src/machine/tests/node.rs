//! A node: hub and machine, what is on its way between them, and to and from Redis.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::cluster::ClusterOutcome;
use fanfare_protocol::ids::AppId;

use super::hub::Hub;
use super::store::{LEASE, Published, SETTLING};
use crate::command::{BusAnswer, BusCommand, NodeName, Token};
use crate::local::HookBatch;
use crate::machine::mistakes::Mistake;
use crate::machine::{Machine, MachineSettings};
use crate::partition::{Layout, Partition, Topic};

/// What the machine has said to the node, in order.
pub enum Said {
    ClusterOutcome(AppId, ClusterOutcome),
    Live(AppId, Partition, bool),
    Hooks(HookBatch),
    StopHooks(Partition),
}

/// What comes over the subscriber's connection.
#[derive(Debug)]
pub enum Heard {
    Subscribed(Topic),
    Published(Published),
}

pub struct Node {
    pub name: NodeName,
    pub hub: Hub,
    pub machine: Machine,
    pub is_up: bool,
    pub is_paused: bool,
    pub is_connected: bool,
    pub flying: VecDeque<(Token, BusCommand)>,
    pub replies: VecDeque<(Token, BusAnswer)>,
    pub said: VecDeque<Said>,
    pub heard: VecDeque<Heard>,
    pub to_subscribe: VecDeque<Topic>,
    pub subscribed: BTreeSet<Topic>,
    pub listens: BTreeSet<Partition>,
    /// Webhooks that were handed over.
    pub hooks: VecDeque<HookBatch>,
    /// Webhooks that receivers have got; that is still to be said.
    pub sent: VecDeque<HookBatch>,
    hellos: BTreeMap<Token, Partition>,
    /// The data that this node has its lease in, by partition.
    pub data: BTreeMap<Partition, String>,
    pub partitions: Vec<Partition>,
}

impl Node {
    pub fn new(name: &str, layout: &Layout, seed: u64, mistakes: &[Mistake], hub: Hub) -> Self {
        let settings = MachineSettings {
            node: name.into(),
            layout: Arc::new(layout.clone()),
            lease: Duration::from_millis(LEASE),
            settling: Duration::from_millis(SETTLING),
            checked: Duration::from_secs(240),
            seed,
            frame_of: |message| {
                Some(fanfare_protocol::frame::Frame::text(0, |out| out.extend_from_slice(message)))
            },
        };
        let partitions: Vec<Partition> = (0..layout.partitions()).collect();
        let mut machine = Machine::new(settings, partitions.iter().copied());
        machine.core.mistakes = mistakes.to_vec();
        Self {
            name: name.into(),
            hub,
            machine,
            is_up: true,
            is_paused: false,
            is_connected: false,
            flying: VecDeque::new(),
            replies: VecDeque::new(),
            said: VecDeque::new(),
            heard: VecDeque::new(),
            to_subscribe: VecDeque::new(),
            subscribed: BTreeSet::new(),
            listens: BTreeSet::new(),
            hooks: VecDeque::new(),
            sent: VecDeque::new(),
            hellos: BTreeMap::new(),
            data: BTreeMap::new(),
            partitions,
        }
    }

    /// The term of what the node knows to be told; 0 for nothing.
    pub fn term(&self, partition: Partition) -> u64 {
        let sender = &self.machine.parts[&partition].sender;
        let known = [&sender.knowledge, &sender.old, &sender.stopped];
        known.into_iter().flatten().map(|knowledge| knowledge.term).max().unwrap_or(0)
    }

    /// What a move is about, for a trace.
    pub fn preview(&self, which: usize) -> String {
        match which {
            0 => format!("{} changes {:?}", self.name, self.hub.changes.front()),
            2 => format!("{} is answered {:?}", self.name, self.replies.front()),
            4 => format!("{} hears {:?}", self.name, self.heard.front()),
            5 => format!("{} subscribes {:?}", self.name, self.to_subscribe.front()),
            _ => String::new(),
        }
    }

    /// Takes what the machine has to say.
    pub fn collect(&mut self) {
        let out = self.machine.take();
        for (token, command) in out.commands {
            if let BusCommand::Hello { partition, .. } = command {
                self.hellos.insert(token, partition);
            }
            self.flying.push_back((token, command));
        }
        self.said.extend(out.outcomes.into_iter().map(|(app, outcome)| Said::ClusterOutcome(app, outcome)));
        self.said.extend(out.live.into_iter().map(|(app, partition, live)| Said::Live(app, partition, live)));
        self.said.extend(out.stop_hooks.into_iter().map(Said::StopHooks));
        self.said.extend(out.hooks.into_iter().map(Said::Hooks));
        self.to_subscribe.extend(out.subscribe);
        for topic in out.unsubscribe {
            self.subscribed.remove(&topic);
            self.to_subscribe.retain(|other| *other != topic);
        }
        for (partition, listens) in out.listen_hooks {
            if listens {
                self.listens.insert(partition)
            } else {
                self.listens.remove(&partition)
            };
        }
    }

    pub fn connect(&mut self, now: u64) {
        self.is_connected = true;
        self.machine.connected(now, &self.partitions.clone());
        if self.to_subscribe.is_empty() && self.subscribed.is_empty() {
            self.to_subscribe = self.machine.wanted().collect();
        }
        self.collect();
    }

    /// Both connections are lost.
    pub fn cut(&mut self, now: u64) {
        self.is_connected = false;
        self.flying.clear();
        self.replies.clear();
        self.machine.lost(now, &self.partitions.clone());
        self.collect();
        self.lose_subscription(now);
    }

    pub fn lose_subscription(&mut self, now: u64) {
        self.heard.clear();
        self.subscribed.clear();
        self.machine.subscription_lost(now, &self.partitions.clone());
        self.collect();
        self.to_subscribe = self.machine.wanted().collect();
    }

    pub fn subscribe(&mut self) {
        if let Some(topic) = self.to_subscribe.pop_front() {
            self.subscribed.insert(topic.clone());
            self.heard.push_back(Heard::Subscribed(topic));
        }
    }

    pub fn publish(&mut self, message: &Published) {
        let is_mine = match message {
            Published::Delta(topic, _) | Published::Kept(topic, ..) => self.subscribed.contains(topic),
            Published::Hooked(partition) => self.is_connected && self.listens.contains(partition),
        };
        if self.is_up && is_mine {
            self.heard.push_back(Heard::Published(message.clone()));
        }
    }

    pub fn hear(&mut self, now: u64) {
        match self.heard.pop_front() {
            Some(Heard::Subscribed(topic)) => self.machine.subscribed(now, &[topic]),
            Some(Heard::Published(Published::Delta(topic, delta))) => self.machine.heard(now, &topic, delta),
            Some(Heard::Published(Published::Hooked(partition))) => self.machine.hooks_due(now, partition),
            Some(Heard::Published(Published::Kept(..))) | None => {}
        }
        self.collect();
    }

    pub fn answer(&mut self, now: u64, data: &str) {
        if let Some((token, answer)) = self.replies.pop_front() {
            if let Some(partition) = self.hellos.remove(&token) {
                self.data.insert(partition, data.to_owned());
            }
            self.machine.answered(now, token, answer);
            self.collect();
        }
    }

    pub fn change(&mut self, now: u64) {
        if let Some((app, change)) = self.hub.changes.pop_front() {
            self.machine.change(now, &app, change);
            self.collect();
        }
    }

    pub fn tick(&mut self, now: u64) {
        if self.is_up {
            self.machine.tick(now);
            self.collect();
        }
    }
}
