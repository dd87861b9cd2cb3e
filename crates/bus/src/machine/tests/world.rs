//! Several nodes, one Redis, and what happens to them; the truth that everything is compared with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::webhook::Transition;

use super::dice::Dice;
use super::hub::{Client, Crowd, Hub, Stand};
use super::node::{Node, Said};
use super::store::{LEASE, Memory, SETTLING, ScriptMistake, Store};
use crate::command::{BusAnswer, BusCommand, EntryId, HookSubject, NodeName};
use crate::local::HookBatch;
use crate::machine::mistakes::Mistake;
use crate::partition::{Layout, Partition};

pub const ROOMY: &str = "presence-a";
pub const NARROW: &str = "presence-b";
pub const PLAIN: &str = "news";

/// What is to go wrong on purpose.
#[derive(Clone, Default)]
pub struct Mistakes {
    pub rules: Vec<Mistake>,
    pub scripts: Vec<ScriptMistake>,
    pub own_users_may_be_taken_away: bool,
}

/// What happens beside joins, leaves and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Cut,
    SubscriberLost,
    Drop,
    Pause,
    Crash,
    Restart,
    Failover,
    Zombie,
    Overflow,
    Bye,
    Full,
}

/// Who is truly where.
type Users = BTreeMap<(AppId, ChannelName), BTreeSet<UserId>>;

/// How many subscriptions there truly are.
type Counts = BTreeMap<(AppId, ChannelName), usize>;

/// A webhook that was sent.
pub type Sent = (Partition, EntryId, bool, HookSubject);

pub struct World {
    pub dice: Dice,
    pub store: Box<dyn Store>,
    pub faults: Vec<Fault>,
    pub had_faults: bool,
    pub now: u64,
    pub nodes: Vec<Node>,
    pub crowd: Crowd,
    /// Batches that were sent over connections that are no more.
    pub zombies: Vec<(NodeName, BusCommand)>,
    pub saved: Option<Memory>,
    pub names: usize,
    pub restarts: usize,
    pub data: String,
    pub sent: Vec<Sent>,
    /// Partitions where what was told is lost, as is allowed (CL-033).
    pub told_lost: BTreeSet<Partition>,
    /// Webhooks that were sent although they had been called back, until their node has stated so (CL-033).
    pub recalled: Vec<(NodeName, Partition, bool, HookSubject)>,
    /// The highest term that was stated in the present data.
    pub stated: BTreeMap<Partition, u64>,
    /// The highest term in which a webhook was sent.
    pub terms: BTreeMap<Partition, u64>,
    pub layout: Layout,
    pub apps: Vec<AppId>,
    pub mistakes: Mistakes,
    pub is_full: bool,
    /// How far time goes on at once.
    pub jumps: &'static [u64],
    pub is_traced: bool,
    /// How long after a reading a copy is read again for safety.
    pub checked: Duration,
}

impl World {
    /// Nodes on a store in memory.
    pub fn new(seed: u64, faults: &[Fault], mistakes: &Mistakes) -> Self {
        let scripts = mistakes.scripts.clone();
        Self::on(seed, faults, mistakes, |_, _| Box::new(Memory::new(&scripts).bounded(hook_bytes(seed))))
    }

    /// Nodes on another store.
    pub fn on(
        seed: u64,
        faults: &[Fault],
        mistakes: &Mistakes,
        store: impl FnOnce(&Layout, &[AppId]) -> Box<dyn Store>,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let layout = Layout::new("t:", if dice.percent(30) { 2 } else { 1 });
        let apps =
            if dice.percent(30) { vec![AppId::from("a"), AppId::from("b")] } else { vec![AppId::from("a")] };
        let nodes = *dice.pick(&[1, 2, 2, 3, 3]);
        let mut world = Self {
            store: store(&layout, &apps),
            dice,
            faults: faults.to_vec(),
            had_faults: !faults.is_empty(),
            now: 1_000_000,
            nodes: Vec::new(),
            crowd: Crowd::default(),
            zombies: Vec::new(),
            saved: None,
            names: 0,
            restarts: 0,
            data: "r0".to_owned(),
            sent: Vec::new(),
            told_lost: BTreeSet::new(),
            recalled: Vec::new(),
            stated: BTreeMap::new(),
            terms: BTreeMap::new(),
            layout,
            apps,
            mistakes: mistakes.clone(),
            is_full: false,
            jumps: &[10, 100, 500, 1_000, 2_000],
            is_traced: std::env::var_os("FANFARE_TRACE").is_some(),
            // In half of all worlds so soon that anything may happen meanwhile.
            checked: Duration::from_millis(if seed.is_multiple_of(2) { 240_000 } else { 200 }),
        };
        world.store.clear(world.data.clone());
        for _ in 0..nodes {
            world.new_node();
        }
        world
    }

    #[expect(clippy::print_stderr, reason = "asked for, to look into a failure")]
    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!("{} {}", self.now - 1_000_000, what());
        }
    }

    pub fn new_node(&mut self) {
        self.names += 1;
        let name = format!("n{}", self.names);
        let mut hub =
            Hub::new(&name, self.layout.clone(), |channel| (channel.as_str() == NARROW).then_some(2));
        hub.may_lose_own = self.mistakes.own_users_may_be_taken_away;
        let seed = self.dice.next();
        let mut node = Node::new(&name, &self.layout, seed, &self.mistakes.rules, hub);
        node.machine.core.settings.checked = self.checked;
        self.nodes.push(node);
    }

    pub fn execute(&mut self, name: &NodeName, command: &BusCommand) -> BusAnswer {
        let answer = self.store.execute(self.now, name, command);
        match (command, &answer) {
            (BusCommand::Beat { .. }, BusAnswer::Beat(beat)) => self.had_faults |= !beat.dead.is_empty(),
            // A lease has run out: by time alone, too.
            (BusCommand::Beat { .. }, _) => self.had_faults = true,
            (BusCommand::Told { partition, .. }, BusAnswer::Late) => {
                self.told_lost.insert(*partition);
            }
            (BusCommand::Told { partition, term, subjects, .. }, BusAnswer::Done) => {
                self.recalled.retain(|(of, in_partition, came, subject)| {
                    (of, in_partition) != (name, partition) || subjects.contains(subject) != *came
                });
                let stated = self.stated.entry(*partition).or_default();
                *stated = (*stated).max(*term);
            }
            _ => {}
        }
        self.say(|| format!("redis {name} {command:?} -> {answer:?}"));
        for message in self.store.published() {
            for node in &mut self.nodes {
                node.publish(&message);
            }
        }
        answer
    }

    /// Redis executes the next command of a node.
    pub fn run_one(&mut self, at: usize) {
        if let Some((token, command)) = self.nodes[at].flying.pop_front() {
            let name = self.nodes[at].name.clone();
            let answer = self.execute(&name, &command);
            self.nodes[at].replies.push_back((token, answer));
        }
    }

    pub fn step(&mut self) {
        let awake: Vec<usize> =
            (0..self.nodes.len()).filter(|at| self.nodes[*at].is_up && !self.nodes[*at].is_paused).collect();
        let dice = self.dice.below(100);
        if dice < 16 && !awake.is_empty() {
            self.come_or_go(&awake);
        } else if dice < 92 && !awake.is_empty() {
            let at = *self.dice.pick(&awake);
            self.act(at);
        } else if dice < 96 {
            self.now += *self.dice.pick(self.jumps);
            for at in awake {
                self.nodes[at].tick(self.now);
            }
        } else if !self.faults.is_empty() {
            let fault = *self.dice.pick(&self.faults.clone());
            self.fault(fault);
        }
    }

    fn come_or_go(&mut self, awake: &[usize]) {
        let here: Vec<usize> =
            self.crowd.clients.iter().filter(|client| client.is_here()).map(|client| client.number).collect();
        if !here.is_empty() && self.dice.one_in(2) {
            let client = *self.dice.pick(&here);
            if let Some(at) =
                awake.iter().copied().find(|at| *self.nodes[*at].name == self.crowd.clients[client].node)
            {
                self.say(|| format!("leave {client}"));
                self.nodes[at].hub.leave(&mut self.crowd, client);
            }
        } else if here.len() < 9 {
            let at = *self.dice.pick(awake);
            let channel = *self.dice.pick(&[ROOMY, ROOMY, NARROW, NARROW, PLAIN]);
            let app = self.dice.pick(&self.apps.clone()).clone();
            let user = *self.dice.pick(&["u1", "u2", "u3"]);
            self.join(at, &app, channel, user);
        }
    }

    pub fn join(&mut self, at: usize, app: &AppId, channel: &str, user: &str) -> usize {
        let number = self.crowd.clients.len();
        let client = Client {
            number,
            node: self.nodes[at].name.to_string(),
            app: app.clone(),
            channel: ChannelName::trusted(channel),
            user: UserId::from(user),
            stand: Stand::Waiting,
            view: BTreeSet::new(),
            told: Vec::new(),
        };
        self.say(|| format!("join {number} {} {app} {channel} {user}", client.node));
        self.crowd.clients.push(client);
        self.nodes[at].hub.join(&mut self.crowd, number, &format!("\"i{}\"", number % 3));
        number
    }

    /// One random move of a node. Says whether there was any.
    pub fn act(&mut self, at: usize) -> bool {
        let node = &self.nodes[at];
        if !node.is_connected && self.dice.one_in(2) {
            self.nodes[at].connect(self.now);
            return true;
        }
        let moves = [
            !node.hub.changes.is_empty(),
            !node.flying.is_empty(),
            !node.replies.is_empty(),
            !node.said.is_empty(),
            !node.heard.is_empty(),
            node.is_connected && !node.to_subscribe.is_empty(),
            !node.hooks.is_empty(),
            !node.sent.is_empty(),
        ];
        let possible: Vec<usize> = (0..moves.len()).filter(|which| moves[*which]).collect();
        if possible.is_empty() {
            if !self.nodes[at].is_connected {
                self.nodes[at].connect(self.now);
                return true;
            }
            return false;
        }
        let which = *self.dice.pick(&possible);
        self.say(|| self.nodes[at].preview(which));
        let (now, node) = (self.now, &mut self.nodes[at]);
        match which {
            0 => node.change(now),
            1 => self.run_one(at),
            2 => node.answer(now, &self.data.clone()),
            3 => self.bring(at),
            4 => node.hear(now),
            5 => node.subscribe(),
            6 => self.send_hooks(at),
            _ => {
                if let Some(batch) = node.sent.pop_front() {
                    let ids: Vec<EntryId> = ids(&batch);
                    node.machine.hooks_sent(now, batch.partition, &ids);
                    node.collect();
                }
            }
        }
        true
    }

    /// Brings to the hub what the machine has said.
    fn bring(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        match node.said.pop_front() {
            Some(Said::ClusterOutcome(app, outcome)) => {
                if self.is_traced {
                    let name = node.hub.name().to_owned();
                    let text = format!("hub {name} {outcome:?}");
                    self.say(|| text);
                }
                self.nodes[at].hub.apply(&mut self.crowd, &app, outcome);
            }
            Some(Said::Live(app, partition, is_live)) => node.hub.live(&app, partition, is_live),
            Some(Said::Hooks(batch)) => node.hooks.push_back(batch),
            Some(Said::StopHooks(partition)) => {
                // The lease was over by the node's own clock: what was handed over may come again.
                node.hooks.retain(|batch| batch.partition != partition);
                self.had_faults = true;
            }
            None => {}
        }
    }

    fn send_hooks(&mut self, at: usize) {
        let Some(batch) = self.nodes[at].hooks.pop_front() else { return };
        let (partition, own) = (batch.partition, self.nodes[at].term(batch.partition));
        let best = self.nodes.iter().map(|node| node.term(partition)).max().unwrap_or(0);
        if own < best && self.restarts > 0 {
            // Sent by a sender that was replaced, while Redis was lost: nobody else knows.
            self.told_lost.insert(partition);
        }
        let term = self.terms.entry(partition).or_default();
        *term = (*term).max(own);
        let handed = &self.nodes[at].machine.parts[&partition].sender.handed;
        let are_recalled: Vec<bool> = ids(&batch).iter().map(|id| !handed.contains_key(id)).collect();
        for ((id, event), is_recalled) in ids(&batch).into_iter().zip(&batch.events).zip(are_recalled) {
            let (channel, user, came) = match event.transition.clone() {
                Transition::Occupied(channel) => (channel, None, true),
                Transition::Vacated(channel) => (channel, None, false),
                Transition::Joined(channel, user) => (channel, Some(user), true),
                Transition::Left(channel, user) => (channel, Some(user), false),
                other => unreachable!("{other:?}"),
            };
            let subject = HookSubject { app: batch.app.clone(), channel, user };
            self.say(|| format!("webhook of n{} {id:?} {came} {subject:?}", at + 1));
            if is_recalled && self.restarts > 0 {
                self.recalled.push((self.nodes[at].name.clone(), partition, came, subject.clone()));
            }
            self.sent.push((batch.partition, id, came, subject));
        }
        self.nodes[at].sent.push_back(batch);
    }

    /// Lets everything come to rest.
    pub fn rest(&mut self) {
        self.say(|| "rest".to_owned());
        for node in &mut self.nodes {
            node.is_paused = false;
        }
        self.faults.clear();
        self.is_full = false;
        self.store.fill(false);
        let (began, until) = (self.now, self.now + 3 * SETTLING + 4 * LEASE);
        while self.now < until {
            while !self.zombies.is_empty() && self.now - began > 2 * LEASE {
                self.run_zombie();
            }
            self.drain();
            self.now += 500;
            for at in 0..self.nodes.len() {
                self.nodes[at].tick(self.now);
            }
            if self.crowd.wrong.is_some() {
                return;
            }
        }
        self.drain();
    }

    /// Until nobody has anything to do.
    pub fn drain(&mut self) {
        let mut left = 200_000;
        loop {
            let mut is_busy = false;
            for at in 0..self.nodes.len() {
                while self.nodes[at].is_up && self.act(at) {
                    is_busy = true;
                    left -= 1;
                    if left == 0 || self.crowd.wrong.is_some() {
                        self.crowd.fail("no rest is found".to_owned());
                        return;
                    }
                }
            }
            if !is_busy {
                return;
            }
        }
    }

    fn truth(&mut self) -> (Users, Counts) {
        let (mut users, mut counts) = (BTreeMap::<_, BTreeSet<UserId>>::new(), BTreeMap::new());
        for client in self.crowd.clients.clone() {
            let key = (client.app.clone(), client.channel.clone());
            if client.stand == Stand::Waiting {
                self.crowd.fail(format!("client {} waits for ever", client.number));
            } else if client.stand == Stand::In {
                *counts.entry(key.clone()).or_default() += 1;
                if client.channel.has_roster() {
                    users.entry(key).or_default().insert(client.user);
                }
            }
        }
        (users, counts)
    }

    /// Compares everything with the truth.
    pub fn check(&mut self) -> Result<(), String> {
        let (users, counts) = self.truth();
        self.told_lost.extend(self.recalled.iter().map(|(_, partition, ..)| *partition));
        if let Some(wrong) = &self.crowd.wrong {
            return Err(wrong.clone());
        }
        for client in self.crowd.clients.iter().filter(|client| client.stand == Stand::In) {
            let Some(there) = users.get(&(client.app.clone(), client.channel.clone())) else { continue };
            if client.view != *there {
                return Err(format!("client {} sees {:?}, true is {there:?}", client.number, client.view));
            }
        }
        self.check_redis(&users, &counts)?;
        self.check_counts(&counts)?;
        let mended: u64 = self.nodes.iter().map(|node| node.machine.numbers().rosters_mended).sum();
        if mended != 0 {
            return Err(format!("{mended} rosters were mended"));
        }
        self.check_webhooks(&users, &counts)
    }

    /// Without faults, who has come later was told the same as who was there, in the same order (CL-011).
    pub fn check_order(&self) -> Result<(), String> {
        let is_in = |client: &&Client| client.stand == Stand::In && client.channel.has_roster();
        let there: Vec<&Client> = self.crowd.clients.iter().filter(is_in).collect();
        for (one, other) in there.iter().flat_map(|one| there.iter().map(move |other| (one, other))) {
            let is_same = (&one.app, &one.channel) == (&other.app, &other.channel);
            if is_same && one.told.len() >= other.told.len() && !one.told.ends_with(&other.told) {
                return Err(format!(
                    "client {} was told {:?}, client {} {:?}",
                    one.number, one.told, other.number, other.told
                ));
            }
        }
        Ok(())
    }

    fn check_redis(&mut self, users: &Users, counts: &Counts) -> Result<(), String> {
        let rosters = self.store.rosters();
        let found: BTreeMap<_, BTreeSet<UserId>> =
            rosters.iter().map(|(key, roster)| (key.clone(), roster.keys().cloned().collect())).collect();
        if found != *users {
            return Err(format!("rosters {found:?}, true is {users:?}"));
        }
        for (key, roster) in &rosters {
            for (user, (nodes, info)) in roster {
                let there = self.crowd.clients.iter().filter(|client| {
                    client.stand == Stand::In
                        && (&client.app, &client.channel) == (&key.0, &key.1)
                        && client.user == *user
                });
                let on: BTreeSet<&str> = there.map(|client| client.node.as_str()).collect();
                if on.len() != *nodes {
                    return Err(format!("{key:?} {user} counted on {nodes} nodes, is on {on:?}"));
                }
                for node in self.nodes.iter().filter(|node| node.is_up) {
                    let known =
                        node.hub.infos().find(|(of, _)| *of == key).and_then(|(_, users)| users.get(user));
                    if known.is_some_and(|known| known != info) {
                        return Err(format!(
                            "{key:?} {user} has {known:?} on {}, in Redis {info}",
                            node.name
                        ));
                    }
                }
            }
        }
        let totals = self.store.totals();
        if totals != *counts { Err(format!("totals {totals:?}, true are {counts:?}")) } else { Ok(()) }
    }

    fn check_counts(&self, counts: &Counts) -> Result<(), String> {
        for ((app, channel), count) in counts {
            for node in self.nodes.iter().filter(|node| node.is_up && !channel.has_roster()) {
                let is_here = |client: &Client| {
                    client.stand == Stand::In
                        && *client.node == *node.name
                        && (&client.app, &client.channel) == (app, channel)
                };
                let told = node.hub.told_count(app, channel);
                if self.crowd.clients.iter().any(is_here) && told != Some(*count) {
                    return Err(format!("{} told {told:?} for {app} {channel}, true is {count}", node.name));
                }
            }
        }
        Ok(())
    }

    fn check_webhooks(&self, users: &Users, counts: &Counts) -> Result<(), String> {
        let is_known = |partition: &Partition| !self.told_lost.contains(partition);
        let ids: BTreeSet<_> = self.sent.iter().map(|(partition, id, ..)| (partition, id)).collect();
        if !self.had_faults && ids.len() != self.sent.len() {
            return Err("a webhook was sent twice".to_owned());
        }
        let (mut told, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for sent in &self.sent {
            let (partition, _, came, subject) = sent;
            // Sent again because a sender ended between sending and saying so.
            if seen.insert(sent)
                && told.insert(subject.clone(), *came).unwrap_or(false) == *came
                && is_known(partition)
            {
                return Err(format!("webhook {came} of {subject:?} twice in a row"));
            }
        }
        let is_known =
            |subject: &HookSubject| is_known(&self.layout.partition(&subject.app, &subject.channel));
        let channels = counts.keys().map(|(app, channel)| (app, channel, None));
        let members = users
            .iter()
            .flat_map(|((app, channel), users)| users.iter().map(move |u| (app, channel, Some(u))));
        let there: BTreeSet<HookSubject> = channels
            .chain(members)
            .map(|(app, channel, user)| HookSubject {
                app: app.clone(),
                channel: channel.clone(),
                user: user.cloned(),
            })
            .filter(is_known)
            .collect();
        let told: BTreeSet<HookSubject> = told
            .into_iter()
            .filter(|(subject, came)| *came && is_known(subject))
            .map(|(subject, _)| subject)
            .collect();
        if told != there { Err(format!("webhooks say {told:?}, true is {there:?}")) } else { Ok(()) }
    }
}

/// The room for webhooks: in each fourth schedule for two or three of them.
pub fn hook_bytes(seed: u64) -> usize {
    if seed.is_multiple_of(4) { 1_200 } else { 8 << 20 }
}

pub fn ids(batch: &HookBatch) -> Vec<EntryId> {
    let id = |number| EntryId { milliseconds: batch.time_ms, number };
    batch.events.iter().map(|event| id(event.number)).collect()
}
