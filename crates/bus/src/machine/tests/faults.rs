//! What goes wrong around nodes.

use super::hub::Stand;
use super::world::{Fault, World};
use crate::command::BusCommand;
use crate::partition::Partition;

impl World {
    pub fn fault(&mut self, fault: Fault) {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_up).collect();
        let at = *self.dice.pick(&up);
        self.say(|| format!("fault {fault:?} n{}", at + 1));
        let now = self.now;
        match fault {
            Fault::Cut => self.nodes[at].cut(now),
            Fault::Zombie => {
                // What was sent over the old connection arrives later, if at all.
                self.keep_zombies(at);
                self.nodes[at].cut(now);
            }
            Fault::SubscriberLost => self.nodes[at].lose_subscription(now),
            Fault::Drop => {
                let deltas = self.nodes[at].heard.len();
                if deltas > 0 {
                    let which = self.dice.below(deltas);
                    // The word that a subscription stands is never lost alone.
                    if let super::node::Heard::Published(_) = self.nodes[at].heard[which] {
                        self.nodes[at].heard.remove(which);
                    }
                }
            }
            Fault::Pause => self.nodes[at].is_paused = !self.nodes[at].is_paused,
            Fault::Crash => self.crash(at),
            Fault::Bye => self.say_goodbye(at),
            Fault::Restart | Fault::Failover => self.replace(fault),
            Fault::Overflow => self.overflow(at),
            Fault::Full => {
                self.is_full = !self.is_full;
                self.store.fill(self.is_full);
            }
        }
        if !self.zombies.is_empty() && self.dice.percent(70) {
            self.run_zombie();
        }
    }

    fn keep_zombies(&mut self, at: usize) {
        let name = self.nodes[at].name.clone();
        let batches =
            self.nodes[at].flying.iter().filter(|(_, command)| matches!(command, BusCommand::Apply { .. }));
        let batches: Vec<_> = batches.map(|(_, command)| (name.clone(), command.clone())).collect();
        self.zombies.extend(batches);
    }

    pub fn run_zombie(&mut self) {
        let (name, command) = self.zombies.remove(0);
        self.execute(&name, &command);
    }

    fn crash(&mut self, at: usize) {
        if self.names >= 6 {
            return;
        }
        for partition in self.nodes[at].partitions.clone() {
            if self.is_alone_in_knowing(at, partition) {
                self.told_lost.insert(partition);
            }
        }
        if self.dice.one_in(2) {
            self.keep_zombies(at);
        }
        self.nodes[at].is_up = false;
        self.end_clients(at);
        self.new_node();
    }

    fn end_clients(&mut self, at: usize) {
        let name = self.nodes[at].name.to_string();
        for client in self.crowd.clients.iter_mut().filter(|client| client.node == name) {
            if client.is_here() {
                client.stand = Stand::Gone;
            }
        }
    }

    /// A node leaves by itself: its clients first, then the machine.
    fn say_goodbye(&mut self, at: usize) {
        if self.names >= 6 || self.nodes[at].is_paused {
            return;
        }
        let name = self.nodes[at].name.to_string();
        let mine: Vec<usize> = self
            .crowd
            .clients
            .iter()
            .filter(|client| client.node == name && client.is_here())
            .map(|client| client.number)
            .collect();
        for client in mine {
            if self.dice.one_in(2) {
                self.nodes[at].hub.leave(&mut self.crowd, client);
            }
        }
        for partition in self.nodes[at].partitions.clone() {
            if self.is_alone_in_knowing(at, partition) {
                self.told_lost.insert(partition);
            }
        }
        while !self.nodes[at].hub.changes.is_empty() {
            self.nodes[at].change(self.now);
        }
        self.nodes[at].machine.end(self.now);
        self.nodes[at].collect();
        while !self.nodes[at].flying.is_empty() {
            self.run_one(at);
        }
        self.had_faults = true;
        self.nodes[at].is_up = false;
        self.end_clients(at);
        self.new_node();
    }

    /// The node is the one that knows what was told, Redis has lost it, and the node has not said so yet.
    fn is_alone_in_knowing(&self, at: usize, partition: Partition) -> bool {
        let node = &self.nodes[at];
        let sender = &node.machine.parts[&partition].sender;
        let is_present = node.data.get(&partition) == Some(&self.data);
        let old =
            sender.old.iter().chain(&sender.stopped).chain(sender.knowledge.iter().filter(|_| !is_present));
        let stated = self.stated.get(&partition).copied().unwrap_or(0);
        let is_told = |command: &BusCommand| matches!(command, BusCommand::Told { partition: of, .. } if *of == partition);
        let is_under_way = node.flying.iter().any(|(_, command)| is_told(command));
        let is_unsaid =
            sender.old.is_some() && (is_under_way || sender.is_changed || !sender.called_back.is_empty());
        is_unsaid || self.restarts > 0 && old.into_iter().any(|knowledge| knowledge.term > stated)
    }

    /// Another Redis: an empty one, or a replica that lacks the last writes.
    pub fn replace(&mut self, fault: Fault) {
        for node in self.nodes.iter_mut().filter(|node| node.is_up) {
            node.cut(self.now);
        }
        self.zombies.clear();
        for partition in 0..self.layout.partitions() {
            // A sender of an earlier term knows too little.
            let best = self.terms.get(&partition).copied().unwrap_or(0);
            let is_known =
                self.nodes.iter().filter(|node| node.is_up).any(|node| node.term(partition) >= best.max(1));
            let is_any = self.store.has_told(partition) || self.sent.iter().any(|(of, ..)| *of == partition);
            if is_any && (!is_known || self.restarts > 0) {
                self.told_lost.insert(partition);
            }
        }
        self.restarts += 1;
        self.stated.clear();
        self.data = format!("r{}", self.dice.next());
        match self.saved.take().filter(|_| fault == Fault::Failover) {
            Some(saved) => self.store.restore(saved, self.data.clone()),
            None => self.store.clear(self.data.clone()),
        }
    }

    /// The hub's queue of changes has overflowed.
    fn overflow(&mut self, at: usize) {
        let now = self.now;
        for app in self.apps.clone() {
            let snapshot = self.nodes[at].hub.snapshot(&app);
            self.nodes[at].machine.reset(now, &app, snapshot);
            self.nodes[at].collect();
        }
    }
}
