//! The bounds on HTTP connections, of the node and of each client address, and the choice of the connection to
//! close for a new one.
//!
//! The lock is taken when a connection begins and ends, never for a request, and nothing waits under the lock.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;

use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::activity::{Activity, Group, Waiting};
use super::closed::{Closed, Listener};
use super::network::network;

/// Connections that may be closing, chosen but not gone yet, beside those that stay.
const LEAVING: usize = 64;

/// Share of the waiting connections, 1 in this many, that a search remembers as next to close, so that not every new
/// connection needs a search of all.
const REMEMBERED: usize = 16;

/// Positions of a connection in the lists.
const OF_NODE: usize = 0;
const OF_ADDRESS: usize = 1;

/// The bounds on connections.
#[derive(Clone, Debug)]
pub struct ConnectionBounds {
    /// The listener.
    pub listener: Listener,
    /// Most connections in all.
    pub all: usize,
    /// Most connections of one client address; of IPv6, of one 64-bit network, which is what a stranger has.
    pub per_address: usize,
    /// Addresses without the bound by address: all clients behind a proxy have its address.
    pub exempt: Vec<IpNet>,
}

/// All HTTP connections of the public listeners, or of the operators' listener.
#[derive(Debug)]
pub struct Places {
    bounds: ConnectionBounds,
    started: Instant,
    crowds: Mutex<Crowds>,
    /// Connections that hold a slot now.
    open: AtomicUsize,
    /// Whether all connections are to end after the request under way.
    ending: AtomicBool,
    closed: [AtomicU64; Closed::ALL.len()],
}

#[derive(Debug, Default)]
struct Crowds {
    node: Crowd,
    by_address: HashMap<Group, Crowd>,
}

/// Connections that share a bound.
#[derive(Debug, Default)]
struct Crowd {
    members: Vec<Arc<Activity>>,
    /// The idlest connections found by the last search, the idlest of all at the end.
    idlest: Vec<Candidate>,
    /// Members that were chosen to make room and have not ended yet.
    leaving: usize,
}

/// A candidate for closing, as the search saw the connection.
#[derive(Debug)]
struct Candidate {
    /// Whether an answer is being written that the peer does not read at the moment.
    is_blocked: bool,
    waiting: Waiting,
    activity: Arc<Activity>,
}

/// A connection's slot, released on drop.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    activity: Arc<Activity>,
}

impl Places {
    /// Slots, all free.
    #[must_use]
    pub fn new(bounds: ConnectionBounds) -> Self {
        Self {
            bounds,
            started: Instant::now(),
            crowds: Mutex::default(),
            open: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            closed: Default::default(),
        }
    }

    /// Takes a slot for a connection from this address; if none is free, the idlest connection is closed.
    ///
    /// # Errors
    /// A request is under way on every connection that could be closed.
    pub fn enter(this: &Arc<Self>, address: IpAddr) -> Result<Place, Closed> {
        Self::enter_at(this, address, this.now())
    }

    /// [`Self::enter`] at a moment in microseconds.
    pub(super) fn enter_at(this: &Arc<Self>, address: IpAddr, now: u64) -> Result<Place, Closed> {
        let is_exempt = this.bounds.exempt.iter().any(|net| net.contains(&address));
        let group = (!is_exempt).then(|| network(address));
        let mut crowds = this.crowds.lock();
        if let Err(why) = this.find_room(&mut crowds, group) {
            drop(crowds);
            this.count(why);
            return Err(why);
        }
        let activity = Arc::new(Activity::new(group, now));
        crowds.node.insert(&activity, OF_NODE);
        if let Some(group) = group {
            crowds.by_address.entry(group).or_default().insert(&activity, OF_ADDRESS);
        }
        this.open.store(crowds.node.members.len(), Ordering::Relaxed);
        drop(crowds);
        Ok(Place { places: Arc::clone(this), activity })
    }

    fn find_room(&self, crowds: &mut Crowds, group: Option<Group>) -> Result<(), Closed> {
        let of_address = group.and_then(|group| crowds.by_address.get_mut(&group));
        if let Some(crowd) = of_address.filter(|crowd| crowd.staying() >= self.bounds.per_address) {
            let chosen = crowd.choose().ok_or(Closed::AddressFull)?;
            self.leave_soon(crowds, &chosen);
        }
        if crowds.node.staying() >= self.bounds.all {
            let chosen = crowds.node.choose().ok_or(Closed::Full)?;
            self.leave_soon(crowds, &chosen);
        }
        Ok(())
    }

    /// Marks a connection as leaving.
    fn leave_soon(&self, crowds: &mut Crowds, chosen: &Activity) {
        crowds.node.leaving += 1;
        if let Some(crowd) = chosen.group.and_then(|group| crowds.by_address.get_mut(&group)) {
            crowd.leaving += 1;
        }
        self.count(Closed::MadeRoom);
    }

    /// Closes the idlest connection, if any connection has no request under way.
    pub fn make_room(&self) {
        let mut crowds = self.crowds.lock();
        if let Some(chosen) = crowds.node.choose() {
            self.leave_soon(&mut crowds, &chosen);
        }
    }

    fn leave(&self, activity: &Arc<Activity>) {
        let mut crowds = self.crowds.lock();
        // A crowd may still remember the connection as idle; the connection must not be chosen any more.
        activity.begin();
        crowds.node.remove(activity, OF_NODE);
        if let Some(group) = activity.group
            && let Some(crowd) = crowds.by_address.get_mut(&group)
        {
            crowd.remove(activity, OF_ADDRESS);
            if crowd.members.is_empty() {
                crowds.by_address.remove(&group);
            }
        }
        self.open.store(crowds.node.members.len(), Ordering::Relaxed);
    }

    /// Ends every connection after its request under way.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
        for activity in &self.crowds.lock().node.members {
            activity.wake();
        }
    }

    /// Whether every connection is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Whether the next new connection needs another's slot.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.open() >= self.bounds.all
    }

    /// Connections that hold a slot now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Addresses in the table.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        self.crowds.lock().by_address.len()
    }

    /// Connections that were chosen to make room and have not ended yet.
    #[cfg(test)]
    pub(super) fn leaving(&self) -> usize {
        self.crowds.lock().node.leaving
    }

    /// The bound on all connections.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.bounds.all
    }

    /// Counts a connection closed by the server.
    pub(super) fn count(&self, why: Closed) {
        self.closed[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Advice for the operator about a connection closed by the server.
    pub(super) const fn advice(&self, why: Closed) -> &'static str {
        why.advice(self.bounds.listener)
    }

    /// Number of connections that the server closed for this reason.
    #[must_use]
    pub fn closed(&self, why: Closed) -> u64 {
        self.closed[why as usize].load(Ordering::Relaxed)
    }

    /// The current moment, in microseconds.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The moment of a number of microseconds.
    pub(super) fn moment(&self, microseconds: u64) -> Instant {
        self.started + std::time::Duration::from_micros(microseconds)
    }
}

impl Crowd {
    fn staying(&self) -> usize {
        self.members.len().saturating_sub(self.leaving)
    }

    fn insert(&mut self, activity: &Arc<Activity>, list: usize) {
        activity.positions[list].store(self.members.len(), Ordering::Relaxed);
        self.members.push(Arc::clone(activity));
    }

    fn remove(&mut self, activity: &Activity, list: usize) {
        let at = activity.positions[list].load(Ordering::Relaxed);
        self.members.swap_remove(at);
        if let Some(moved) = self.members.get(at) {
            moved.positions[list].store(at, Ordering::Relaxed);
        }
        self.leaving -= usize::from(activity.was_chosen());
    }

    /// Chooses the idlest member to close.
    fn choose(&mut self) -> Option<Arc<Activity>> {
        if self.leaving >= LEAVING {
            return None;
        }
        self.next().or_else(|| {
            self.look();
            self.next()
        })
    }

    /// The idlest remembered connection that is still idle. A connection that the last search did not remember has
    /// not been idle for longer since.
    fn next(&mut self) -> Option<Arc<Activity>> {
        while let Some(Candidate { is_blocked, waiting, activity }) = self.idlest.pop() {
            let is_newly_blocked = !is_blocked && activity.blocked_at().is_some();
            if !is_newly_blocked && activity.choose(waiting) {
                return Some(activity);
            }
        }
        None
    }

    /// Searches all members, and remembers the idlest. A connection whose answer is still being written ranks behind
    /// all others.
    fn look(&mut self) {
        let candidate = |activity: &Arc<Activity>| {
            let (waiting, is_blocked) = (activity.waiting()?, activity.blocked_at().is_some());
            Some(Candidate { is_blocked, waiting, activity: Arc::clone(activity) })
        };
        let mut idle: Vec<_> = self.members.iter().filter_map(candidate).collect();
        let wanted = idle.len().div_ceil(REMEMBERED);
        if wanted < idle.len() {
            idle.select_nth_unstable_by_key(wanted, Candidate::rank);
            idle.truncate(wanted);
        }
        idle.sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.rank()));
        idle.shrink_to_fit();
        self.idlest = idle;
    }
}

impl Candidate {
    /// The least rank is closed first.
    fn rank(&self) -> (bool, Waiting) {
        (self.is_blocked, self.waiting)
    }
}

impl Place {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Runs a farewell until its end, or until a new connection needs the slot.
    pub async fn until_needed(&self, farewell: impl Future<Output = ()>) {
        self.activity.wait_for_peer(self.places.now());
        let mut farewell = pin!(farewell);
        poll_fn(|cx| {
            self.activity.set_waker(cx.waker());
            let said = farewell.as_mut().poll(cx);
            if self.activity.is_leaving() { Poll::Ready(()) } else { said }
        })
        .await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.leave(&self.activity);
    }
}
