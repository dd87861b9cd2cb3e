//! News for an app's webhooks: the changes on its channels.

use fanfare_protocol::webhook::{Kinds, Present, Transition};

/// The changes in one app.
#[derive(Debug, Default)]
pub struct News {
    /// The transitions, in order.
    pub transitions: Vec<Transition>,
    /// Number of transitions lost behind them.
    pub lost: u64,
    /// Kinds that a webhook has just begun to want. Subjects already present are recorded without an event.
    pub newly_wanted: Kinds,
    /// The state behind all transitions; needed only after a loss or for newly wanted kinds.
    pub present: Vec<Present>,
}
