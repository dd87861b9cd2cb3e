//! Clients on several threads, and a cluster that answers truly on another: in the end everybody knows the truth.
//!
//! In a plain build the threads are real ones; with `--cfg shuttle` a scheduler tries many orders of each script.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
#[cfg(not(shuttle))]
use std::thread;

use fanfare_hub::{AppHub, Hubs, Subscriptions};
use fanfare_protocol::app::Limits;
use fanfare_protocol::cluster::{Change, ClusterOutcome, CopyId};
use fanfare_protocol::ids::UserId;
use fanfare_protocol::presence::Identity;
use fanfare_protocol::server::QuotedEvent;
use proptest::prelude::*;
#[cfg(shuttle)]
use shuttle::thread;

use crate::seen::{Seen, read};
use crate::view::{View, refused_channel};
use crate::{Live, app, channel, connect_speaking, dialect, hubs};

const THREADS: usize = 2;
const SLOTS: usize = 4;
const ROOM: &str = "presence-room";
const NEWS: &str = "news";
const USERS: [&str; 4] = ["u0", "u1", "u2", "u3"];

/// Steps of a script; few where each script is tried in many orders.
const LONGEST: usize = if cfg!(shuttle) { 24 } else { 300 };

#[cfg(shuttle)]
const ORDERS: usize = 20;

#[derive(Clone, Debug)]
struct Step {
    slot: usize,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Join { user: usize, info: u8 },
    Leave,
    Listen,
    Deafen,
    Close,
    Publish,
}

/// What happens elsewhere, between two turns of the cluster.
#[derive(Clone, Debug)]
enum Elsewhere {
    Nothing,
    Toggle(usize),
    /// The roster is read anew.
    Reread,
    Live(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let action = prop_oneof![
        8 => (0..USERS.len(), 0..2_u8).prop_map(|(user, info)| Action::Join { user, info }),
        5 => Just(Action::Leave),
        2 => Just(Action::Listen),
        1 => Just(Action::Deafen),
        1 => Just(Action::Close),
        2 => Just(Action::Publish),
    ];
    let step = (0..SLOTS, action).prop_map(|(slot, action)| Step { slot, action });
    prop::collection::vec(step, 1..LONGEST)
}

fn elsewhere() -> impl Strategy<Value = Vec<Elsewhere>> {
    let happens = prop_oneof![
        3 => Just(Elsewhere::Nothing),
        3 => (0..USERS.len()).prop_map(Elsewhere::Toggle),
        1 => Just(Elsewhere::Reread),
        1 => any::<bool>().prop_map(Elsewhere::Live),
    ];
    prop::collection::vec(happens, 1..LONGEST)
}

/// Redis and all other nodes.
struct Cluster {
    hub: Arc<AppHub>,
    live: Arc<Live>,
    copies: BTreeMap<String, CopyId>,
    here: BTreeSet<String>,
    elsewhere: BTreeSet<String>,
    turns: usize,
}

impl Cluster {
    fn truth(&self) -> BTreeSet<String> {
        self.here.union(&self.elsewhere).cloned().collect()
    }

    /// Answers some changes; false if there are none.
    fn turn(&mut self) -> bool {
        let mut changes = Vec::new();
        self.hub.take_changes(&mut changes, 4);
        let has_any = !changes.is_empty();
        for change in changes {
            self.turns += 1;
            self.answer(change);
        }
        has_any
    }

    fn answer(&mut self, change: Change) {
        match change {
            Change::Opened { channel, copy } => {
                self.copies.insert(channel.to_string(), copy);
                if channel.has_roster() {
                    self.tell_roster();
                } else {
                    self.serve(channel.as_str());
                }
            }
            Change::Closed { channel, .. } => {
                self.copies.remove(channel.as_str());
            }
            Change::Counted { channel, .. } if !channel.has_roster() => self.serve(channel.as_str()),
            Change::Joined(joined) => {
                let (user, ticket, room) = (joined.user, joined.ticket, joined.channel);
                let is_new = !self.truth().contains(user.as_str());
                if is_new && joined.most.is_some_and(|most| self.truth().len() >= most) {
                    self.hub.apply(ClusterOutcome::Refused { channel: room, user, ticket }, 0);
                    return;
                }
                self.here.insert(user.to_string());
                // A change and an answer come in any order.
                let confirmed = ClusterOutcome::Confirmed { channel: room, user: user.clone(), ticket };
                if self.turns.is_multiple_of(2) {
                    self.hub.apply(confirmed, 0);
                    self.tell_added(user);
                } else {
                    self.tell_added(user);
                    self.hub.apply(confirmed, 0);
                }
            }
            Change::Left { user, .. } => self.left(user),
            _ => {}
        }
    }

    fn left(&mut self, user: UserId) {
        if self.here.remove(user.as_str()) && !self.elsewhere.contains(user.as_str()) {
            self.tell_removed(user);
        }
    }

    fn serve(&self, name: &str) {
        if let Some(copy) = self.copies.get(name) {
            self.hub.apply(ClusterOutcome::Serve { channel: channel(name), copy: *copy }, 0);
        }
    }

    fn tell_added(&self, user: UserId) {
        if let Some(copy) = self.copies.get(ROOM) {
            self.hub
                .apply(ClusterOutcome::Added { channel: channel(ROOM), copy: *copy, user, info: None }, 0);
        }
    }

    fn tell_removed(&self, user: UserId) {
        if let Some(copy) = self.copies.get(ROOM) {
            self.hub.apply(ClusterOutcome::Removed { channel: channel(ROOM), copy: *copy, user }, 0);
        }
    }

    fn tell_roster(&self) {
        if let Some(copy) = self.copies.get(ROOM) {
            let users = self.truth().iter().map(|user| (UserId::from(&**user), None)).collect();
            let roster =
                ClusterOutcome::Roster { channel: channel(ROOM), copy: *copy, users, only_adds: false };
            self.hub.apply(roster, 0);
        }
    }

    fn happen(&mut self, what: &Elsewhere) {
        match what {
            Elsewhere::Nothing => {}
            Elsewhere::Toggle(user) => {
                let user = USERS[*user];
                if self.elsewhere.remove(user) {
                    if !self.here.contains(user) {
                        self.tell_removed(user.into());
                    }
                } else {
                    self.elsewhere.insert(user.to_owned());
                    if !self.here.contains(user) {
                        self.tell_added(user.into());
                    }
                }
            }
            Elsewhere::Reread => {
                if let Some(copy) = self.copies.get(ROOM) {
                    self.hub.apply(ClusterOutcome::Doubtful { channel: channel(ROOM), copy: *copy }, 0);
                }
                self.tell_roster();
            }
            Elsewhere::Live(is_live) => self.live.set(*is_live),
        }
    }
}

struct Client {
    hubs: Arc<Hubs>,
    id: u64,
    subscriptions: Subscriptions,
    views: BTreeMap<String, View>,
}

impl Client {
    fn new(hubs: &Arc<Hubs>, slot: usize) -> Self {
        let id = (slot as u64) << 32;
        let subscriptions = connect_speaking(dialect(slot), hubs, id);
        Self { hubs: Arc::clone(hubs), id, subscriptions, views: BTreeMap::new() }
    }

    fn act(&mut self, action: &Action) {
        self.follow();
        match action {
            Action::Join { user, info } => {
                let data = format!(r#"{{"user_id":"{}","user_info":{info}}}"#, USERS[*user]);
                let identity = Identity::parse(&data, ROOM, &Limits::default()).expect("an identity");
                if self.subscriptions.subscribe(channel(ROOM), Some(identity), 0).is_ok() {
                    self.joined(View::Waiting(USERS[*user].to_owned()));
                }
            }
            Action::Leave => self.leave(ROOM),
            Action::Listen => {
                if self.subscriptions.subscribe(channel(NEWS), None, 0).is_ok() {
                    let dialect = self.subscriptions.conn().dialect;
                    self.views.insert(NEWS.to_owned(), View::new(dialect, NEWS, ""));
                }
            }
            Action::Deafen => self.leave(NEWS),
            Action::Close => {
                self.id += 1;
                let dialect = self.subscriptions.conn().dialect;
                self.subscriptions = connect_speaking(dialect, &self.hubs, self.id);
                self.views.clear();
            }
            Action::Publish => {
                for name in [ROOM, NEWS] {
                    let name = channel(name);
                    self.subscriptions.hub().deliver(&name, &QuotedEvent::new("e", "1").on(&name), None);
                }
            }
        }
    }

    fn leave(&mut self, name: &str) {
        if self.subscriptions.unsubscribe(name) {
            self.follow();
            self.views.remove(name);
        }
    }

    /// A new subscription; if there was one before, its refusal waits to be read.
    fn joined(&mut self, view: View) {
        let mut new = Some(view);
        if !self.views.contains_key(ROOM) {
            self.views.extend(new.take().map(|view| (ROOM.to_owned(), view)));
        }
        for seen in read(&self.subscriptions) {
            self.see(&seen);
            if !self.views.contains_key(ROOM) {
                self.views.extend(new.take().map(|view| (ROOM.to_owned(), view)));
            }
        }
        assert!(new.is_none(), "subscribed twice");
    }

    fn follow(&mut self) {
        for seen in read(&self.subscriptions) {
            self.see(&seen);
        }
    }

    fn see(&mut self, seen: &Seen) {
        let name = seen.channel.clone().unwrap_or_else(|| refused_channel(seen));
        let view = self.views.get_mut(&name).unwrap_or_else(|| panic!("{} of {name}", seen.event));
        if seen.event == "error" {
            assert!(matches!(view, View::Waiting(_)), "refused after the acknowledgement");
            self.views.remove(&name);
        } else {
            view.see(&name, seen);
        }
    }
}

/// Runs the clients on threads, and the cluster on this one; then the cluster answers what is left.
fn run(hubs: &Arc<Hubs>, cluster: &mut Cluster, steps: &[Step], elsewhere: &[Elsewhere]) -> Vec<Client> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let of_thread = move |slot: usize| slot % THREADS == thread;
                scope.spawn(move || {
                    let mut clients: Vec<Client> = (0..SLOTS)
                        .filter(|slot| of_thread(*slot))
                        .map(|slot| Client::new(hubs, slot))
                        .collect();
                    for step in steps.iter().filter(|step| of_thread(step.slot)) {
                        clients[step.slot / THREADS].act(&step.action);
                    }
                    clients
                })
            })
            .collect();
        for happens in elsewhere {
            cluster.turn();
            cluster.happen(happens);
        }
        let clients = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
        while cluster.turn() {}
        clients
    })
}

fn check(steps: &[Step], elsewhere: &[Elsewhere]) {
    let live = Live::new(true);
    let hubs = Arc::new(hubs(&live));
    let hub = hubs.open(&app());
    let mut cluster = Cluster {
        hub: Arc::clone(&hub),
        live,
        copies: BTreeMap::new(),
        here: BTreeSet::new(),
        elsewhere: BTreeSet::new(),
        turns: 0,
    };
    let mut clients = run(&hubs, &mut cluster, steps, elsewhere);
    // Sends what was merged under load.
    hub.tell_changes();
    let truth = cluster.truth();
    for client in &mut clients {
        client.follow();
        assert_eq!(client.subscriptions.len(), client.views.len());
        for (name, view) in &client.views {
            match view {
                View::Waiting(user) => panic!("{user} waits for ever on {name}"),
                View::In { members, .. } if name == ROOM => assert_eq!(*members, truth),
                View::In { .. } => {}
            }
        }
    }
    drop(clients);
    assert_eq!(hub.totals(), (0, 0));
}

/// Runs once, in the order that the threads of this machine happen to take.
#[cfg(not(shuttle))]
fn in_many_orders(_: u64, check: impl Fn()) {
    check();
}

/// Runs in orders drawn at every lock; the same orders for the same seed.
#[cfg(shuttle)]
fn in_many_orders(seed: u64, check: impl Fn() + Send + Sync + 'static) {
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    config.failure_persistence = shuttle::FailurePersistence::None;
    let scheduler = shuttle::scheduler::RandomScheduler::new_from_seed(seed, ORDERS);
    shuttle::Runner::new(scheduler, config).run(check);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cl_013_clients_and_the_cluster_at_once_in_the_end_everybody_knows_the_truth(
        steps in steps(),
        elsewhere in elsewhere(),
        seed in any::<u64>(),
    ) {
        in_many_orders(seed, move || check(&steps, &elsewhere));
    }
}
