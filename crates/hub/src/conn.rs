//! A connection as other tasks see it: an id, an outbox, and a waker for the rest of its task.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::task::Wake;

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::{SocketId, UserId};
use fanfare_protocol::version::Version;
use hashbrown::HashMap;
use indexmap::IndexMap;

use crate::budget::Budget;
use crate::dialect::Dialect;
use crate::outbox::Outbox;
use crate::sync::{AtomicBool, AtomicU32, Ordering};
use crate::transport::Transport;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Visitor {
    /// The client's address.
    pub address: IpAddr,
    /// The transport, unless the connection has gone on over another.
    pub transport: Transport,
    /// The version of the protocol.
    pub version: Version,
    /// The client came over TLS, to this server or to a proxy.
    pub over_tls: bool,
    /// When the connection was opened, in milliseconds since the server's start.
    pub since: u64,
}

/// Shared by the connection's own task and by every channel that it is subscribed to.
#[derive(Debug)]
pub struct Conn {
    /// The socket id.
    pub id: SocketId,
    /// Frames on their way to the client.
    pub outbox: Outbox,
    /// The protocol of these frames.
    pub dialect: Dialect,
    /// Who is at the other end.
    pub visitor: Visitor,
    /// The user that the connection is signed in as, for operators; there is never another.
    user: OnceLock<UserId>,
    /// The connection has gone on over a WebSocket.
    upgraded: AtomicBool,
    /// Subscribed channels, as the connection's task has counted them last.
    channels: AtomicU32,
    /// Something other than the outbox has woken the connection's task since the last [`Conn::take_stir`].
    stirred: AtomicBool,
    /// The cluster has refused a subscription, and the connection's task has not forgotten the channel yet.
    refused: AtomicBool,
    /// Bytes from the client that the connection's task has not handled: an incomplete message, or whole ones.
    incoming: AtomicU32,
}

impl Conn {
    /// A connection of a client of Pusher's, with an empty outbox, which holds as much as the budget allows for one
    /// connection.
    #[must_use]
    pub const fn new(id: SocketId, budget: Arc<Budget>) -> Self {
        Self::speaking(Dialect::Pusher, id, budget)
    }

    /// As [`Conn::new`], for a client that speaks this dialect.
    #[must_use]
    pub const fn speaking(dialect: Dialect, id: SocketId, budget: Arc<Budget>) -> Self {
        Self::of(Visitor::UNKNOWN, dialect, id, budget)
    }

    /// As [`Conn::speaking`], for this visitor.
    #[must_use]
    pub const fn of(visitor: Visitor, dialect: Dialect, id: SocketId, budget: Arc<Budget>) -> Self {
        Self {
            id,
            outbox: Outbox::new(budget),
            dialect,
            visitor,
            user: OnceLock::new(),
            upgraded: AtomicBool::new(false),
            channels: AtomicU32::new(0),
            stirred: AtomicBool::new(true),
            refused: AtomicBool::new(false),
            incoming: AtomicU32::new(0),
        }
    }

    /// The transport now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        if self.upgraded.load(Ordering::Relaxed) {
            Transport::SocketIoWebSocket
        } else {
            self.visitor.transport
        }
    }

    /// A connection of Socket.IO goes on over a WebSocket.
    pub fn upgraded(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// The user that the connection is signed in as.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.user.get()
    }

    pub(crate) fn is_signed_in_as(&self, user: &UserId) {
        self.user.get_or_init(|| user.clone());
    }

    /// Subscribed channels, for operators: the connection's task may know better.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn has_channels(&self, count: usize) {
        self.channels.store(u32::try_from(count).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Reports how many bytes from the client the connection's task has not handled, an incomplete message or whole ones; the
    /// bytes count in the node's budget.
    pub fn holds(&self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // Only the connection's own task changes the number.
        let before = self.incoming.load(Ordering::Relaxed);
        if before != bytes {
            self.incoming.store(bytes, Ordering::Relaxed);
            self.outbox.budget().change(before as usize, bytes as usize);
        }
    }

    /// Frees what waits, and ends the connection, whose task will free the rest; false if the connection was ending
    /// already.
    pub(crate) fn give_up(&self, reason: CloseReason) -> bool {
        self.outbox.give_up(reason, self.incoming.load(Ordering::Relaxed) as usize)
    }

    /// The connection's task has freed the frames being written, and what the client has sent.
    pub fn freed(&self) {
        self.holds(0);
        self.outbox.freed();
    }

    /// Bytes that wait because the client does not read, or whose messages are incomplete or not handled.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.outbox.waiting().map_or(0, |waiting| waiting + self.incoming.load(Ordering::Relaxed) as usize)
    }

    /// Notes that a subscription has ended without the connection's task; called under the lock of the channel's shard.
    pub(crate) fn refuse(&self) {
        self.refused.store(true, Ordering::Release);
    }

    /// Whether the connection's task may hold subscriptions that the cluster has refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// Whether [`Conn::is_refused`]; false until the next refusal.
    pub(crate) fn take_refused(&self) -> bool {
        self.is_refused() && self.refused.swap(false, Ordering::AcqRel)
    }

    /// Whether anything other than the outbox waits for the connection's task; true once, and at first.
    pub fn take_stir(&self) -> bool {
        self.is_stirred() && self.stirred.swap(false, Ordering::AcqRel)
    }

    /// Whether [`Conn::take_stir`] would return true.
    #[must_use]
    pub fn is_stirred(&self) -> bool {
        self.stirred.load(Ordering::Acquire)
    }
}

impl Visitor {
    /// Somebody of whom nothing is known.
    pub const UNKNOWN: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        transport: Transport::WebSocket,
        version: Version::NEWEST,
        over_tls: false,
        since: 0,
    };
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.freed();
    }
}

/// The waker for what a connection's task does beside its outbox, so that a task which was woken for a frame
/// alone need not poll the rest.
///
/// The task has to call [`Conn::take_stir`] after its waker has been stored in the outbox: a later wake-up finds
/// the waker there.
impl Wake for Conn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stirred.store(true, Ordering::Release);
        self.outbox.rouse();
    }
}

/// A value for each of some connections.
pub(crate) type Sockets<T> = HashMap<SocketId, T, BuildHasherDefault<RandomBits>>;

/// The same table in the order of subscription, for iteration at every event.
///
/// Connections lie in memory in about that order, with everything that belongs to them, the system's part too:
/// iteration in any other order costs a fifth more for each delivery, because of waits on memory.
pub(crate) type SocketsInOrder<T> = IndexMap<SocketId, T, BuildHasherDefault<RandomBits>>;

/// Shrinks a table when most of its entries have gone.
pub(crate) fn give_back<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if has_outgrown(table.len(), table.capacity()) {
        table.shrink_to_fit();
    }
}

/// Whether a table holds much more memory than its entries need.
pub(crate) const fn has_outgrown(len: usize, capacity: usize) -> bool {
    capacity > 64 && len < capacity / 8
}

/// Socket ids are random already; their bits are their hash.
#[derive(Debug, Default)]
pub(crate) struct RandomBits(u64);

impl Hasher for RandomBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }
}
