//! The kept event of a cache channel in a cluster: the order in which Redis keeps events counts (CL-040 … CL-043, N12).
//!
//! A newcomer gets an event either as the kept one or live, never both or neither. An own event is kept at once, and
//! while own events are on their way to Redis and back, events of other nodes are delivered and not kept.

mod answers;
mod fed;
mod mistakes;
mod reading;
#[cfg(test)]
mod tests;

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;

use self::fed::Fed;
use self::mistakes::{Mistake, is_made};
use self::reading::{Origin, Pending, Reading};
use super::Channel;
use crate::cache::Last;
use crate::conn::{Conn, Sockets};
use crate::sharing::InCluster;

/// An event of a cache channel as Redis has ordered it; own events come back as well.
#[derive(Clone, Copy, Debug)]
pub struct OrderedEvent<'a> {
    /// The event's place in the order of all kept events of the topic; 0 if Redis was full and keeps nothing of it.
    pub version: u64,
    /// This node has sent the event, and has delivered it already.
    pub is_own: bool,
    /// The event is kept, and delivered to nobody: every node has heard of it by itself (CL-068).
    pub is_quiet: bool,
    /// The event.
    pub frame: &'a Frame,
    /// The connection that does not get the event.
    pub except: Option<SocketId>,
    /// Expiry, in milliseconds of the clock of [`Subscriptions::subscribe`](crate::Subscriptions::subscribe).
    pub until: u64,
}

/// How the node's kept event stands to the order in Redis.
#[derive(Debug)]
pub(super) struct OrderedCache {
    /// Events since Redis was asked for the kept one; absent once the answer has come.
    reading: Option<Reading>,
    /// Own events that have not come back.
    own: usize,
    /// The version of the first answer: what comes with none above it was in the answer.
    first_read: u64,
    /// The greatest version that was heard or read.
    newest: u64,
    /// A later answer that has overtaken events on their way.
    ahead: Option<Ahead>,
    fed: Fed,
    /// Redis is away: nobody but this node says what is kept.
    is_lost: bool,
}

/// An answer that holds an event which has not been heard yet.
#[derive(Debug)]
struct Ahead {
    version: u64,
    /// The event, while an own event is kept in its place.
    found: Option<Last>,
    /// Subscribers who were served such an event as the kept one, and its version.
    served: Sockets<u64>,
}

impl Default for OrderedCache {
    fn default() -> Self {
        let reading = Some(Reading::default());
        Self { reading, own: 0, first_read: 0, newest: 0, ahead: None, fed: Fed::default(), is_lost: false }
    }
}

impl OrderedCache {
    /// Whether the answer of Redis is still to come.
    pub(super) const fn is_loading(&self) -> bool {
        self.reading.is_some()
    }

    /// An own event is on its way; without Redis none is waited for, because the event may get lost.
    const fn sent_own(&mut self) {
        self.own += !self.is_lost as usize;
    }

    /// Echoes may not come. What was heard before may still be on its way, behind what newcomers were served.
    fn lose(&mut self) {
        let (reading, ahead) = (self.reading.take(), self.ahead.take());
        *self = Self { reading, ahead, first_read: self.first_read, is_lost: true, ..Self::default() };
        if let Some(ahead) = &mut self.ahead {
            ahead.found = None;
        }
    }

    /// The first answer behind a loss: if Redis has lost data, versions have begun anew.
    fn found_again(&mut self, version: u64) {
        let known = self.ahead.as_ref().map_or(self.first_read, |ahead| ahead.version.max(self.first_read));
        if version < known {
            (self.first_read, self.ahead) = (0, None);
        }
    }

    /// A newcomer was served this event as the kept one.
    fn served(&mut self, frame: &Frame, socket: SocketId) {
        if let Some(ahead) = self.ahead.as_mut().filter(|_| self.own == 0) {
            ahead.served.insert(socket, ahead.version);
        }
        self.fed.serve(frame, socket);
    }

    /// Whether an event of another node is the last of the topic: no own event is on its way.
    fn keeps_others(&self) -> bool {
        self.own == 0 || is_made(Mistake::OthersReplaceOwn)
    }
}

/// Whether an event of this version was in an answer. What Redis does not keep is in none.
fn was_read(version: u64, read: u64) -> bool {
    (1..=read).contains(&version) && !is_made(Mistake::VersionsAreNotCompared)
}

impl Channel {
    fn ordered(&mut self) -> Option<&mut OrderedCache> {
        self.copy.as_mut()?.cache.as_deref_mut()
    }

    /// Delivers and keeps an event of this node, which the cluster is told separately.
    pub(crate) fn publish_ordered(
        &mut self,
        frame: &Frame,
        except: Option<SocketId>,
        until: u64,
        at: &InCluster<'_>,
    ) -> usize {
        let Some(cache) = self.ordered() else { return 0 };
        if let Some(reading) = &mut cache.reading {
            reading.push(Pending { origin: Origin::Here, frame: frame.clone(), except, until }, at);
            return 0;
        }
        cache.sent_own();
        self.set_kept(Some(Last::new(frame, until)));
        self.deliver(frame, except)
    }

    /// Delivers an event of another node and keeps it, or takes note that an own event has come back.
    pub(crate) fn hear_ordered(&mut self, event: OrderedEvent<'_>, at: &InCluster<'_>) -> usize {
        let OrderedEvent { version, is_own, is_quiet, frame, except, until } = event;
        let Some(cache) = self.ordered() else { return 0 };
        if let Some(reading) = &mut cache.reading {
            let origin = if is_own { Origin::Echo { version } } else { Origin::Other { version, is_quiet } };
            reading.push(Pending { origin, frame: frame.clone(), except, until }, at);
            return 0;
        }
        if was_read(version, cache.first_read) {
            return 0;
        }
        let ahead = cache.ahead.take_if(|ahead| ahead.version < version);
        drop(ahead);
        if is_own {
            self.own_came_back(version, frame, until);
            return 0;
        }
        cache.newest = cache.newest.max(version);
        if is_quiet {
            cache.fed.hear(frame);
        }
        if cache.keeps_others() && cache.ahead.is_none() {
            self.set_kept(Some(Last::new(frame, until)));
        }
        if is_quiet {
            return 0;
        }
        self.deliver_to_unserved(version, frame, except)
    }

    /// Delivers an event that every node hears by itself, and keeps the event unless Redis had it first (CL-068).
    pub(crate) fn deliver_fed(
        &mut self,
        frame: &Frame,
        except: Option<SocketId>,
        until: u64,
        at: &InCluster<'_>,
    ) -> usize {
        let Some(cache) = self.ordered() else { return 0 };
        if let Some(reading) = &mut cache.reading {
            reading.push(Pending { origin: Origin::Fed, frame: frame.clone(), except, until }, at);
            return 0;
        }
        let Some(served) = cache.fed.deliver(frame) else {
            self.set_kept(Some(Last::new(frame, until)));
            return self.deliver(frame, except);
        };
        self.deliver_unless(frame, except, |socket| served.contains_key(socket))
    }

    /// The event is kept if no own event is on its way any more: the last event of the topic wins (CL-041).
    fn own_came_back(&mut self, version: u64, frame: &Frame, until: u64) {
        let Some(cache) = self.ordered() else { return };
        cache.own = cache.own.saturating_sub(1);
        cache.newest = cache.newest.max(version);
        if cache.own > 0 {
            return;
        }
        let found = cache.ahead.as_mut().and_then(|ahead| ahead.found.take());
        if found.is_some() || cache.ahead.is_none() {
            self.set_kept(Some(found.unwrap_or_else(|| Last::new(frame, until))));
        }
    }

    /// Delivers to everybody who was not served a newer event as the kept one.
    fn deliver_to_unserved(&mut self, version: u64, frame: &Frame, except: Option<SocketId>) -> usize {
        let ahead = self.ordered().and_then(|cache| cache.ahead.take());
        let served = |socket: &SocketId| ahead.as_ref().and_then(|ahead| ahead.served.get(socket).copied());
        let is_served = |socket: &SocketId| served(socket).is_some_and(|served| was_read(version, served));
        let took = self.deliver_unless(frame, except, is_served);
        if let Some(cache) = self.ordered() {
            cache.ahead = ahead;
        }
        took
    }

    fn deliver_unless(
        &mut self,
        frame: &Frame,
        except: Option<SocketId>,
        is_served: impl Fn(&SocketId) -> bool,
    ) -> usize {
        self.tell_members();
        let counted = self.note_event(frame, except, None);
        if let Some(ring) = self.ring_mut() {
            ring.leave_out_of_last(except, &is_served);
        }
        let frame = counted.as_ref().unwrap_or(frame);
        self.push_unless(frame, |socket| Some(*socket) == except || is_served(socket))
    }

    /// Sends what is kept; true if nothing is kept, which the connection is told (WS-172).
    pub(super) fn send_kept(&mut self, conn: &Conn, at: &InCluster<'_>) -> bool {
        if !self.name.is_cached() {
            return false;
        }
        if !self.send_if_kept(conn, at.now) {
            return true;
        }
        let kept = self.last(at.now).map(|(frame, _)| frame.clone());
        if let Some((cache, frame)) = self.ordered().zip(kept) {
            cache.served(&frame, conn.id);
        }
        false
    }

    /// Whether webhooks are to hear that nothing is kept, as far as this node knows (CL-035, CL-043).
    pub(super) fn tells_misses(&self) -> bool {
        let cache = self.copy.as_ref().and_then(|copy| copy.cache.as_ref());
        cache.is_some_and(|cache| !cache.is_lost)
    }

    /// The subscription has ended.
    pub(super) fn forget_served(&mut self, socket: SocketId) {
        let Some(cache) = self.ordered() else { return };
        cache.fed.forget(socket);
        if let Some(ahead) = &mut cache.ahead {
            ahead.served.remove(&socket);
        }
    }
}
