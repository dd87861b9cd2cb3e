//! What the sources give, before it is settled which of them holds.
//!
//! Nothing here is checked yet.

use toml::Value;

use super::fault::Origin;

/// A setting as one source gives it.
#[derive(Clone)]
pub(super) struct Given {
    pub place: Origin,
    pub key: String,
    pub value: Value,
}

/// An app as one source gives it.
pub(super) struct GivenApp {
    pub place: Origin,
    /// What the operator knows it by: `apps.list[1]` or `PUSHER_APP`.
    pub name: String,
    /// Where each of its webhooks stands.
    pub webhooks: Vec<Origin>,
    /// By key within the app, such as `secret` or `limits.batch`.
    pub settings: Vec<Given>,
}

/// What all sources give together: settings by key, and apps.
#[derive(Default)]
pub(super) struct Gathered {
    pub settings: Vec<Given>,
    pub apps: Vec<GivenApp>,
}
