//! A slot that is lent: while a request waits for something to tell a client whose session has a seat of its own,
//! its HTTP connection is not counted.
//!
//! Thousands of waiting clients do not crowd out back ends. A lending must be held only by what holds a seat, one at
//! most, so that seats bound all lendings.

use std::sync::Arc;

use super::activity::Activity;
use super::places::Places;

/// Lends the slot of one connection.
#[derive(Clone, Debug)]
pub struct Lender {
    places: Arc<Places>,
    activity: Arc<Activity>,
}

impl Lender {
    pub(super) fn new(places: Arc<Places>, activity: Arc<Activity>) -> Self {
        Self { places, activity }
    }

    /// Takes the connection out of the count of the node and of its address, and lets no newcomer close the connection,
    /// until the last lending of the connection is dropped.
    ///
    /// Holds for the connection as a whole, as long as its client has a seat for it: over HTTP/2, other requests of the
    /// connection have their own bounds, and need no file descriptor.
    #[must_use]
    pub fn lend(&self) -> Lending {
        self.places.lend(&self.activity);
        Lending(self.clone())
    }
}

/// A connection that is not counted; counted again on drop, upon which the idlest connections are closed if that is too
/// many. Does nothing for a connection that has ended.
#[derive(Debug)]
pub struct Lending(Lender);

impl Drop for Lending {
    fn drop(&mut self) {
        self.0.places.take_back(&self.0.activity);
    }
}
