//! Events that every node hears by itself, of which one node tells the cluster (CL-068).
//!
//! Such an event comes twice to the others: from the feed, to be delivered, and from Redis, where its place in the order
//! is decided. Either may come first; whoever was served the event as the kept one does not get it live as well.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;

use super::reading::{Origin, Pending};
use crate::conn::Sockets;

/// Events remembered of each kind; the feed and Redis are hardly ever further apart.
const MOST: usize = 16;

/// Events that have come one way, and are still to come the other.
#[derive(Debug, Default)]
pub(super) struct Fed {
    /// Delivered here, and not heard from Redis yet, by their hashes.
    delivered: VecDeque<u64>,
    /// Heard from Redis, and not delivered here yet.
    early: VecDeque<Early>,
}

#[derive(Debug)]
struct Early {
    hash: u64,
    /// Subscribers who were served the event as the kept one.
    served: Sockets<()>,
}

impl Fed {
    /// The feed has the event: gives who has been served the event already, if Redis was first.
    pub(super) fn deliver(&mut self, frame: &Frame) -> Option<Sockets<()>> {
        let hash = hash(frame);
        if let Some(at) = self.early.iter().position(|early| early.hash == hash) {
            // What was before it will not come any more: every feed has one order.
            return self.early.drain(..=at).next_back().map(|early| early.served);
        }
        self.delivered.push_back(hash);
        if self.delivered.len() > MOST {
            self.delivered.pop_front();
        }
        None
    }

    /// Redis has the event in its order.
    pub(super) fn hear(&mut self, frame: &Frame) {
        let hash = hash(frame);
        if let Some(at) = self.delivered.iter().position(|delivered| *delivered == hash) {
            self.delivered.drain(..=at);
            return;
        }
        self.early.push_back(Early { hash, served: Sockets::default() });
        if self.early.len() > MOST {
            self.early.pop_front();
        }
    }

    /// A newcomer was served the event as the kept one.
    pub(super) fn serve(&mut self, frame: &Frame, socket: SocketId) {
        if self.early.is_empty() {
            return;
        }
        let hash = hash(frame);
        if let Some(early) = self.early.iter_mut().find(|early| early.hash == hash) {
            early.served.insert(socket, ());
        }
    }

    /// The subscription has ended.
    pub(super) fn forget(&mut self, socket: SocketId) {
        for early in &mut self.early {
            early.served.remove(&socket);
        }
    }
}

/// The number of waiting events, from the front, among which every event of the feed is no newer than the answer of Redis:
/// the answer is such an event, or has come after Redis had one in its order.
pub(super) fn covered_by(found: Option<&Frame>, read: u64, events: &VecDeque<Pending>) -> usize {
    if !events.iter().any(|event| event.origin == Origin::Fed) {
        return 0;
    }
    let quiet = events.iter().filter_map(|event| match event.origin {
        Origin::Other { version, is_quiet: true } if version <= read => Some(hash(&event.frame)),
        _ => None,
    });
    let known: HashSet<u64> = quiet.chain(found.map(hash)).collect();
    let is_known = |event: &Pending| event.origin == Origin::Fed && known.contains(&hash(&event.frame));
    events.iter().rposition(is_known).map_or(0, |at| at + 1)
}

fn hash(frame: &Frame) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(frame.bytes());
    hasher.finish()
}
