//! What a channel does for clients that resume, if the app lets them: notes what was sent, and sends what was missed
//! (RES-005 … RES-011).
//!
//! Without a ring every function here does nothing at all (RES-013).

use std::sync::Arc;

use fanfare_protocol::frame::{FRAME_COST, Frame};
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server;

use super::Channel;
use super::ring::{Expected, Missed, MissedElsewhere, Ring};
use crate::conn::Conn;
use crate::dialect::Dialect;
use crate::resume::{Rings, Since};
use crate::sharing::InCluster;

impl Channel {
    /// Begins to note what is sent, in apps whose clients resume.
    pub(super) fn open_ring(&mut self, rings: Option<&Arc<Rings>>) {
        if let Some(rings) = rings.filter(|_| self.ring().is_none()) {
            let ring = Ring::new(Arc::clone(rings), &self.name);
            self.ring_or(|| ring);
        }
    }

    /// Whether a client may come back who has left nobody else here.
    pub(super) fn is_awaited(&self) -> bool {
        self.ring().is_some_and(Ring::is_awaited)
    }

    /// Whether this client may come back.
    pub(super) fn awaits(&self, socket: SocketId) -> bool {
        self.ring().is_some_and(|ring| ring.awaits(socket))
    }

    /// What a newcomer missed of the channel; nothing where the ring does not reach back, or its outbox has no room.
    pub(super) fn missed(&self, conn: &Conn, since: &Since) -> Missed {
        fitting(conn, self.ring().map(|ring| ring.missed(since, conn.id)).unwrap_or_default())
    }

    /// What a newcomer missed of the channel, of which another node has said the first part.
    fn missed_elsewhere(&self, conn: &Conn, found: &MissedElsewhere, noted: &[u64]) -> Missed {
        let missed = self.ring().and_then(|ring| ring.missed_elsewhere(found, noted, conn.id));
        missed.map(|missed| fitting(conn, missed)).unwrap_or_default()
    }

    /// What a newcomer missed, who waits no more.
    pub(super) fn take_missed(&mut self, conn: &Conn, at: &InCluster<'_>) -> Option<Missed> {
        let ring = self.ring_mut()?;
        let (age, expected) = (ring.age(), ring.newcomers_mut().take(conn.id)?);
        Some(match expected {
            // What was lost on its way from other nodes is in no ring.
            Expected::Here(_) if !at.sharing.is_whole(&self.name, age) => Missed::default(),
            Expected::Here(since) => self.missed(conn, &since),
            Expected::Elsewhere(found, noted) => self.missed_elsewhere(conn, &found, &noted),
        })
    }

    /// Takes note of what a subscriber had got before, who says so behind its subscription: requests over HTTP may overtake
    /// each other. Once acknowledged, it is told that something may be missing.
    pub(crate) fn resume_late(&mut self, conn: &Conn, since: &Since) {
        let is_acknowledged = self.members.contains_key(&conn.id);
        let is_here = self.has_member(conn.id);
        let incomplete = server::resumed(&self.name, 0, false);
        match self.ring_mut() {
            Some(ring) if is_acknowledged => {
                ring.tell_incomplete(&conn.id);
                conn.outbox.push(&incomplete);
            }
            Some(ring) if is_here => ring.newcomers_mut().expect(conn.id, since.clone()),
            _ => {}
        }
    }

    /// Whether the kept event is among what a newcomer missed (RES-011).
    pub(super) fn holds_kept(&self, missed: Option<&Missed>, now: u64) -> bool {
        missed.zip(self.last(now)).is_some_and(|(missed, (kept, _))| missed.holds(kept))
    }

    /// Sends a newcomer what it missed, and begins to note what it gets; `is_held` if it was not sent what is kept.
    pub(super) fn begin_runs(&mut self, conn: &Conn, missed: Option<&Missed>, is_held: bool) {
        if let Some(missed) = missed {
            for frame in &missed.frames {
                conn.outbox.push(frame);
            }
            conn.outbox.push(&server::resumed(&self.name, missed.frames.len(), missed.is_complete));
        }
        if conn.dialect != Dialect::Pusher {
            return;
        }
        let got_kept = self.name.is_cached() && !is_held;
        if let Some((ring, last)) = self.rare.as_mut().and_then(|rare| rare.ring_and_kept()) {
            ring.begin(conn.id, got_kept.then(|| last.map(|last| last.frame())), missed);
        }
    }

    /// Notes an event of this node, or of the other one, for all subscribers; returns the frame to send instead, if the
    /// channel has a ring.
    pub(crate) fn note_event(
        &mut self,
        frame: &Frame,
        except: Option<SocketId>,
        node: Option<u64>,
    ) -> Option<Frame> {
        let (ring, kept) = self.rare.as_mut()?.ring_and_kept()?;
        let counted = ring.note_event(frame, except, node);
        if kept.is_some_and(|kept| kept.frame().bytes() == frame.bytes()) {
            ring.has_kept_last();
        }
        Some(counted)
    }

    /// Notes frames for all subscribers that are not replayed.
    pub(super) fn note_passing(&mut self, frames: usize) {
        if let Some(ring) = self.ring_mut() {
            ring.note_passing(frames);
        }
    }

    /// Notes a frame for one subscriber alone.
    pub(super) fn note_alone(&mut self, socket: SocketId) {
        if let Some(ring) = self.ring_mut() {
            ring.note_alone(&socket);
        }
    }

    /// A subscription is about to end; with an expiry, its client may come back.
    pub(crate) fn end_run(&mut self, socket: SocketId, until: Option<u64>) {
        if let Some(ring) = self.ring_mut() {
            ring.end(socket, until);
        }
    }

    /// Drops what was sent before, and the ended subscriptions that have expired; all where resuming is off. False if the
    /// channel has no ring.
    pub(crate) fn sweep_ring(&mut self, before: Option<u64>, now: u64) -> bool {
        let Some(ring) = self.ring_mut() else { return false };
        let expired = ring.sweep(before, now);
        if before.is_none() {
            self.drop_ring();
        }
        // Whom nobody waits for any more need not be told apart from newcomers.
        expired.into_iter().for_each(|socket| self.forget_served(socket));
        true
    }

    /// Drops what was sent before.
    pub(crate) fn thin_ring(&mut self, before: u64) {
        if let Some(ring) = self.ring_mut() {
            ring.drop_before(before);
        }
    }
}

/// What was missed, if the connection's outbox has room.
fn fitting(conn: &Conn, missed: Missed) -> Missed {
    let bytes: usize = missed.frames.iter().map(|frame| frame.bytes().len() + FRAME_COST).sum();
    let most = conn.outbox.budget().outbox_bytes() / 4 * 3;
    let has_room = conn.outbox.waiting().is_some_and(|waiting| waiting + bytes <= most);
    if has_room { missed } else { Missed::default() }
}
