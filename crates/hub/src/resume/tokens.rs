//! The connections of an app that count what they get, by their tokens: while they are open, and for `resume_seconds`
//! after (RES-002, RES-007).
//!
//! One lock, a leaf, taken when a client begins to count, comes back or goes; never for an event.

use std::collections::VecDeque;
use std::sync::Arc;

use fanfare_protocol::ids::SocketId;
use fanfare_protocol::resume::ResumeToken;
use hashbrown::HashMap;

use super::node::NodeRings;
use super::since::Former;
use crate::conn::{give_back, has_outgrown};
use crate::sync::{Mutex, RandomState};

/// Most connections of one client that are remembered with a token (RES-009).
const MOST_OTHERS: usize = 16;

/// The connections of one app.
#[derive(Debug)]
pub(crate) struct Tokens {
    node: Arc<NodeRings>,
    /// Guards the connections and the order in which they ended.
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    known: HashMap<ResumeToken, Known, RandomState>,
    /// Ended connections with their expiry, the oldest first.
    ended: VecDeque<(u64, ResumeToken)>,
}

#[derive(Debug)]
struct Known {
    socket: SocketId,
    is_open: bool,
    /// Connections that have come with this token.
    others: VecDeque<SocketId>,
}

impl Tokens {
    pub(super) fn new(node: Arc<NodeRings>) -> Self {
        Self { node, table: Mutex::default() }
    }

    /// The connection counts what it gets.
    pub(crate) fn begin(&self, token: ResumeToken, socket: SocketId) {
        let known = Known { socket, is_open: true, others: VecDeque::new() };
        self.table.lock().known.entry(token).or_insert(known);
    }

    /// The connection has ended; whether it is remembered, until the expiry if there is one. At the bound the app's oldest
    /// is forgotten.
    pub(crate) fn end(&self, token: ResumeToken, until: Option<u64>) -> bool {
        let mut table = self.table.lock();
        let Some(mut known) = table.known.remove(&token) else { return false };
        let until = until.filter(|_| self.node.take_record(table.ended.len()) || table.forget_oldest());
        let Some(until) = until else { return false };
        known.is_open = false;
        table.known.insert(token, known);
        table.ended.push_back((until, token));
        true
    }

    /// The connection with this token, for another one that has come with it; and whether it is still open.
    pub(crate) fn find(&self, token: ResumeToken, newcomer: SocketId) -> Option<(Former, bool)> {
        let mut table = self.table.lock();
        let known = table.known.get_mut(&token)?;
        let former = Former { socket: known.socket, others: known.others.iter().copied().collect() };
        if known.socket != newcomer && !known.others.contains(&newcomer) {
            known.others.push_back(newcomer);
            if known.others.len() > MOST_OTHERS {
                known.others.pop_front();
            }
        }
        Some((former, known.is_open))
    }

    /// Forgets what has expired.
    pub(crate) fn drop_expired(&self, now: u64) {
        let mut table = self.table.lock();
        let mut dropped = 0;
        while table.ended.front().is_some_and(|(until, _)| *until <= now) && table.forget_oldest() {
            dropped += 1;
        }
        give_back(&mut table.known);
        if has_outgrown(table.ended.len(), table.ended.capacity()) {
            table.ended.shrink_to_fit();
        }
        drop(table);
        self.node.give_back_records(dropped);
    }

    /// Number of ended connections that are remembered.
    pub(crate) fn ended(&self) -> usize {
        self.table.lock().ended.len()
    }
}

impl Table {
    /// Forgets the connection that ended first; false without one. Its place on the node stays taken.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, token)) = self.ended.pop_front() else { return false };
        self.known.remove(&token);
        true
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        let ended = self.table.lock().ended.len();
        self.node.give_back_records(ended);
    }
}
