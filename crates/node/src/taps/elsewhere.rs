//! A tap of this node on all others: its lease is told to them as long as somebody reads, and who says nothing is named (CON-037).
//!
//! One task a lease. Never waits for a node longer than [`PATIENCE`].

use std::sync::Arc;
use std::time::Duration;

use fanfare_bus::{Bus, ClusterQuestion, ClusterReply, KnownNode};
use fanfare_protocol::ids::AppId;
use tokio::time::{Instant, timeout_at};

use super::app_taps::AppTaps;
use super::lease::TapLease;
use super::registry::LeaseReader;
use crate::asking::name_of;
use crate::node::Node;

/// How long a tap lasts on other nodes that hear no more of it.
const LEASE: Duration = Duration::from_secs(15);

/// How often the lease is told anew.
const RENEWAL: Duration = Duration::from_secs(3);

/// How long a node may leave a lease unanswered before it is named.
const PATIENCE: Duration = Duration::from_millis(1500);

/// At how many renewals a reader who is gone may not have come back: a browser comes back after a second.
const AWAY_FOR: usize = 2;

/// Keeps a lease as long as its tap is read; once only for each lease.
pub(super) fn keep(node: &Arc<Node>, of_app: &Arc<AppTaps>, lease: &Arc<TapLease>) {
    let Some(bus) = node.bus().filter(|_| lease.take_keeping()).cloned() else { return };
    let kept = Kept { node: Arc::clone(node), bus, of_app: Arc::clone(of_app), lease: Arc::clone(lease) };
    node.tasks.spawn_work("live list of all nodes", kept.run());
}

struct Kept {
    node: Arc<Node>,
    bus: Bus,
    of_app: Arc<AppTaps>,
    lease: Arc<TapLease>,
}

impl Kept {
    async fn run(self) {
        let mut away = 0;
        while !self.lease.is_over() {
            match self.node.taps.reader(&self.lease) {
                LeaseReader::Here => away = 0,
                LeaseReader::Away => away += 1,
                LeaseReader::Gone => break,
            }
            if away > AWAY_FOR && self.node.taps.let_lapse(&self.of_app, &self.lease) {
                break;
            }
            self.turn().await;
        }
        self.tell(Duration::ZERO);
    }

    /// Tells the lease, and hears who answers, until the lease is to be told again.
    async fn turn(&self) {
        let start = Instant::now();
        self.lease.begin_turn();
        self.tell(LEASE);
        let others = self.others().await;
        if let Some(others) = &others {
            let all = async {
                while !self.lease.has_heard(others) && !self.lease.is_over() {
                    self.lease.bell.notified().await;
                }
            };
            // Who has not answered then is named.
            let _ = timeout_at(start + PATIENCE, all).await;
        }
        self.lease.end_turn(others.as_deref(), Instant::now());
        let over = async {
            while !self.lease.is_over() {
                self.lease.bell.notified().await;
            }
        };
        let _ = timeout_at(start + RENEWAL, over).await;
    }

    fn tell(&self, lease: Duration) {
        let TapLease { app, number, about, .. } = &*self.lease;
        self.bus.lease_tap(app, *number, (lease, about));
    }

    /// The other nodes with their names; `None` if that is not known, because Redis is away.
    async fn others(&self) -> Option<Vec<(u64, String)>> {
        let reply = self.bus.ask(&AppId::from(""), ClusterQuestion::Nodes).await;
        let Ok(ClusterReply::Nodes(nodes)) = reply else { return None };
        Some(named(nodes, self.bus.own_id()))
    }
}

/// The other nodes with their names.
fn named(nodes: Vec<KnownNode>, own: &str) -> Vec<(u64, String)> {
    let others = nodes.into_iter().filter(|node| node.id != own);
    others.filter_map(|node| Some((u64::from_str_radix(&node.id, 16).ok()?, name_of(&node)))).collect()
}
