//! A connection as everybody else sees it: an id, an outbox, and a way to stir what else its task does.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::task::Wake;

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::SocketId;
use hashbrown::HashMap;
use indexmap::IndexMap;

use crate::budget::Budget;
use crate::outbox::Outbox;
use crate::sync::{AtomicBool, AtomicU32, Ordering};

/// Shared by the connection's own task and by every channel that it is subscribed to.
#[derive(Debug)]
pub struct Conn {
    /// Who it is.
    pub id: SocketId,
    /// What is on its way to it.
    pub outbox: Outbox,
    /// Something but the outbox has woken the connection's task since it was asked last.
    stirred: AtomicBool,
    /// Bytes that hold a message of the client which is not complete.
    incoming: AtomicU32,
}

impl Conn {
    /// A connection with an empty outbox, which holds as much as the budget allows one.
    #[must_use]
    pub const fn new(id: SocketId, budget: Arc<Budget>) -> Self {
        Self { id, outbox: Outbox::new(budget), stirred: AtomicBool::new(true), incoming: AtomicU32::new(0) }
    }

    /// Says how many bytes hold a message of the client that is not complete; they count in the node's budget.
    pub fn holds(&self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // Only the connection's own task changes it.
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

    /// The connection's task has freed what was being written, and what has come of a message.
    pub fn freed(&self) {
        self.holds(0);
        self.outbox.freed();
    }

    /// Bytes that wait because the client does not read, or does not go on.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.waiting().map_or(0, |waiting| waiting + self.incoming.load(Ordering::Relaxed) as usize)
    }

    /// Whether anything but the outbox waits for the connection's task; says so once, and at first.
    pub fn take_stir(&self) -> bool {
        self.is_stirred() && self.stirred.swap(false, Ordering::AcqRel)
    }

    /// Whether [`Conn::take_stir`] would say so.
    #[must_use]
    pub fn is_stirred(&self) -> bool {
        self.stirred.load(Ordering::Acquire)
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.freed();
    }
}

/// The waker of what a connection's task does beside its outbox, so that a task which was woken for a frame
/// alone need not look at the rest.
///
/// The task has to look whether it was stirred after its waker has come into the outbox: what stirs it later
/// finds the waker there.
impl Wake for Conn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stirred.store(true, Ordering::Release);
        self.outbox.rouse();
    }
}

/// Something for each of some connections.
pub(crate) type Sockets<T> = HashMap<SocketId, T, BuildHasherDefault<RandomBits>>;

/// Such a table that is walked for every event, in the order in which the connections came.
///
/// They lie in memory in about that order, all that belongs to them included, the system's part too: a walk in
/// any other costs a fifth more for each delivery, for waiting on memory.
pub(crate) type SocketsInOrder<T> = IndexMap<SocketId, T, BuildHasherDefault<RandomBits>>;

/// Gives back what a crowd needed, when it has gone.
pub(crate) fn give_back<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if has_outgrown(table.len(), table.capacity()) {
        table.shrink_to_fit();
    }
}

/// Whether a table holds much more memory than what is in it needs.
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
