//! Subscribers of channels, among them presence channels: CL-012, CL-014, and nobody waits for ever once served.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_hub::{AppHub, Hubs, OrderedEvent, Subscriptions};
use fanfare_protocol::app::Limits;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::cluster::{ClusterOutcome, FoundEvent};
use fanfare_protocol::presence::{Identity, UserInfo};
use fanfare_protocol::server::QuotedEvent;
use proptest::prelude::*;

use crate::ledger::Ledger;
use crate::seen::read;
use crate::view::{View, refused_channel};
use crate::{Live, app, connect_speaking, dialect, hubs};

const SLOTS: usize = 6;
const CHANNELS: [&str; 4] = ["presence-room", "presence-cache-desk", "cache-rates", "news"];
const USERS: [&str; 4] = ["u0", "u1", "u2", "u3"];

#[derive(Clone, Debug)]
enum Step {
    Join {
        slot: usize,
        channel: usize,
        user: usize,
        info: u8,
    },
    Leave {
        slot: usize,
        channel: usize,
    },
    Close {
        slot: usize,
    },
    Publish {
        channel: usize,
    },
    Live(bool),
    Tell,
    /// An outcome for the copy, or the join, before so many others.
    Say {
        channel: usize,
        back: usize,
        what: Said,
    },
}

#[derive(Clone, Debug)]
enum Said {
    Confirmed(usize),
    Refused(usize),
    Added(usize, u8),
    Removed(usize),
    Roster { users: u8, only_adds: bool },
    Doubtful,
    Serve,
    Count(usize),
    Cached(Option<u64>),
    CacheLost,
    Heard { version: u64, is_own: bool, is_quiet: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..150)
}

fn step() -> impl Strategy<Value = Step> {
    // Most of it happens on the first channel, where most can go wrong.
    let channel = || prop_oneof![3 => Just(0), 2 => 1..CHANNELS.len()];
    let (slot, user) = (0..SLOTS, 0..USERS.len());
    let back = prop_oneof![4 => Just(0_usize), 1 => 1..3_usize];
    prop_oneof![
        8 => (slot.clone(), channel(), user, 0..3_u8)
            .prop_map(|(slot, channel, user, info)| Step::Join { slot, channel, user, info }),
        4 => (slot.clone(), channel()).prop_map(|(slot, channel)| Step::Leave { slot, channel }),
        1 => slot.prop_map(|slot| Step::Close { slot }),
        2 => channel().prop_map(|channel| Step::Publish { channel }),
        1 => any::<bool>().prop_map(Step::Live),
        1 => Just(Step::Tell),
        20 => (channel(), back, said()).prop_map(|(channel, back, what)| Step::Say { channel, back, what }),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let user = || 0..USERS.len();
    prop_oneof![
        6 => user().prop_map(Said::Confirmed),
        2 => user().prop_map(Said::Refused),
        4 => (user(), 0..3_u8).prop_map(|(user, info)| Said::Added(user, info)),
        4 => user().prop_map(Said::Removed),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(users, only_adds)| Said::Roster { users, only_adds }),
        1 => Just(Said::Doubtful),
        1 => Just(Said::Serve),
        1 => (0..9_usize).prop_map(Said::Count),
        2 => prop::option::of(1..9_u64).prop_map(Said::Cached),
        1 => Just(Said::CacheLost),
        2 => (1..9_u64, any::<bool>(), any::<bool>())
            .prop_map(|(version, is_own, is_quiet)| Said::Heard { version, is_own, is_quiet }),
    ]
}

struct Client {
    subscriptions: Subscriptions,
    views: BTreeMap<usize, View>,
}

struct Node {
    live: Arc<Live>,
    hubs: Hubs,
    hub: Arc<AppHub>,
    clients: Vec<Client>,
    connections: u64,
    ledger: Ledger,
}

fn channel(at: usize) -> ChannelName {
    ChannelName::parse(CHANNELS[at], 164).expect("a legal name")
}

fn is_presence(at: usize) -> bool {
    CHANNELS[at].starts_with("presence-")
}

fn info(of: u8) -> UserInfo {
    Identity::parse(&format!(r#"{{"user_id":"u","user_info":{of}}}"#), "c", &Limits::default())
        .expect("an identity")
        .user_info
}

fn event(at: usize, what: &str) -> fanfare_protocol::frame::Frame {
    QuotedEvent::new("e", what).on(&channel(at))
}

impl Client {
    /// Follows what came; panics at what a client cannot believe.
    fn follow(&mut self) {
        for seen in read(&self.subscriptions) {
            let name = seen.channel.clone().unwrap_or_else(|| refused_channel(&seen));
            let at = CHANNELS.iter().position(|known| *known == name).expect("a channel");
            let view =
                self.views.get_mut(&at).unwrap_or_else(|| panic!("{} of {name}, not subscribed", seen.event));
            if seen.event == "error" {
                assert!(matches!(view, View::Waiting(_)), "refused after the acknowledgement of {name}");
                assert!(!self.subscriptions.contains(&name), "refused, and subscribed");
                self.views.remove(&at);
                continue;
            }
            view.see(&name, &seen);
        }
        assert_eq!(self.subscriptions.len(), self.views.len());
    }
}

impl Node {
    fn new() -> Self {
        let live = Live::new(false);
        let hubs = hubs(&live);
        let hub = hubs.open(&app());
        let mut node =
            Self { live, hubs, hub, clients: Vec::new(), connections: 0, ledger: Ledger::default() };
        node.clients = (0..SLOTS).map(|_| node.connect()).collect();
        node
    }

    fn connect(&mut self) -> Client {
        self.connections += 1;
        let dialect = dialect(self.connections as usize % 2);
        let subscriptions = connect_speaking(dialect, &self.hubs, self.connections);
        Client { subscriptions, views: BTreeMap::new() }
    }

    fn act(&mut self, step: &Step) {
        match step {
            Step::Join { slot, channel: at, user, info } => self.join(*slot, *at, *user, *info),
            Step::Leave { slot, channel } => {
                let client = &mut self.clients[*slot];
                let left = client.views.remove(channel);
                assert_eq!(client.subscriptions.unsubscribe(CHANNELS[*channel]), left.is_some());
                // Who has waited for an answer gets one (WS-142), where the cluster has nothing to decide.
                let is_answered = matches!(left, Some(View::Waiting(_))) && !is_presence(*channel);
                let answers: Vec<String> =
                    read(&client.subscriptions).into_iter().map(|seen| seen.event).collect();
                let expected: &[&str] = if is_answered { &["subscription_succeeded"] } else { &[] };
                assert_eq!(answers, expected);
            }
            Step::Close { slot } => self.clients[*slot] = self.connect(),
            Step::Publish { channel: at } if CHANNELS[*at].contains("cache-") => {
                self.hub.deliver_and_keep(&channel(*at), &event(*at, "own"), None, u64::MAX);
            }
            Step::Publish { channel: at } => {
                self.hub.deliver(&channel(*at), &event(*at, "own"), None);
            }
            Step::Live(is_live) => self.live.set(*is_live),
            Step::Tell => self.hub.tell_changes(),
            Step::Say { channel, back, what } => self.say(*channel, *back, what),
        }
        for client in &mut self.clients {
            client.follow();
        }
        self.ledger.take(&self.hub);
        self.compare();
    }

    fn join(&mut self, slot: usize, at: usize, user: usize, info: u8) {
        let client = &mut self.clients[slot];
        let identity = is_presence(at).then(|| {
            let data = format!(r#"{{"user_id":"{}","user_info":{info}}}"#, USERS[user]);
            Identity::parse(&data, CHANNELS[at], &Limits::default()).expect("an identity")
        });
        let is_new = !client.views.contains_key(&at);
        assert_eq!(client.subscriptions.subscribe(channel(at), identity, 0).is_ok(), is_new);
        let dialect = client.subscriptions.conn().dialect;
        client.views.entry(at).or_insert_with(|| View::new(dialect, CHANNELS[at], USERS[user]));
    }

    fn say(&self, at: usize, back: usize, what: &Said) {
        let name = channel(at);
        let Some(copy) = self.ledger.copy(CHANNELS[at], back) else { return };
        let ticket = |user: usize| self.ledger.ticket(CHANNELS[at], USERS[user], back).unwrap_or(copy);
        let of = |user: usize| USERS[user].into();
        let outcome = match what {
            Said::Heard { version, is_own, is_quiet } if name.is_cached() => {
                let frame = &event(at, "heard");
                let (version, is_own, is_quiet) = (*version, *is_own, *is_quiet);
                let event = OrderedEvent { version, is_own, is_quiet, frame, except: None, until: 9 };
                self.hub.hear_kept(&name, event);
                return;
            }
            Said::Confirmed(user) => {
                ClusterOutcome::Confirmed { channel: name, user: of(*user), ticket: ticket(*user) }
            }
            Said::Refused(user) => {
                ClusterOutcome::Refused { channel: name, user: of(*user), ticket: ticket(*user) }
            }
            Said::Added(user, of_info) if is_presence(at) => {
                ClusterOutcome::Added { channel: name, copy, user: of(*user), info: info(*of_info) }
            }
            Said::Removed(user) => ClusterOutcome::Removed { channel: name, copy, user: of(*user) },
            Said::Roster { users, only_adds } if is_presence(at) => {
                let meant = (0..USERS.len()).filter(|user| users & (1 << user) != 0);
                let users = meant.map(|user| (of(user), None)).collect();
                ClusterOutcome::Roster { channel: name, copy, users, only_adds: *only_adds }
            }
            Said::Doubtful => ClusterOutcome::Doubtful { channel: name, copy },
            Said::Serve => ClusterOutcome::Serve { channel: name, copy },
            Said::Count(count) => ClusterOutcome::Count { channel: name, count: *count },
            Said::Cached(version) if name.is_cached() => {
                let frame = event(at, "kept");
                let lives = Duration::from_secs(1);
                let found = version.map(|version| FoundEvent { version, frame, lives });
                ClusterOutcome::Cached { channel: name, copy, found }
            }
            Said::CacheLost if name.is_cached() => ClusterOutcome::CacheLost { channel: name, copy },
            _ => return,
        };
        self.hub.apply(outcome, 0);
    }

    /// All acknowledged subscribers of a channel hold the same roster (CL-014).
    fn compare(&self) {
        // Few changes come between two steps, so none is merged.
        for at in (0..CHANNELS.len()).filter(|at| is_presence(*at)) {
            let views = self.clients.iter().filter_map(|client| client.views.get(&at));
            let mut rosters = views.filter_map(|view| match view {
                View::In { members, .. } => Some(members),
                View::Waiting(_) => None,
            });
            let first = rosters.next();
            assert!(rosters.all(|roster| Some(roster) == first), "rosters of {} differ", CHANNELS[at]);
        }
    }

    /// Nobody waits once the channel has been served.
    fn serve_all(&mut self) {
        for at in 0..CHANNELS.len() {
            self.say(at, 0, &Said::Serve);
        }
        for client in &mut self.clients {
            client.follow();
            let waits = client.views.values().any(|view| matches!(view, View::Waiting(_)));
            assert!(!waits, "waits for ever: {:?}", client.views);
        }
        self.compare();
    }

    fn close_all(mut self) {
        self.clients.clear();
        self.ledger.take(&self.hub);
        let all = format!("{:?}", self.hub);
        for thing in ["Channel {", "Conn {", "User {"] {
            assert!(!all.contains(thing), "`{thing}` is left: {all}");
        }
        drop(self.hub);
        self.hubs.sweep(u64::MAX);
        assert!(self.hubs.all().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn cl_012_and_cl_014_whatever_the_cluster_says_everybody_sees_what_a_client_can_believe(steps in steps()) {
        let mut node = Node::new();
        for step in &steps {
            node.act(step);
        }
        node.serve_all();
        node.close_all();
    }
}
