//! The places of connections that an app's quota bounds (WS-061, CL-062).

use std::sync::Arc;

use super::AppHub;
use crate::sharing::told_of_connections;
use crate::sync::Ordering;

/// One of an app's `max_connections`, released on drop.
#[derive(Debug)]
pub struct Slot(Arc<AppHub>);

impl AppHub {
    /// Takes one of the app's `max_connections` places, if one is free (WS-061). In a cluster the places that other
    /// nodes have taken count, as last heard.
    #[must_use]
    pub fn take_slot(self: &Arc<Self>) -> Option<Slot> {
        let most = self.app.read().max_connections.unwrap_or(usize::MAX);
        let others = self.sharing.as_ref().map_or(0, |sharing| sharing.others());
        let free = |taken: usize| (taken.saturating_add(others) < most).then_some(taken + 1);
        let taken = self.slots_taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free);
        taken.is_ok().then(|| {
            self.tell_slots();
            Slot(Arc::clone(self))
        })
    }

    /// Forgets the connections of other nodes, of which nothing has been heard for long (CL-062).
    pub fn forget_others(&self) {
        if let Some(sharing) = &self.sharing {
            sharing.set_others(0);
        }
    }

    fn tell_slots(&self) {
        if let Some(sharing) = &self.sharing {
            let told = told_of_connections(&self.app.read());
            sharing.push_connections(&self.slots_taken, told);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.slots_taken.fetch_sub(1, Ordering::Relaxed);
        self.0.tell_slots();
    }
}
