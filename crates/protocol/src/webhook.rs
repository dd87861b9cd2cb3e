//! Webhooks: the events for an app's back end, and their JSON (HOOK-001 … HOOK-017).
//!
//! The only place that builds JSON for requests to back ends. Plain values: the crate `webhooks` decides when an
//! event is sent, and how often a request is retried.

mod event;
mod kinds;
mod names;
mod transition;

pub use self::event::{WebhookEvent, body};
pub use self::kinds::{Kind, Kinds};
pub use self::names::EventNames;
pub use self::transition::{Present, SentEvent, Transition};

use crate::channel::ChannelName;

/// An endpoint that receives the events of an app's channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// URL of the endpoint; `http` or `https`, without a user or password.
    pub url: String,
    /// Wanted kinds of events (HOOK-017).
    pub events: Kinds,
    /// Prefixes of the wanted channels; empty for all channels.
    pub channel_prefixes: Vec<String>,
    /// Several events may share one request (HOOK-002).
    pub batch: bool,
    /// Off: nothing is sent.
    pub enabled: bool,
    /// Requests that were not delivered at the first attempt are kept in the apps' database.
    pub durable: bool,
}

impl Webhook {
    /// Whether the webhook wants this kind for the channel; users are online on no channel, so that no prefix concerns them.
    #[must_use]
    pub fn wants(&self, kind: Kind, channel: &ChannelName) -> bool {
        let is_meant = |prefix: &String| channel.begins_with(prefix);
        self.enabled
            && self.events.contains(kind)
            && (kind == Kind::Users
                || self.channel_prefixes.is_empty()
                || self.channel_prefixes.iter().any(is_meant))
    }
}
