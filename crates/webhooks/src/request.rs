//! One request: its body, its signature and its age, which stay the same over all attempts (HOOK-005).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fanfare_protocol::auth::Credential;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::utc::since_1970;
use fanfare_protocol::webhook::{self, EventNames, WebhookEvent};
use http_body_util::Full;
use hyper::Request;
use tokio::time::Instant;

use crate::backlog::KeptRequest;
use crate::decided::Group;
use crate::delivery::RequestId;

/// Largest body (HOOK-024), with room to spare for the JSON around the events.
pub(crate) const MOST_BODY: usize = (1 << 20) - 1024;

/// Estimated memory of a waiting event beside its text.
const AROUND: usize = 128;

/// An event that waits for its request.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub event: Arc<WebhookEvent>,
    pub since: Instant,
    /// The same moment, in milliseconds since 1970.
    pub time_ms: u64,
    /// The events that were decided with this one, if another node may send them again.
    pub group: Option<Arc<Group>>,
}

/// A signed request, the same for every attempt.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    body: Bytes,
    key: String,
    signature: String,
    /// When the request's first event happened.
    pub since: Instant,
    /// Number of failed attempts.
    pub failed: u32,
    /// Number of the queue's events in the request.
    pub events: usize,
    /// The names of these events.
    pub names: EventNames,
    pub bytes: usize,
    /// The channel of a single event; requests of one channel are sent one after another.
    pub channel: Option<ChannelName>,
    /// The group of the events.
    pub group: Option<Arc<Group>>,
}

/// A request as the receiver has got it, to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTest {
    /// The header `X-Pusher-Key`.
    pub key: String,
    /// The header `X-Pusher-Signature`.
    pub signature: String,
    /// The body.
    pub body: String,
}

impl Waiting {
    /// An event that has just happened.
    pub(crate) fn from_now(event: WebhookEvent) -> Self {
        Self { event: Arc::new(event), since: Instant::now(), time_ms: unix_milliseconds(), group: None }
    }

    /// An event of a group, whose time holds for all its requests.
    pub(crate) fn of_group(event: WebhookEvent, group: &Arc<Group>) -> Self {
        let time_ms = group.time_ms;
        Self { event: Arc::new(event), since: group.since, time_ms, group: Some(Arc::clone(group)) }
    }

    /// Whether both may stand in one request: events of a group are sent by themselves, so that a request that has to
    /// be made again is the same (CL-032).
    pub(crate) fn is_grouped_with(&self, other: &Self) -> bool {
        match (&self.group, &other.group) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
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
            names: events.iter().fold(EventNames::default(), |names, waiting| names.with(waiting.event.name)),
            bytes: events.iter().map(Waiting::bytes).sum(),
            channel: events.first().filter(|_| !batch).map(|first| first.event.channel.clone()),
            group: events.first().and_then(|first| first.group.clone()),
        }
    }

    /// The key, the signature and the body, for whoever has asked for the request.
    pub(crate) fn shown(&self) -> SignedTest {
        let body = String::from_utf8_lossy(&self.body).into_owned();
        SignedTest { key: self.key.clone(), signature: self.signature.clone(), body }
    }

    /// The beginning of the receiver's answer as a text, without the signature, which a receiver may repeat.
    pub(crate) fn told(&self, answer: &[u8]) -> String {
        String::from_utf8_lossy(answer).replace(char::is_control, " ").replace(&self.signature, "…")
    }

    /// What is the same for every attempt.
    pub(crate) fn id(&self) -> RequestId {
        RequestId::of(&self.signature)
    }

    /// A request that was kept, signed as before: the signature follows from key and body.
    pub(crate) fn of_kept(kept: &KeptRequest, credential: &Credential) -> Self {
        let now = Instant::now();
        Self {
            key: credential.key.as_str().to_owned(),
            signature: credential.secret.sign(&[&kept.body]),
            body: kept.body.clone(),
            since: now.checked_sub(kept.age).unwrap_or(now),
            failed: kept.failed,
            events: kept.events,
            names: EventNames::in_body(&kept.body),
            bytes: kept.body.len(),
            channel: None,
            group: None,
        }
    }

    /// What is kept of the request.
    pub(crate) fn to_keep(&self, now: Instant, due_in: Duration) -> KeptRequest {
        KeptRequest {
            key: self.key.clone(),
            body: self.body.clone(),
            events: self.events,
            failed: self.failed,
            age: now.saturating_duration_since(self.since),
            due_in,
        }
    }

    /// The body, in tests.
    #[cfg(test)]
    pub(crate) fn body(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The HTTP request (HOOK-003); `None` for an invalid URL, which settings do not allow.
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

/// The wall clock.
pub(crate) fn unix_milliseconds() -> u64 {
    u64::try_from(since_1970(SystemTime::now()).as_millis()).unwrap_or(u64::MAX)
}
