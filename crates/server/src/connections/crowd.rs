//! Connections that share a bound, and the choice of the one to close for a new one.
//!
//! Used under the lock of all connections. A search disturbs no connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::activity::{Activity, Waiting};

/// Connections that may be closing, chosen but not gone yet, beside those that stay.
const LEAVING: usize = 64;

/// Share of the waiting connections, 1 in this many, that a search remembers as next to close, so that not every new
/// connection needs a search of all.
const REMEMBERED: usize = 16;

/// Connections that share a bound.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    pub(super) members: Vec<Arc<Activity>>,
    /// The idlest connections found by the last search, the idlest of all at the end.
    idlest: Vec<Candidate>,
    /// Members that were chosen to make room and have not ended yet.
    pub(super) leaving: usize,
}

/// A candidate for closing, as the search saw the connection.
#[derive(Debug)]
struct Candidate {
    /// Whether an answer is being written that the peer does not read at the moment.
    is_blocked: bool,
    waiting: Waiting,
    activity: Arc<Activity>,
}

impl Crowd {
    pub(super) fn staying(&self) -> usize {
        self.members.len().saturating_sub(self.leaving)
    }

    pub(super) fn insert(&mut self, activity: &Arc<Activity>, list: usize) {
        activity.positions[list].store(self.members.len(), Ordering::Relaxed);
        self.members.push(Arc::clone(activity));
        self.leaving += usize::from(activity.was_chosen());
    }

    pub(super) fn remove(&mut self, activity: &Activity, list: usize) {
        let at = activity.positions[list].load(Ordering::Relaxed);
        self.members.swap_remove(at);
        if let Some(moved) = self.members.get(at) {
            moved.positions[list].store(at, Ordering::Relaxed);
        }
        self.leaving -= usize::from(activity.was_chosen());
    }

    /// Chooses the idlest member to close.
    pub(super) fn choose(&mut self) -> Option<Arc<Activity>> {
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
            // A connection whose slot was lent since the search is no member.
            if !is_newly_blocked && !activity.is_lent() && activity.choose(waiting) {
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
