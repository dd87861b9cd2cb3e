//! A connection as everybody else sees it: an id and an outbox.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

use fanfare_protocol::ids::SocketId;
use hashbrown::HashMap;

use crate::outbox::Outbox;

/// Shared by the connection's own task and by every channel that it is subscribed to.
#[derive(Debug)]
pub struct Conn {
    /// Who it is.
    pub id: SocketId,
    /// What is on its way to it.
    pub outbox: Outbox,
}

impl Conn {
    /// A connection with an empty outbox that holds at most `outbox_bytes`.
    #[must_use]
    pub const fn new(id: SocketId, outbox_bytes: usize) -> Self {
        Self { id, outbox: Outbox::new(outbox_bytes) }
    }
}

/// Something for each of some connections.
pub(crate) type Sockets<T> = HashMap<SocketId, T, BuildHasherDefault<RandomBits>>;

/// Gives back what a crowd needed, when it has gone.
pub(crate) fn give_back<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if table.capacity() > 64 && table.len() < table.capacity() / 8 {
        table.shrink_to_fit();
    }
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
