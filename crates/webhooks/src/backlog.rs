//! Where requests of durable webhooks are kept that were not delivered at the first attempt: the seam to whoever has a
//! database.
//!
//! Knows no database. A webhook that is answered at the first attempt never comes here.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::ids::AppId;

/// A request to keep. Holds no secret: the signature is made anew from body and key, and is the same each time (HOOK-005).
#[derive(Clone, Debug)]
pub struct KeptRequest {
    /// The key whose secret signs.
    pub key: String,
    /// The body, byte for byte.
    pub body: Bytes,
    /// Number of events in the body.
    pub events: usize,
    /// Failed attempts; 0 for a request that was never sent.
    pub failed: u32,
    /// Age of the first event.
    pub age: Duration,
    /// Time until the next attempt.
    pub due_in: Duration,
}

/// Keeps requests over the end of the process.
pub trait Backlog: Send + Sync {
    /// Keeps requests of a URL; returns whether they are kept.
    ///
    /// All of them are kept or none, and what is kept outlives the process: after `true` this crate forgets them, and the
    /// backlog has each retried ([`Webhooks::retry`](crate::Webhooks::retry)) until it is delivered, grows too old, or is dropped over a bound.
    /// After `false` this crate goes on from memory. `false` may be wrong, and so may a dropped future: then the requests
    /// are sent twice. Has to end within seconds, whatever the database does; is called without a lock, once at a time
    /// for each URL.
    fn keep(&self, app: &AppId, url: &str, requests: Vec<KeptRequest>) -> Keeping;
}

/// Whether requests are kept, in the end.
pub type Keeping = Pin<Box<dyn Future<Output = bool> + Send>>;
