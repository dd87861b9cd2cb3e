//! The cached event of a channel on a node that is alone (WS-170 … WS-173); `ordered` has the cluster's part.

use fanfare_protocol::frame::Frame;
use fanfare_protocol::server;
use fanfare_protocol::webhook::{Kind, Transition};

use super::Channel;
use crate::cache::{ExpiryKey, Last, ParkedEvents};
use crate::conn::Conn;
use crate::dialect::Dialect;
use crate::transitions::Hooks;

impl Channel {
    /// Sends the cached event, or reports a cache miss (WS-171, WS-172); neither if what the connection missed holds the
    /// event (RES-011).
    pub(super) fn send_last(&mut self, conn: &Conn, now: u64, hooks: Hooks<'_>, is_held: bool) {
        if !self.name.is_cached() {
            return;
        }
        if let Some(last) = self.kept_mut() {
            last.unpark();
        }
        if !is_held && !self.send_if_kept(conn, now) {
            hooks.tell(Kind::CacheMiss, || Transition::Missed(self.name.clone()));
        }
    }

    /// Sends the cached event in the connection's dialect; without one, Pusher's clients are told so, and the result is
    /// false (WS-172, SIO-105).
    pub(super) fn send_if_kept(&mut self, conn: &Conn, now: u64) -> bool {
        if let Some(last) = self.kept_mut().filter(|last| last.at(now).is_some()) {
            if let Some(frame) = last.in_dialect(conn.dialect) {
                conn.outbox.push(frame);
            }
            return true;
        }
        self.set_kept(None);
        if conn.dialect == Dialect::Pusher {
            conn.outbox.push(&server::cache_miss(&self.name));
        }
        false
    }

    /// The cached event and its expiry.
    pub(crate) fn last(&self, now: u64) -> Option<(&Frame, u64)> {
        self.kept().and_then(|last| Some((last.at(now)?, last.until())))
    }

    /// Caches an event for later subscribers.
    pub(crate) fn keep(&mut self, frame: &Frame, until: u64, hooks: Hooks<'_>) {
        // A subscriber with a cache miss has removed the expired event already.
        if self.kept().is_none() {
            hooks.tell(Kind::CacheMiss, || Transition::Filled(self.name.clone()));
        }
        self.set_kept(Some(Last::new(frame, until)));
    }

    /// Evicts the cached event.
    pub(crate) fn forget_kept(&mut self) {
        self.set_kept(None);
    }

    /// Counts the cached event, if there is one, against the bound on channels without subscribers.
    pub(crate) fn park(&mut self, parked: &ParkedEvents) {
        if !self.members.is_empty() {
            return;
        }
        let name = self.name.clone();
        if let Some(last) = self.kept_mut() {
            last.park(&name, parked);
        }
    }

    /// Whether a parked event under this key is all that the channel holds.
    pub(crate) fn is_parked_as(&self, turn: ExpiryKey) -> bool {
        self.kept().is_some_and(|last| last.is_parked_as(turn))
    }
}
