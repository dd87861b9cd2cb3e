//! Member events under load: sent at once while they are few, merged while they are many.
//!
//! A waiting member event is sent at the next [`Channel::tell_changes`], or before the next event of the channel, so
//! that all subscribers see one order. A user who joined and left in between is never announced. A connection that
//! subscribes meanwhile gets a newer roster, and every change at once.

use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::presence::UserInfo;
use fanfare_protocol::{server, socket_io};
use indexmap::IndexMap;

use super::Channel;
use super::counts::{Counting, MOST_COUNTED_AT_ONCE};
use super::member::is_same;
use super::twins::Twins;
use crate::conn::Sockets;
use crate::sync::RandomState;

/// Bytes of member events that a channel delivers at once between two calls of [`Channel::tell_changes`], over all
/// its subscribers; the first change is sent in any case. Few where a scheduler tries many orders.
const MEMBERS_AT_ONCE: usize = if cfg!(shuttle) { 400 } else { 256 * 1024 };

/// Users whose changes wait at most; over the bound the changes are sent.
const MOST_WAITING: usize = 256;

/// What has been sent since the last call, and what waits for the next.
#[derive(Debug, Default)]
pub(super) struct Merging {
    /// Bytes that were delivered at once; `u32::MAX` once the bound was exceeded.
    told: u32,
    /// The channel stands in the app's list of channels with changes.
    is_listed: bool,
    /// Boxed, because changes hardly ever wait.
    waiting: Option<Box<Waiting>>,
}

/// Member events that are not sent yet.
#[derive(Debug, Default)]
struct Waiting {
    /// What subscribers know of each user who has joined or left.
    known: IndexMap<UserId, Known, RandomState>,
    /// Subscribers who have subscribed since, and know everything.
    newer: Sockets<()>,
}

/// What subscribers know of a user.
#[derive(Debug)]
enum Known {
    Absent,
    Present {
        info: UserInfo,
        /// Subscribers know different infos after a replacement (WS-123).
        is_replaced: bool,
    },
}

/// What happens to a user's membership.
pub(super) enum MemberChange {
    Came(UserInfo),
    Went {
        info: UserInfo,
        /// Whether `info` was replaced without an event.
        is_replaced: bool,
    },
}

impl Merging {
    /// A subscriber has subscribed, with a roster that is newer than the waiting changes.
    pub(super) fn came(&mut self, socket: SocketId) {
        if let Some(waiting) = &mut self.waiting {
            waiting.newer.insert(socket, ());
        }
    }

    /// Whether so many bytes may be delivered at once; counts the bytes if so.
    pub(super) fn may_tell(&mut self, bytes: usize, most: usize) -> bool {
        let told = self.told as usize;
        let is_too_much = told > 0 && told + bytes > most;
        self.told = if is_too_much { u32::MAX } else { u32::try_from(told + bytes).unwrap_or(u32::MAX) };
        !is_too_much
    }
}

impl Channel {
    /// Sends a user's join or leave to all members; the user's own connection is not among them (WS-150, WS-151).
    pub(super) fn tell_change(&mut self, user: &UserId, change: MemberChange) {
        if self.members.is_empty() {
            return;
        }
        let (twins, known) = match change {
            MemberChange::Came(info) => (self.added(user, &info), Known::Absent),
            MemberChange::Went { info, is_replaced } => {
                (self.removed(user, &info), Known::Present { info, is_replaced })
            }
        };
        if self.merging.may_tell(twins.longest() * self.members.len(), MEMBERS_AT_ONCE) {
            twins.push_to_all(self.members.values());
            self.note_passing(1);
            return;
        }
        let waiting = self.merging.waiting.get_or_insert_default();
        waiting.known.entry(user.clone()).or_insert(known);
        twins.push_to_all(waiting.newer.keys().filter_map(|socket| self.members.get(socket)));
        if let Some(ring) = self.rare.as_mut().and_then(|rare| rare.ring_mut()) {
            waiting.newer.keys().for_each(|socket| ring.note_alone(socket));
        }
        if waiting.known.len() >= MOST_WAITING {
            self.tell_members();
        }
    }

    fn added(&self, user: &UserId, info: &UserInfo) -> Twins {
        let joining = || socket_io::presence_joining(&self.name, user, info);
        Twins {
            pusher: Some(server::member_added(&self.name, user, info)),
            socket_io: self.has_socket_io().then(joining),
        }
    }

    fn removed(&self, user: &UserId, info: &UserInfo) -> Twins {
        let leaving = || socket_io::presence_leaving(&self.name, user, info);
        Twins {
            pusher: Some(server::member_removed(&self.name, user)),
            socket_io: self.has_socket_io().then(leaving),
        }
    }

    /// Whether the channel is to be listed for [`Channel::tell_changes`]; true once.
    pub(crate) fn is_to_be_told(&mut self) -> bool {
        let presses = self.merging.told > 0 || self.merging.waiting.is_some();
        presses && !std::mem::replace(&mut self.merging.is_listed, true)
    }

    /// Sends the waiting changes, except the count of a crowded channel, and resets the count of delivered bytes; the
    /// channel is not listed any more.
    pub(crate) fn tell_changes(&mut self, told: Counting<'_>) {
        self.tell_members();
        if self.members.len() <= MOST_COUNTED_AT_ONCE {
            self.tell_count_if_due(told);
        }
        self.merging.told = 0;
        self.merging.is_listed = false;
    }

    /// Sends the present state of each user with a waiting change to the subscribers that do not know it.
    pub(super) fn tell_members(&mut self) {
        let Some(waiting) = self.merging.waiting.take() else {
            return;
        };
        let Waiting { known, newer } = *waiting;
        let mut changes = Vec::with_capacity(known.len());
        for (id, known) in known {
            let user = self.users.as_ref().and_then(|users| users.get(&id));
            let is_as_known = match (&known, user) {
                (Known::Absent, None) => true,
                (Known::Present { info, is_replaced: false }, Some(user)) => is_same(info, &user.info),
                _ => false,
            };
            if is_as_known {
                continue;
            }
            if let Known::Present { info, .. } = known {
                changes.push(self.removed(&id, &info));
            }
            if let Some(user) = user {
                changes.push(self.added(&id, &user.info));
            }
        }
        for (_, member) in self.members.iter().filter(|(socket, _)| !newer.contains_key(*socket)) {
            for change in &changes {
                change.push_to(&member.conn);
            }
        }
        self.note_passing(changes.len());
        if let Some(ring) = self.ring_mut() {
            newer.keys().for_each(|socket| ring.leave_out(socket, changes.len() as u64));
        }
    }
}
