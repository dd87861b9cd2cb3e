//! One message in each dialect, and the members of each dialect (SIO-101).
//!
//! A channel without a client of Socket.IO makes and looks at Pusher's form alone.

use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::socket_io;

use super::Channel;
use super::member::Member;
use crate::conn::{Conn, has_outgrown};
use crate::dialect::Dialect;

/// A message as each dialect has it; absent where the dialect has no such message, or nobody needs it.
#[derive(Debug, Default)]
pub(super) struct Twins {
    pub(super) pusher: Option<Frame>,
    pub(super) socket_io: Option<Frame>,
}

impl Twins {
    /// A message for connections of these dialects; `make` is called for each dialect that occurs, until it gives a frame.
    pub(super) fn of(
        dialects: impl Iterator<Item = Dialect>,
        make: impl Fn(Dialect) -> Option<Frame>,
    ) -> Self {
        let mut twins = Self::default();
        for dialect in dialects {
            let twin = match dialect {
                Dialect::Pusher => &mut twins.pusher,
                Dialect::SocketIo => &mut twins.socket_io,
            };
            if twin.is_none() {
                *twin = make(dialect);
            }
        }
        twins
    }

    /// Queues the message for all of these members, each in its dialect.
    pub(super) fn push_to_all<'a>(&self, members: impl Iterator<Item = &'a Member>) {
        for member in members {
            self.push_to(&member.conn);
        }
    }

    /// Bytes of the longer frame.
    pub(super) fn longest(&self) -> usize {
        let frames = self.pusher.iter().chain(&self.socket_io);
        frames.map(|frame| frame.bytes().len()).max().unwrap_or(0)
    }

    /// Queues the message in the connection's dialect; whether the outbox took it.
    pub(super) fn push_to(&self, conn: &Conn) -> bool {
        let twin = match conn.dialect {
            Dialect::Pusher => &self.pusher,
            Dialect::SocketIo => &self.socket_io,
        };
        twin.as_ref().is_some_and(|frame| conn.outbox.push(frame))
    }
}

impl Channel {
    /// Adds an acknowledged subscriber.
    pub(super) fn admit(&mut self, member: Member) {
        let (id, dialect) = (member.conn.id, member.conn.dialect);
        self.merging.came(id);
        let before = self.members.insert(id, member);
        self.socket_io += u32::from(dialect == Dialect::SocketIo && before.is_none());
    }

    /// Removes a subscriber.
    pub(super) fn dismiss(&mut self, socket: SocketId) -> Option<Member> {
        let member = self.members.swap_remove(&socket)?;
        self.socket_io -= u32::from(member.conn.dialect == Dialect::SocketIo);
        if has_outgrown(self.members.len(), self.members.capacity()) {
            self.members.shrink_to_fit();
        }
        Some(member)
    }

    /// Whether a subscriber speaks Socket.IO.
    pub(super) const fn has_socket_io(&self) -> bool {
        self.socket_io > 0
    }

    /// Queues an event for everybody who is not left out; returns how many outboxes took it.
    pub(super) fn push_unless(&self, frame: &Frame, is_left_out: impl Fn(&SocketId) -> bool) -> usize {
        let meant = self.members.iter().filter(|(socket, _)| !is_left_out(socket));
        if !self.has_socket_io() {
            return meant.filter(|(_, member)| member.conn.outbox.push(frame)).count();
        }
        let twins = Twins { pusher: Some(frame.clone()), socket_io: socket_io::event(frame) };
        meant.filter(|(_, member)| twins.push_to(&member.conn)).count()
    }

    /// Queues what only Pusher's clients are told, for all of them.
    pub(super) fn push_to_pusher(&mut self, frame: &Frame) {
        self.note_passing(1);
        for member in self.members.values().filter(|member| member.conn.dialect == Dialect::Pusher) {
            member.conn.outbox.push(frame);
        }
    }
}
