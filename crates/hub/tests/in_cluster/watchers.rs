//! Watchers of users: the first list is the first word, then online and offline alternate.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_hub::{AppHub, Hubs, Subscriptions};
use fanfare_protocol::app::Limits;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::ClusterOutcome;
use fanfare_protocol::ids::UserId;
use fanfare_protocol::server::signin_success;
use fanfare_protocol::user::UserData;
use proptest::prelude::*;

use crate::ledger::Ledger;
use crate::seen::{Seen, ids, read};
use crate::{Live, app, connect, hubs};

const SLOTS: usize = 4;
const USERS: [&str; 3] = ["u0", "u1", "u2"];

#[derive(Clone, Debug)]
enum Step {
    SignIn {
        slot: usize,
        user: usize,
        watchlist: u8,
    },
    Close {
        slot: usize,
    },
    /// An outcome for the copy, or the sign-in, before so many others.
    Say {
        user: usize,
        back: usize,
        what: Said,
    },
}

#[derive(Clone, Debug)]
enum Said {
    Confirmed,
    Added,
    Removed,
    Roster { is_there: bool, only_adds: bool },
    Doubtful,
    Serve,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..SLOTS, 0..USERS.len(), any::<u8>())
            .prop_map(|(slot, user, watchlist)| Step::SignIn { slot, user, watchlist }),
        2 => (0..SLOTS).prop_map(|slot| Step::Close { slot }),
        12 => (0..USERS.len(), prop_oneof![4 => Just(0_usize), 1 => 1..3_usize], said())
            .prop_map(|(user, back, what)| Step::Say { user, back, what }),
    ];
    prop::collection::vec(step, 1..100)
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        2 => Just(Said::Confirmed),
        3 => Just(Said::Added),
        3 => Just(Said::Removed),
        4 => any::<(bool, bool)>().prop_map(|(is_there, only_adds)| Said::Roster { is_there, only_adds }),
        1 => Just(Said::Doubtful),
        1 => Just(Said::Serve),
    ]
}

/// A connection, and the watchlist as its client knows it.
struct Watcher {
    subscriptions: Subscriptions,
    watchlist: Vec<&'static str>,
    /// Whether each watched user is online; empty before the first list.
    known: BTreeMap<String, bool>,
}

struct Node {
    hubs: Hubs,
    hub: Arc<AppHub>,
    watchers: Vec<Watcher>,
    connections: u64,
    ledger: Ledger,
}

impl Watcher {
    fn follow(&mut self) {
        for seen in read(&self.subscriptions) {
            match seen.event.as_str() {
                "signin_success" => self.known.clear(),
                "watchlist_events" => self.hear(&seen),
                other => panic!("unexpected {other}"),
            }
        }
    }

    fn hear(&mut self, seen: &Seen) {
        let is_first = self.known.is_empty();
        for event in seen.data["events"].as_array().expect("a list") {
            for id in ids(&event["user_ids"]) {
                assert!(self.watchlist.contains(&id.as_str()), "{id} is not watched");
                let is_online = event["name"] == "online";
                let before = self.known.insert(id, is_online);
                assert_eq!(before, (!is_first).then_some(!is_online), "no change: {}", seen.data);
            }
        }
        assert_eq!(self.known.len(), self.watchlist.len(), "the first list has everybody");
    }
}

impl Node {
    fn new() -> Self {
        let hubs = hubs(&Live::new(true));
        let hub = hubs.open(&app());
        let mut node = Self { hubs, hub, watchers: Vec::new(), connections: 0, ledger: Ledger::default() };
        node.watchers = (0..SLOTS).map(|_| node.connect()).collect();
        node
    }

    fn connect(&mut self) -> Watcher {
        self.connections += 1;
        let subscriptions = connect(&self.hubs, self.connections);
        Watcher { subscriptions, watchlist: Vec::new(), known: BTreeMap::new() }
    }

    fn act(&mut self, step: &Step) {
        match step {
            Step::SignIn { slot, user, watchlist } => {
                let watched: Vec<&str> = (0..USERS.len())
                    .filter(|watched| watchlist & (1 << watched) != 0)
                    .map(|watched| USERS[watched])
                    .collect();
                let data = format!(r#"{{"id":"{}","watchlist":{watched:?}}}"#, USERS[*user]);
                let user = UserData::parse(&data, &Limits::default()).expect("user data");
                let watcher = &mut self.watchers[*slot];
                if watcher.subscriptions.sign_in(user, &signin_success(&data), 0) {
                    watcher.watchlist = watched;
                }
            }
            Step::Close { slot } => self.watchers[*slot] = self.connect(),
            Step::Say { user, back, what } => self.say(USERS[*user], *back, what),
        }
        self.check();
    }

    fn check(&mut self) {
        let mut all: BTreeMap<String, bool> = BTreeMap::new();
        for watcher in &mut self.watchers {
            watcher.follow();
            for (user, is_online) in &watcher.known {
                assert_eq!(
                    all.entry(user.clone()).or_insert(*is_online),
                    is_online,
                    "watchers of {user} differ"
                );
            }
        }
        self.ledger.take(&self.hub);
    }

    fn say(&self, user: &str, back: usize, what: &Said) {
        let channel = ChannelName::online(&user.into());
        let copy = self.ledger.copy(channel.as_str(), back).unwrap_or_default();
        let ticket = self.ledger.ticket(channel.as_str(), user, back).unwrap_or_default();
        let id = UserId::from(user);
        let outcome = match what {
            Said::Confirmed => ClusterOutcome::Confirmed { channel, user: id, ticket },
            Said::Added => ClusterOutcome::Added { channel, copy, user: id, info: None },
            Said::Removed => ClusterOutcome::Removed { channel, copy, user: id },
            Said::Roster { is_there, only_adds } => {
                let users = is_there.then_some((id, None)).into_iter().collect();
                ClusterOutcome::Roster { channel, copy, users, only_adds: *only_adds }
            }
            Said::Doubtful => ClusterOutcome::Doubtful { channel, copy },
            Said::Serve => ClusterOutcome::Serve { channel, copy },
        };
        self.hub.apply(outcome, 0);
    }

    fn serve_all(&mut self) {
        for user in USERS {
            self.say(user, 0, &Said::Serve);
        }
        self.check();
        for watcher in &self.watchers {
            assert_eq!(watcher.known.len(), watcher.watchlist.len(), "waits for ever for the first list");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cl_051_whatever_the_cluster_says_every_watcher_sees_what_a_client_can_believe(steps in steps()) {
        let mut node = Node::new();
        for step in &steps {
            node.act(step);
        }
        node.serve_all();
        node.watchers.clear();
        node.ledger.take(&node.hub);
        let all = format!("{:?}", node.hub);
        assert!(!all.contains("User {") && !all.contains("Conn {"), "something is left: {all}");
    }
}
