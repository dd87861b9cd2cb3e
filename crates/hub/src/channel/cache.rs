//! The cached event of a channel on a node that is alone (WS-170 … WS-173); `ordered` has the cluster's part.

use fanfare_protocol::frame::Frame;
use fanfare_protocol::server;
use fanfare_protocol::webhook::{Kind, Transition};

use super::Channel;
use crate::cache::{ExpiryKey, Last, ParkedEvents};
use crate::conn::Conn;
use crate::transitions::Hooks;

impl Channel {
    /// Sends the cached event, or reports a cache miss (WS-171, WS-172).
    pub(super) fn send_last(&mut self, conn: &Conn, now: u64, hooks: Hooks<'_>) {
        if !self.name.is_cached() {
            return;
        }
        if let Some(last) = &mut self.last {
            last.unpark();
        }
        match self.last(now) {
            Some((frame, _)) => {
                conn.outbox.push(frame);
            }
            None => {
                conn.outbox.push(&server::cache_miss(&self.name));
                self.last = None;
                hooks.tell(Kind::CacheMiss, || Transition::Missed(self.name.clone()));
            }
        }
    }

    /// The cached event and its expiry.
    pub(crate) fn last(&self, now: u64) -> Option<(&Frame, u64)> {
        self.last.as_ref().and_then(|last| Some((last.at(now)?, last.until())))
    }

    /// Caches an event for later subscribers.
    pub(crate) fn keep(&mut self, frame: &Frame, until: u64, hooks: Hooks<'_>) {
        // A subscriber with a cache miss has removed the expired event already.
        if self.last.is_none() {
            hooks.tell(Kind::CacheMiss, || Transition::Filled(self.name.clone()));
        }
        self.last = Some(Box::new(Last::new(frame, until)));
    }

    /// Counts the cached event, if there is one, against the bound on channels without subscribers.
    pub(crate) fn park(&mut self, parked: &ParkedEvents) {
        if let Some(last) = self.last.as_mut().filter(|_| self.members.is_empty()) {
            last.park(&self.name, parked);
        }
    }

    /// Whether a parked event under this key is all that the channel holds.
    pub(crate) fn is_parked_as(&self, turn: ExpiryKey) -> bool {
        self.last.as_ref().is_some_and(|last| last.is_parked_as(turn))
    }
}
