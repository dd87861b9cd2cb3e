//! An app as the protocol sees it: credentials, switches, limits.
//!
//! Plain values; where an app comes from is the business of the crate `apps`.

mod authorization;
mod origin;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::auth::Credential;
use crate::ids::AppId;
use crate::webhook::{Kinds, Webhook};

pub use self::authorization::{Authorization, MustEqual};
pub use self::origin::OriginPattern;

/// One tenant, with every setting resolved (absent ones have taken the server's default).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The id in `/apps/ID/…`.
    pub id: AppId,
    /// Key and secret pairs, oldest first; any of them is valid (AUTH-011).
    pub credentials: Vec<Credential>,
    /// Off: connections close with 4003, requests get 403.
    pub enabled: bool,
    /// Most connections at once on this node; further ones close with 4004 (WS-061). `None`: no quota.
    pub max_connections: Option<usize>,
    /// Most messages in a second on this node, also as a burst; see [`Quota`]. `None`: no quota.
    pub messages_per_second: Option<usize>,
    /// Most messages since midnight UTC on this node. `None`: no quota.
    pub messages_per_day: Option<usize>,
    /// Connections without TLS close with 4000 (WS-063).
    pub force_tls: bool,
    /// Origins whose pages may connect; empty allows every origin (WS-010).
    pub allowed_origins: Vec<OriginPattern>,
    /// Connections that neither sign in nor join a guarded channel in time close with 4009 (WS-062).
    pub authorized_connections: bool,
    /// Clients may send client events (WS-161).
    pub client_events: bool,
    /// Subscribers are sent the subscription count (WS-175).
    pub subscription_counts: bool,
    /// Signed-in users are sent the online status of their watchlist (WS-195).
    pub watchlist_events: bool,
    /// Send soketi's `pusher:subscription_error` beside `pusher:error` (WS-133).
    pub subscription_error_event: bool,
    /// Seconds for which what a client missed is kept; 0: nothing is (RES-012).
    pub resume_seconds: usize,
    /// The traces of the last publishes are kept (CON-043).
    pub trace: bool,
    /// Limits on names, sizes and counts.
    pub limits: Limits,
    /// The application's authorization endpoint.
    pub authorization: Authorization,
    /// The Redis from which Laravel's `redis` broadcasts for the app come.
    pub redis_feed: RedisFeed,
    /// The app's webhooks; no two have the same URL.
    pub webhooks: Vec<Webhook>,
}

impl App {
    /// An app with all of the server's defaults.
    #[must_use]
    pub fn new(id: AppId, credentials: Vec<Credential>) -> Self {
        Self {
            id,
            credentials,
            enabled: true,
            max_connections: None,
            messages_per_second: None,
            messages_per_day: None,
            force_tls: false,
            allowed_origins: Vec::new(),
            authorized_connections: false,
            client_events: false,
            subscription_counts: false,
            watchlist_events: false,
            subscription_error_event: false,
            resume_seconds: 0,
            trace: false,
            limits: Limits::default(),
            authorization: Authorization::default(),
            redis_feed: RedisFeed::default(),
            webhooks: Vec::new(),
        }
    }

    /// The kinds that any of the app's webhooks wants; costs nothing for an app without webhooks.
    #[must_use]
    pub fn told(&self) -> Kinds {
        let enabled = self.webhooks.iter().filter(|webhook| webhook.enabled);
        enabled.fold(Kinds::NONE, |told, webhook| told.and(webhook.events))
    }

    /// Whether pages of this `Origin` may connect (WS-010).
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        let patterns = &self.allowed_origins;
        patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(origin))
    }

    /// The credential with this key, if the key is one of the app's.
    #[must_use]
    pub fn credential(&self, key: &str) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.key.as_str() == key)
    }
}

/// An app's settings for the Redis that broadcasts come from; unset fields take the node's values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisFeed {
    /// The URL of the Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<RedisUrl>,
    /// The prefix of the app's channels in Redis; other broadcasts are ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

impl RedisFeed {
    /// Whether no field is set.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.url.is_none() && self.prefix.is_none()
    }
}

/// The URL of a Redis; hidden in `Debug`, because the URL may hold a password.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// Wraps a text without a check.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text of the URL: for connecting and storing, never for printing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(***)")
    }
}

/// A quota of messages. A message is one event to one channel, from a back end or from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// The setting `messages_per_second`.
    Second,
    /// The setting `messages_per_day`.
    Day,
}

impl Quota {
    /// The quota's period in one word.
    #[must_use]
    pub const fn period(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Day => "day",
        }
    }

    /// The name of the quota's setting.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Second => "messages_per_second",
            Self::Day => "messages_per_day",
        }
    }
}

/// The limits of an app (LIM-010 … LIM-024). Sizes are UTF-8 bytes unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest channel name in characters, 1 to 200 (LIM-001, LIM-003).
    pub channel_name: usize,
    /// Longest event name in characters (LIM-004).
    pub event_name: usize,
    /// Largest `data` of one event (LIM-010).
    pub event_bytes: usize,
    /// Most channels that one event may be published to (LIM-013).
    pub channels_per_event: usize,
    /// Most events in one batch (LIM-011).
    pub batch: usize,
    /// Most distinct users on one presence channel (LIM-020).
    pub members: usize,
    /// Largest `channel_data` of a presence member (LIM-021).
    pub member_bytes: usize,
    /// Longest id of a user, on presence channels and signing in, in characters (LIM-005, LIM-022).
    pub user_id: usize,
    /// Largest `data` of one client event, as forwarded (LIM-012).
    pub client_event_bytes: usize,
    /// Most client events of one connection, as a burst and in each second (LIM-014).
    pub client_events_per_second: usize,
    /// Most users that one connection may watch (LIM-023).
    pub watchlist: usize,
    /// Seconds for which a cache channel keeps its last event (LIM-024).
    pub cache_seconds: usize,
    /// Most bytes of cached events on channels without subscribers (WS-170).
    pub cache_bytes: usize,
    /// Most frames of one channel that are kept for clients that resume (RES-012).
    pub resume_entries: usize,
    /// Most bytes of what is kept on this node for clients that resume (RES-012).
    pub resume_bytes: usize,
}

impl Default for Limits {
    /// Pusher's own limits, where Pusher has any.
    fn default() -> Self {
        Self {
            channel_name: 164,
            event_name: 200,
            event_bytes: 10_240,
            channels_per_event: 100,
            batch: 10,
            members: 100,
            member_bytes: 1024,
            user_id: 128,
            client_event_bytes: 10_240,
            client_events_per_second: 10,
            watchlist: 100,
            cache_seconds: 1800,
            cache_bytes: 16_777_216,
            resume_entries: 4096,
            resume_bytes: 16_777_216,
        }
    }
}
