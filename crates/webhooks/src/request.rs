//! One request: its body, its signature and its age, which stay the same over all attempts (HOOK-005).

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use fanfare_protocol::auth::Credential;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::utc::since_1970;
use fanfare_protocol::webhook::{self, Event};
use http_body_util::Full;
use hyper::Request;
use tokio::time::Instant;

/// Largest body (HOOK-024), with room to spare for what stands around its events.
pub(crate) const MOST_BODY: usize = (1 << 20) - 1024;

/// Memory of a waiting event beside its text, roughly.
const AROUND: usize = 128;

/// An event that waits for its request.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub event: Arc<Event>,
    pub since: Instant,
    /// The same moment, since 1970.
    pub time_ms: u64,
}

/// What is sent, as often as it takes.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    body: Bytes,
    key: String,
    signature: String,
    /// When its first event happened.
    pub since: Instant,
    /// Attempts that have failed.
    pub failed: u32,
    /// Of the queue that it came from.
    pub events: usize,
    pub bytes: usize,
    /// The channel of its one event, where that is all; those of one channel follow one another.
    pub channel: Option<ChannelName>,
}

impl Waiting {
    /// One that has just happened.
    pub(crate) fn from_now(event: Event) -> Self {
        Self { event: Arc::new(event), since: Instant::now(), time_ms: unix_milliseconds() }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.event.json.len() + AROUND
    }
}

impl Prepared {
    /// Writes and signs the events, of which there is at least one; `credential` is the oldest valid (HOOK-004).
    pub(crate) fn new(events: &[Waiting], credential: &Credential, batch: bool) -> Self {
        let (since, time_ms) = events
            .first()
            .map_or_else(|| (Instant::now(), unix_milliseconds()), |first| (first.since, first.time_ms));
        let body = webhook::body(time_ms, events.iter().map(|waiting| &*waiting.event.json));
        Self {
            key: credential.key.as_str().to_owned(),
            signature: credential.secret.sign(&[body.as_bytes()]),
            body: Bytes::from(body),
            since,
            failed: 0,
            events: events.len(),
            bytes: events.iter().map(Waiting::bytes).sum(),
            channel: events.first().filter(|_| !batch).map(|first| first.event.channel.clone()),
        }
    }

    /// As HTTP (HOOK-003); `None` if the URL is none, which settings do not let pass.
    pub(crate) fn to(&self, url: &str) -> Option<Request<Full<Bytes>>> {
        Request::post(url)
            .header("Content-Type", "application/json")
            .header("User-Agent", concat!("Fanfare/", env!("CARGO_PKG_VERSION")))
            .header("X-Pusher-Key", &self.key)
            .header("X-Pusher-Signature", &self.signature)
            .body(Full::new(self.body.clone()))
            .ok()
    }
}

/// The clock of calendars.
fn unix_milliseconds() -> u64 {
    u64::try_from(since_1970(SystemTime::now()).as_millis()).unwrap_or(u64::MAX)
}
