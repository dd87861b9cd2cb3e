//! Outgoing requests to other servers: one client for each purpose, built at the start.

use std::sync::Arc;

use fanfare_config::Config;
use fanfare_outgoing::{Client, Options};
use fanfare_webhooks::{Spawn, Webhooks};

use crate::tasks::Tasks;

/// All outgoing clients, except the Redis feeds.
pub struct Outgoing {
    /// Sends authorization requests to the apps' own applications.
    pub applications: Client,
    /// Sends webhooks to the apps' back ends.
    pub webhooks: Webhooks,
}

impl Outgoing {
    /// Clients as configured; their background work runs in these tasks.
    #[must_use]
    pub fn new(config: &Config, tasks: &Tasks) -> Self {
        let Config { authorities, apps, webhooks, .. } = config;
        let usual = Options { reach: apps.reach(), ..Options::default() };
        let tasks = tasks.clone();
        let spawn: Spawn = Arc::new(move |sending| tasks.spawn_work("webhooks of a URL", sending));
        // PHP's SDK compares header names with their case (HOOK-003).
        let letter_by_letter = Options { title_case_headers: true, ..usual };
        Self {
            applications: Client::with(&authorities.authorization, usual),
            webhooks: Webhooks::new(
                webhooks.settings(),
                Client::with(&authorities.webhooks, letter_by_letter),
                spawn,
            ),
        }
    }
}
