//! What a hub does with outcomes, and what its clients see of it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{
    Change, ClusterOutcome, CopyId, Joined, OpenChannel, Snapshot, Telling, Ticket,
};
use fanfare_protocol::ids::{AppId, UserId};
use fanfare_protocol::presence::UserInfo;
use fanfare_protocol::webhook::{Kind, Kinds};
use serde_json::value::RawValue;

use crate::partition::{Layout, Partition};

/// Where a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    Waiting,
    In,
    Refused,
    Gone,
}

/// A connection's subscription to one channel.
#[derive(Clone, Debug)]
pub struct Client {
    pub number: usize,
    pub node: String,
    pub app: AppId,
    pub channel: ChannelName,
    pub user: UserId,
    pub stand: Stand,
    /// Who the client thinks is there.
    pub view: BTreeSet<UserId>,
    /// Who the client was told has come (true) or gone, in that order.
    pub told: Vec<(bool, UserId)>,
}

impl Client {
    pub fn is_here(&self) -> bool {
        matches!(self.stand, Stand::Waiting | Stand::In)
    }
}

/// All clients of all nodes, and what was wrong.
#[derive(Default)]
pub struct Crowd {
    pub clients: Vec<Client>,
    pub wrong: Option<String>,
    /// Nobody leaves: nobody may be told so.
    pub is_calm: bool,
}

impl Crowd {
    pub fn fail(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    fn acknowledge(&mut self, number: usize, users: BTreeSet<UserId>, has_roster: bool) {
        let client = &mut self.clients[number];
        if client.stand != Stand::Waiting {
            let what = format!("client {number} acknowledged while {:?}", client.stand);
            return self.fail(what);
        }
        (client.stand, client.view) = (Stand::In, users);
        if has_roster && !client.view.contains(&client.user) {
            self.fail(format!("client {number} is not in its own roster"));
        }
    }

    fn added(&mut self, number: usize, user: &UserId) {
        let client = &mut self.clients[number];
        client.told.push((true, user.clone()));
        if !client.view.insert(user.clone()) {
            self.fail(format!("client {number} told member_added of {user}, whom it knows"));
        } else if client.user == *user {
            self.fail(format!("client {number} told member_added of itself"));
        }
    }

    fn removed(&mut self, number: usize, user: &UserId) {
        let client = &mut self.clients[number];
        client.told.push((false, user.clone()));
        let (app, channel, own) = (client.app.clone(), client.channel.clone(), client.user.clone());
        if !client.view.remove(user) {
            self.fail(format!("client {number} told member_removed of {user}, whom it does not know"));
        } else if own == *user {
            self.fail(format!("client {number} told member_removed of itself"));
        }
        let is_there = |client: &Client| {
            (&client.app, &client.channel, &client.user) == (&app, &channel, user)
                && client.stand == Stand::In
        };
        if self.is_calm && self.clients.iter().any(is_there) {
            self.fail(format!("client {number} told member_removed of {user}, who never left"));
        }
    }
}

#[derive(Default)]
struct Local {
    copy: CopyId,
    clients: Vec<usize>,
    /// The copy: what every client on the channel has been told.
    users: BTreeMap<UserId, String>,
    is_ready: bool,
    tickets: BTreeMap<UserId, (Ticket, bool)>,
    infos: BTreeMap<UserId, String>,
    told: Option<usize>,
}

/// The hub of one node.
pub struct Hub {
    name: String,
    layout: Layout,
    channels: BTreeMap<(AppId, ChannelName), Local>,
    live: BTreeSet<(AppId, Partition)>,
    numbers: Rc<Cell<u64>>,
    pub changes: VecDeque<(AppId, Change)>,
    /// The most users of a channel.
    pub most: fn(&ChannelName) -> Option<usize>,
    pub hooked: bool,
    pub may_lose_own: bool,
}

impl Hub {
    pub fn new(name: &str, layout: Layout, most: fn(&ChannelName) -> Option<usize>) -> Self {
        Self {
            name: name.to_owned(),
            layout,
            channels: BTreeMap::new(),
            live: BTreeSet::new(),
            numbers: Rc::default(),
            changes: VecDeque::new(),
            most,
            hooked: true,
            may_lose_own: false,
        }
    }

    fn next(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    fn push(&mut self, app: &AppId, change: Change) {
        self.changes.push_back((app.clone(), change));
    }

    pub fn join(&mut self, crowd: &mut Crowd, number: usize, info: &str) {
        let Client { app, channel, user, .. } = crowd.clients[number].clone();
        let key = (app.clone(), channel.clone());
        if !self.channels.contains_key(&key) {
            let copy = self.next();
            self.channels.insert(key.clone(), Local { copy, ..Local::default() });
            self.push(&app, Change::Opened { channel: channel.clone(), copy });
        }
        let is_live = self.live.contains(&(app.clone(), self.layout.partition(&app, &channel)));
        let ticket = self.next();
        let local = self.channels.get_mut(&key).unwrap();
        local.clients.push(number);
        let has_roster = channel.has_roster();
        if has_roster {
            let before = local.tickets.get(&user).copied();
            let is_newer = local.infos.get(&user).is_some_and(|known| known != info);
            if before.is_none() || is_newer {
                local.infos.insert(user.clone(), info.to_owned());
                // A newer info changes nothing of being there.
                local.tickets.insert(user.clone(), (ticket, before.is_some_and(|(_, confirmed)| confirmed)));
                let joined = self.joined(&key, &user);
                self.push(&app, Change::Joined(joined));
            }
        } else if is_live {
            crowd.acknowledge(number, BTreeSet::new(), false);
        }
        self.count(&key);
        self.complete(crowd, &key, false);
    }

    fn joined(&self, key: &(AppId, ChannelName), user: &UserId) -> Joined {
        let local = &self.channels[key];
        Joined {
            channel: key.1.clone(),
            user: user.clone(),
            info: RawValue::from_string(local.infos[user].clone()).ok(),
            ticket: local.tickets[user].0,
            most: (self.most)(&key.1),
            hooked: self.hooked,
        }
    }

    fn count(&mut self, key: &(AppId, ChannelName)) {
        let count = self.channels[key].clients.len();
        let (channel, told, hooked) = (key.1.clone(), telling(&key.1), self.hooked);
        self.push(&key.0, Change::Counted { channel, count, told, hooked });
    }

    pub fn leave(&mut self, crowd: &mut Crowd, number: usize) {
        let Client { app, channel, user, .. } = crowd.clients[number].clone();
        crowd.clients[number].stand = Stand::Gone;
        self.remove(crowd, &(app, channel), &user, |client| client == number);
    }

    fn remove(
        &mut self,
        crowd: &Crowd,
        key: &(AppId, ChannelName),
        user: &UserId,
        is_meant: impl Fn(usize) -> bool,
    ) {
        let ticket = self.next();
        let Some(local) = self.channels.get_mut(key) else { return };
        local.clients.retain(|client| !is_meant(*client));
        let is_here = local.clients.iter().any(|client| crowd.clients[*client].user == *user);
        let (copy, is_over) = (local.copy, local.clients.is_empty());
        if !is_here && local.tickets.remove(user).is_some() {
            local.infos.remove(user);
            self.push(&key.0, Change::Left { channel: key.1.clone(), user: user.clone(), ticket });
        }
        self.count(key);
        if is_over {
            self.push(&key.0, Change::Closed { channel: key.1.clone(), copy });
            self.channels.remove(key);
        }
    }

    pub fn live(&mut self, app: &AppId, partition: Partition, is_live: bool) {
        if is_live {
            self.live.insert((app.clone(), partition));
        } else {
            self.live.remove(&(app.clone(), partition));
        }
    }

    pub fn apply(&mut self, crowd: &mut Crowd, app: &AppId, outcome: ClusterOutcome) {
        let key = |channel: ChannelName| (app.clone(), channel);
        match outcome {
            ClusterOutcome::Confirmed { channel, user, ticket } => {
                let key = key(channel);
                let local = self.channels.get_mut(&key);
                if let Some((present, confirmed)) = local.and_then(|local| local.tickets.get_mut(&user))
                    && *present == ticket
                {
                    *confirmed = true;
                    self.complete(crowd, &key, false);
                }
            }
            ClusterOutcome::Refused { channel, user, ticket } => {
                self.refuse(crowd, &key(channel), &user, ticket)
            }
            ClusterOutcome::Added { channel, copy, user, info } => {
                let key = key(channel);
                if self.is_meant(&key, copy) {
                    self.add(crowd, &key, &user, info.map_or_else(String::new, |info| info.get().to_owned()));
                }
            }
            ClusterOutcome::Removed { channel, copy, user } => {
                let key = key(channel);
                if self.is_meant(&key, copy) {
                    self.take_away(crowd, &key, &user);
                }
            }
            ClusterOutcome::Roster { channel, copy, users, only_adds } => {
                let key = key(channel);
                if self.is_meant(&key, copy) {
                    self.replace(crowd, &key, users, only_adds);
                }
            }
            ClusterOutcome::Doubtful { channel, copy } => {
                let key = key(channel);
                if self.is_meant(&key, copy) {
                    self.channels.get_mut(&key).unwrap().is_ready = false;
                }
            }
            ClusterOutcome::Serve { channel, copy } => {
                let key = key(channel);
                if self.is_meant(&key, copy) {
                    self.complete(crowd, &key, true);
                }
            }
            ClusterOutcome::Count { channel, count } => {
                if let Some(local) = self.channels.get_mut(&key(channel)) {
                    local.told = Some(count);
                }
            }
            _ => {}
        }
    }

    fn replace(
        &mut self,
        crowd: &mut Crowd,
        key: &(AppId, ChannelName),
        users: Vec<(UserId, UserInfo)>,
        only_adds: bool,
    ) {
        let users: BTreeMap<UserId, String> = users
            .into_iter()
            .map(|(user, info)| (user, info.map_or_else(String::new, |info| info.get().to_owned())))
            .collect();
        let gone = self.channels[key].users.keys().filter(|user| !users.contains_key(*user));
        let gone: Vec<UserId> = gone.cloned().collect();
        for user in gone.into_iter().filter(|_| !only_adds) {
            self.take_away(crowd, key, &user);
        }
        for (user, info) in users {
            self.add(crowd, key, &user, info);
        }
        self.channels.get_mut(key).unwrap().is_ready = true;
        self.complete(crowd, key, false);
    }

    fn is_meant(&self, key: &(AppId, ChannelName), copy: CopyId) -> bool {
        self.channels.get(key).is_some_and(|local| local.copy == copy)
    }

    fn refuse(&mut self, crowd: &mut Crowd, key: &(AppId, ChannelName), user: &UserId, ticket: Ticket) {
        let Some(local) = self.channels.get_mut(key) else { return };
        if local.tickets.get(user).is_none_or(|(present, _)| *present != ticket) {
            return;
        }
        let refused: Vec<usize> =
            local.clients.iter().copied().filter(|client| crowd.clients[*client].user == *user).collect();
        if refused.iter().any(|client| crowd.clients[*client].stand == Stand::In) {
            // Served meanwhile, before the machine knew of the join: nobody is thrown out (CL-016).
            let ticket = self.next();
            self.channels.get_mut(key).unwrap().tickets.insert(user.clone(), (ticket, false));
            let joined = Joined { most: None, ..self.joined(key, user) };
            return self.push(&key.0, Change::Joined(joined));
        }
        for client in &refused {
            crowd.clients[*client].stand = Stand::Refused;
        }
        self.remove(crowd, key, user, |client| refused.contains(&client));
    }

    fn told(&self, crowd: &Crowd, key: &(AppId, ChannelName)) -> Vec<usize> {
        let clients = self.channels[key].clients.iter();
        clients.copied().filter(|client| crowd.clients[*client].stand == Stand::In).collect()
    }

    fn add(&mut self, crowd: &mut Crowd, key: &(AppId, ChannelName), user: &UserId, info: String) {
        let local = self.channels.get_mut(key).unwrap();
        if local.users.insert(user.clone(), info).is_none() {
            for client in self.told(crowd, key) {
                crowd.added(client, user);
            }
        }
    }

    fn take_away(&mut self, crowd: &mut Crowd, key: &(AppId, ChannelName), user: &UserId) {
        let local = self.channels.get_mut(key).unwrap();
        let is_confirmed = local.tickets.get(user).is_some_and(|(_, confirmed)| *confirmed);
        let is_in = |client: &usize| {
            let client = &crowd.clients[*client];
            client.user == *user && client.stand == Stand::In
        };
        // Ours, and here: what took the user away is found out by the next command (N4).
        if (is_confirmed || local.clients.iter().any(is_in)) && !self.may_lose_own {
            return;
        }
        if local.users.remove(user).is_some() {
            for client in self.told(crowd, key) {
                crowd.removed(client, user);
            }
        }
    }

    /// Acknowledges to clients who wait: to those that may be, or to all.
    fn complete(&mut self, crowd: &mut Crowd, key: &(AppId, ChannelName), all: bool) {
        let Some(local) = self.channels.get(key) else { return };
        let waiting: Vec<usize> = local
            .clients
            .iter()
            .copied()
            .filter(|client| crowd.clients[*client].stand == Stand::Waiting)
            .collect();
        let has_roster = key.1.has_roster();
        for client in waiting {
            let user = crowd.clients[client].user.clone();
            let local = &self.channels[key];
            let is_confirmed = local.tickets.get(&user).is_some_and(|(_, confirmed)| *confirmed);
            if !(all || has_roster && local.is_ready && is_confirmed) {
                continue;
            }
            // For a known user, what the cluster has said last is newer.
            if has_roster && !local.users.contains_key(&user) {
                let info = local.infos[&user].clone();
                self.add(crowd, key, &user, info);
            }
            let users = self.channels[key].users.keys().cloned().collect();
            crowd.acknowledge(client, users, has_roster);
        }
    }

    /// The number that subscribers were last told.
    pub fn told_count(&self, app: &AppId, channel: &ChannelName) -> Option<usize> {
        self.channels.get(&(app.clone(), channel.clone())).and_then(|local| local.told)
    }

    /// The infos that clients would get with a roster.
    pub fn infos(&self) -> impl Iterator<Item = (&(AppId, ChannelName), &BTreeMap<UserId, String>)> {
        self.channels
            .iter()
            .filter(|((_, channel), _)| channel.has_roster())
            .map(|(key, local)| (key, &local.users))
    }

    /// Changes were lost: everything that the app has here.
    pub fn snapshot(&mut self, app: &AppId) -> Snapshot {
        self.changes.retain(|(of, _)| of != app);
        let mine = self.channels.iter().filter(|((of, _), _)| of == app);
        let channels = mine.map(|(key, local)| OpenChannel {
            channel: key.1.clone(),
            copy: Some(local.copy),
            count: local.clients.len(),
            told: telling(&key.1),
            users: local.tickets.keys().map(|user| self.joined(key, user)).collect(),
        });
        let kinds = Kinds::from_iter([Kind::ChannelExistence, Kind::Presence]);
        let hooked = if self.hooked { kinds } else { Kinds::NONE };
        Snapshot { channels: channels.collect(), hooked, has_gap: true }
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Who hears of the numbers of a channel.
pub fn telling(channel: &ChannelName) -> Telling {
    if channel.has_roster() { Telling::Off } else { Telling::Crowds }
}
