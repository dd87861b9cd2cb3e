//! Settings as the sources give them, before the merge.
//!
//! Nothing here is checked yet.

use toml::Value;

use super::fault::Origin;

/// A setting from one source.
#[derive(Clone)]
pub(super) struct Given {
    pub place: Origin,
    pub key: String,
    pub value: Value,
}

/// An app from one source.
pub(super) struct GivenApp {
    pub place: Origin,
    /// The operator's name for the app: `apps.list[1]` or `PUSHER_APP`.
    pub name: String,
    /// The place of each webhook.
    pub webhooks: Vec<Origin>,
    /// By key within the app, such as `secret` or `limits.batch`.
    pub settings: Vec<Given>,
}

/// An entry of a list from one source: a client of laravel-echo-server's HTTP API, or a certificate.
pub(super) struct GivenEntry {
    pub place: Origin,
    /// The operator's name for the entry: `socketio.clients[1]`.
    pub name: String,
    /// By key within the entry, such as `app_id`.
    pub settings: Vec<Given>,
}

/// Settings of all sources by key, apps, clients, and certificates.
#[derive(Default)]
pub(super) struct Gathered {
    pub settings: Vec<Given>,
    pub apps: Vec<GivenApp>,
    pub clients: Vec<GivenEntry>,
    pub certificates: Vec<GivenEntry>,
}
