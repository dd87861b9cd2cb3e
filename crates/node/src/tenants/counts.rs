//! The counters of an app at one moment, and their growth from one moment to the next.

use parking_lot::Mutex;

/// Counters of an app on this node: at a moment since the start, or their growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppCounts {
    /// Messages from back ends: an event counts once for each of its channels.
    pub backend_messages: u64,
    /// Messages from clients.
    pub client_messages: u64,
    /// Deliveries of both.
    pub deliveries: u64,
    /// Bytes of the deliveries.
    pub bytes: u64,
    /// What was refused to clients and back ends.
    pub refusals: u64,
}

/// The counters when somebody last asked for their growth.
#[derive(Debug, Default)]
pub struct Growth(Mutex<AppCounts>);

impl Growth {
    /// The growth since the last call.
    #[must_use]
    pub fn until(&self, now: AppCounts) -> AppCounts {
        let before = std::mem::replace(&mut *self.0.lock(), now);
        AppCounts {
            backend_messages: now.backend_messages - before.backend_messages,
            client_messages: now.client_messages - before.client_messages,
            deliveries: now.deliveries - before.deliveries,
            bytes: now.bytes - before.bytes,
            // Refusals that are not kept any longer are not counted either.
            refusals: now.refusals.saturating_sub(before.refusals),
        }
    }
}
