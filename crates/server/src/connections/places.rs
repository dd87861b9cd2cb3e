//! The bounds on HTTP connections, of the node and of each client address: who enters, who makes room, and whose
//! slot is lent.
//!
//! The lock is taken when a connection begins and ends, and when a slot is lent and taken back; never for another
//! request. Nothing waits under the lock.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;

use fanfare_node::addresses::counted;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::activity::{Activity, Group};
use super::closed::{Closed, Listener};
use super::crowd::Crowd;
use super::exempt::ExemptNetworks;

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
    pub exempt: ExemptNetworks,
}

/// All HTTP connections of the public listeners, or of the operators' listener.
#[derive(Debug)]
pub struct Places {
    bounds: ConnectionBounds,
    started: Instant,
    crowds: Mutex<Crowds>,
    /// Connections that hold a slot now, those left out whose slot is lent.
    open: AtomicUsize,
    /// Whether all connections are to end after the request under way.
    ending: AtomicBool,
    closed: [AtomicU64; Closed::ALL.len()],
}

#[derive(Debug, Default)]
struct Crowds {
    node: Crowd,
    by_address: HashMap<Group, Crowd>,
    /// Connections whose slot is lent.
    lent: Crowd,
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
        let group = counted(address, &this.bounds.exempt.now());
        let mut crowds = this.crowds.lock();
        let has_room = group.map_or(Ok(()), |group| this.fit_address(&mut crowds, group, 1));
        if let Err(why) = has_room.and_then(|()| this.fit_node(&mut crowds, 1)) {
            drop(crowds);
            this.count(why);
            return Err(why);
        }
        let activity = Arc::new(Activity::new(group, now));
        crowds.insert(&activity);
        this.open.store(crowds.node.members.len(), Ordering::Relaxed);
        drop(crowds);
        Ok(Place { places: Arc::clone(this), activity })
    }

    /// Lets the idlest connections of an address make room for newcomers. Connections whose slot was lent may have come
    /// back to a full house, so that one may not be enough.
    fn fit_address(&self, crowds: &mut Crowds, group: Group, newcomers: usize) -> Result<(), Closed> {
        while crowds.staying_of(group) + newcomers > self.bounds.per_address {
            let crowd = crowds.by_address.get_mut(&group);
            let chosen = crowd.and_then(Crowd::choose).ok_or(Closed::AddressFull)?;
            self.leave_soon(crowds, &chosen);
        }
        Ok(())
    }

    /// The same for all connections.
    fn fit_node(&self, crowds: &mut Crowds, newcomers: usize) -> Result<(), Closed> {
        while crowds.node.staying() + newcomers > self.bounds.all {
            let chosen = crowds.node.choose().ok_or(Closed::Full)?;
            self.leave_soon(crowds, &chosen);
        }
        Ok(())
    }

    /// Takes a connection out of the count until the lending is over.
    pub(super) fn lend(&self, activity: &Arc<Activity>) {
        let mut crowds = self.crowds.lock();
        if activity.lend() {
            crowds.remove(activity);
            crowds.lent.insert(activity, OF_NODE);
            self.open.store(crowds.node.members.len(), Ordering::Relaxed);
        }
    }

    /// The end of a lending: the connection counts again, and the idlest make room if that is too many.
    pub(super) fn take_back(&self, activity: &Arc<Activity>) {
        let mut crowds = self.crowds.lock();
        if !activity.take_back() {
            return;
        }
        crowds.lent.remove(activity, OF_NODE);
        crowds.insert(activity);
        self.open.store(crowds.node.members.len(), Ordering::Relaxed);
        // Where a request is under way on each, the next newcomer is refused.
        let _ = activity.group.map(|group| self.fit_address(&mut crowds, group, 0));
        let _ = self.fit_node(&mut crowds, 0);
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
        activity.go();
        if activity.is_lent() {
            crowds.lent.remove(activity, OF_NODE);
        } else {
            crowds.remove(activity);
        }
        self.open.store(crowds.node.members.len(), Ordering::Relaxed);
    }

    /// Ends every connection after its request under way.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
        let crowds = self.crowds.lock();
        for activity in crowds.node.members.iter().chain(&crowds.lent.members) {
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

    /// Connections that hold a slot now, those left out whose slot is lent.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Addresses in the table.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        self.crowds.lock().by_address.len()
    }

    /// Connections whose slot is lent.
    #[cfg(test)]
    pub(super) fn lent(&self) -> usize {
        self.crowds.lock().lent.members.len()
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

impl Crowds {
    fn insert(&mut self, activity: &Arc<Activity>) {
        self.node.insert(activity, OF_NODE);
        if let Some(group) = activity.group {
            self.by_address.entry(group).or_default().insert(activity, OF_ADDRESS);
        }
    }

    fn remove(&mut self, activity: &Arc<Activity>) {
        self.node.remove(activity, OF_NODE);
        if let Some(group) = activity.group
            && let Some(crowd) = self.by_address.get_mut(&group)
        {
            crowd.remove(activity, OF_ADDRESS);
            if crowd.members.is_empty() {
                self.by_address.remove(&group);
            }
        }
    }

    fn staying_of(&self, group: Group) -> usize {
        self.by_address.get(&group).map_or(0, Crowd::staying)
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
