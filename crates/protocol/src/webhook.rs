//! Webhooks: what an app's back end is told, and how it is written (HOOK-001 … HOOK-017).
//!
//! The only place that builds JSON for back ends unasked. Plain values; when something is told, and how often it
//! is tried, is the business of the crate `webhooks`.

mod event;
mod kinds;
mod transition;

pub use self::event::{Event, body};
pub use self::kinds::{Kind, Kinds};
pub use self::transition::{ClientEvent, Present, Transition};

use crate::channel::ChannelName;

/// A place that is told what happens on an app's channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where requests go; `http` or `https`, without a user or password.
    pub url: String,
    /// What it is told (HOOK-017).
    pub events: Kinds,
    /// It is told of channels whose names begin with one of these; of all if there is none.
    pub channel_prefixes: Vec<String>,
    /// Several events may come in one request (HOOK-002).
    pub batch: bool,
    /// Off: it is told nothing.
    pub enabled: bool,
}

impl Webhook {
    /// Whether it is told this of the channel.
    #[must_use]
    pub fn wants(&self, kind: Kind, channel: &ChannelName) -> bool {
        let is_meant = |prefix: &String| channel.as_str().starts_with(prefix);
        self.enabled
            && self.events.contains(kind)
            && (self.channel_prefixes.is_empty() || self.channel_prefixes.iter().any(is_meant))
    }
}
