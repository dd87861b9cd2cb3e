//! What asks and tells the servers of others: one client for each purpose, made at the start.

use std::sync::Arc;

use fanfare_config::Config;
use fanfare_outgoing::{Client, Options};
use fanfare_webhooks::{Spawn, Webhooks};

use crate::tasks::Tasks;

/// All that goes out from here, but for what comes from a Redis.
pub struct Outgoing {
    /// Asks the apps' own applications.
    pub applications: Client,
    /// Tells the apps' back ends what happens.
    pub webhooks: Webhooks,
}

impl Outgoing {
    /// Clients as they are configured; what they do by themselves is done in these tasks.
    #[must_use]
    pub fn new(config: &Config, tasks: &Tasks) -> Self {
        let Config { authorities, apps, webhooks, .. } = config;
        let usual = Options { reach: apps.reach(), ..Options::default() };
        let tasks = tasks.clone();
        let spawn: Spawn = Arc::new(move |sending| tasks.spawn_work("webhooks of a URL", sending));
        // PHP's SDK looks for headers letter by letter (HOOK-003).
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
