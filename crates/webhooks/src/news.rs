//! What is brought to the webhooks of an app: what has happened on its channels.

use fanfare_protocol::webhook::{Kinds, Present, Transition};

/// What has happened in an app.
#[derive(Debug, Default)]
pub struct News {
    /// In the order in which it happened.
    pub transitions: Vec<Transition>,
    /// How much was left out behind it.
    pub lost: u64,
    /// Kinds that a webhook has just begun to want. Those already present are recorded without an event.
    pub begun: Kinds,
    /// How things are behind all of it; needed only if something was lost or has begun.
    pub present: Vec<Present>,
}
