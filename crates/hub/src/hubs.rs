//! The hubs of all apps that have connections.

use std::sync::Arc;
use std::task::{Context, Poll};

use fanfare_protocol::app::App;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::AppId;
use hashbrown::HashMap;

use crate::app_hub::AppHub;
use crate::bell::Bells;
use crate::budget::Budget;
use crate::conn::Conn;
use crate::resume::{NodeRings, ResumeBounds};
use crate::sharing::{Cluster, Sharing, Topics};
use crate::sync::{Mutex, RandomState};

/// How often the age of what is kept for clients that resume is halved in one sweep, while that is too much.
const HALVINGS: u32 = 6;

/// Used once per connection and once per HTTP request, never per message.
#[derive(Debug, Default)]
pub struct Hubs {
    /// Guards the table only; hubs are used outside the lock.
    apps: Mutex<HashMap<AppId, Arc<AppHub>, RandomState>>,
    bells: Bells,
    budget: Arc<Budget>,
    rings: Arc<NodeRings>,
    /// What the hubs share with the cluster; absent where the node is alone.
    cluster: Option<Arc<Cluster>>,
}

impl Hubs {
    /// No hub yet; the outboxes of all connections hold no more than the budget.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        let budget = Arc::new(budget);
        let rings = Arc::new(NodeRings::new(ResumeBounds::default(), Arc::clone(&budget)));
        Self { budget, rings, ..Self::default() }
    }

    /// The same, before the first hub, with bounds on what is kept for clients that resume (RES-012).
    #[must_use]
    pub fn with_resume_bounds(self, bounds: ResumeBounds) -> Self {
        let rings = Arc::new(NodeRings::new(bounds, Arc::clone(&self.budget)));
        Self { rings, ..self }
    }

    /// As [`Hubs::new`], for a node of a cluster: each hub queues its changes, and is told outcomes.
    #[must_use]
    pub fn shared(budget: Budget, topics: Arc<dyn Topics>) -> Self {
        let cluster = Arc::new(Cluster::new(topics, budget.outbox_bytes()));
        Self { cluster: Some(cluster), ..Self::new(budget) }
    }

    /// The bound on the outboxes of connections.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// The app's hub; made with these settings if the app has none.
    #[must_use]
    pub fn open(&self, app: &Arc<App>) -> Arc<AppHub> {
        let mut apps = self.apps.lock();
        let sharing = |cluster: &Arc<Cluster>| {
            Sharing::new(app.id.clone(), Arc::clone(cluster), Arc::clone(&self.bells.cluster))
        };
        let new = || {
            let (rings, sharing) = (Arc::clone(&self.rings), self.cluster.as_ref().map(sharing));
            Arc::new(AppHub::under(&self.bells, rings, Arc::clone(app), sharing))
        };
        Arc::clone(apps.entry(app.id.clone()).or_insert_with(new))
    }

    /// The app's hub, if the app has one.
    #[must_use]
    pub fn get(&self, id: &AppId) -> Option<Arc<AppHub>> {
        self.apps.lock().get(id).map(Arc::clone)
    }

    /// All hubs.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<AppHub>> {
        self.apps.lock().values().map(Arc::clone).collect()
    }

    /// Number of connections of all apps.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.all().iter().map(|hub| hub.connections()).sum()
    }

    /// The apps whose hubs have got transitions since the last call.
    pub fn poll_transitions(&self, cx: &Context<'_>) -> Poll<Vec<AppId>> {
        self.bells.transitions.poll(cx)
    }

    /// The apps whose channels have got changes for their subscribers since the last call; the changes wait for
    /// [`AppHub::tell_changes`].
    pub fn poll_changes(&self, cx: &Context<'_>) -> Poll<Vec<AppId>> {
        self.bells.changes.poll(cx)
    }

    /// The apps whose hubs have got changes for the cluster since the last call; see [`AppHub::take_changes`].
    pub fn poll_cluster_changes(&self, cx: &Context<'_>) -> Poll<Vec<AppId>> {
        self.bells.cluster.poll(cx)
    }

    /// Closes the connections with the most waiting bytes, one after the other, until there is room in the budget
    /// again; returns the number of closed connections.
    ///
    /// Frames that a closed connection was writing at the moment are freed a little later, by its own task.
    pub fn relieve(&self) -> usize {
        if !self.budget.is_over() {
            return 0;
        }
        let conns = self.all().into_iter().flat_map(|hub| hub.conns());
        let mut largest: Vec<(usize, Arc<Conn>)> =
            conns.map(|conn| (conn.waiting(), conn)).filter(|(waiting, _)| *waiting > 0).collect();
        largest.sort_unstable_by_key(|(waiting, _)| *waiting);
        let mut closed = 0;
        while !self.budget.has_room()
            && let Some((_, conn)) = largest.pop()
        {
            closed += usize::from(conn.give_up(CloseReason::OverMemory));
        }
        closed
    }

    /// Bytes that are kept for clients that resume, and ended connections that are remembered.
    #[must_use]
    pub fn kept_for_resuming(&self) -> (usize, usize) {
        (self.rings.bytes(), self.rings.records())
    }

    /// Answers since the start to clients that came back: complete, and incomplete ones (RES-006).
    #[must_use]
    pub fn resumes(&self) -> [u64; 2] {
        self.rings.answers()
    }

    /// Drops what has expired of all that is kept for clients that resume, and the oldest of all apps while that is too much;
    /// to be called every second, because what is
    /// kept from then on is as of `now`, in milliseconds of the clock by which cached events expire.
    pub fn sweep_rings(&self, now: u64) {
        self.rings.set_now(now);
        let hubs = self.all();
        hubs.iter().for_each(|hub| hub.sweep_rings());
        for halvings in 1..=HALVINGS {
            hubs.iter().for_each(|hub| hub.thin_rings(halvings));
        }
    }

    /// Drops expired events, and the hubs that nobody holds and that keep nothing; `now` is in milliseconds of the
    /// clock by which cached events expire.
    pub fn sweep(&self, now: u64) {
        for hub in self.all() {
            hub.drop_expired(now);
        }
        // Under the lock nobody can get a hub that only the table holds.
        self.apps.lock().retain(|_, hub| Arc::strong_count(hub) > 1 || hub.keeps_anything());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscriptions::Subscriptions;
    use crate::test_app;

    #[test]
    fn a_sweep_drops_only_hubs_without_connections() {
        let hubs = Hubs::default();
        let busy = Subscriptions::new(hubs.open(&test_app("1")), crate::test_conn(1));
        let _ = hubs.open(&test_app("2"));
        hubs.sweep(0);
        assert!(hubs.get(&"1".into()).is_some() && hubs.get(&"2".into()).is_none());
        drop(busy);
        hubs.sweep(0);
        assert!(hubs.all().is_empty());
    }

    #[test]
    fn opening_again_gives_the_same_hub_and_newer_settings_hold_once_they_are_set() {
        let hubs = Hubs::default();
        let hub = hubs.open(&test_app("1"));
        let mut newer = (*test_app("1")).clone();
        newer.max_connections = Some(0);
        let newer = Arc::new(newer);
        let again = hubs.open(&newer);
        assert!(Arc::ptr_eq(&hub, &again));
        assert!(hub.take_slot().is_some());
        again.set_app(&newer);
        assert!(hub.take_slot().is_none());
    }
}
