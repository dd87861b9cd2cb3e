//! `[webhooks]`: settings of the webhooks of all apps.

use std::time::Duration;

use fanfare_apps::{BacklogBounds, BacklogRoom};
use serde::Deserialize;

/// How webhooks are sent; all times are in milliseconds.
#[derive(Clone, Debug, Deserialize)]
pub struct WebhooksSection {
    /// How long `channel_vacated` and `member_removed` wait for a return (HOOK-021).
    pub delay: u32,
    /// How long events are collected for one request (HOOK-024).
    pub batch: u32,
    /// Timeout of one attempt, from looking up the name to the status of the answer (HOOK-023).
    pub timeout: u32,
    /// Backoff from the first failure to the second attempt.
    pub retry: u32,
    /// Maximum age of an event before it is dropped (HOOK-022).
    pub give_up: u32,
    /// Most events queued for one URL.
    pub queue: usize,
    /// Most concurrent requests of all apps together.
    pub requests: usize,
    /// Maximum age of an event whose request is kept in the database.
    pub durable_age: u32,
    /// Most kept requests of one URL.
    pub durable_url_requests: usize,
    /// Most bytes of the kept requests of one URL.
    pub durable_url_bytes: usize,
    /// Most kept requests of one app.
    pub durable_app_requests: usize,
    /// Most bytes of the kept requests of one app.
    pub durable_app_bytes: usize,
    /// Most kept requests of all apps.
    pub durable_requests: usize,
    /// Most bytes of the kept requests of all apps.
    pub durable_bytes: usize,
}

impl WebhooksSection {
    /// Converts to the settings of the crate `webhooks`.
    #[must_use]
    pub fn settings(&self) -> fanfare_webhooks::Settings {
        let milliseconds = |count: u32| Duration::from_millis(count.into());
        fanfare_webhooks::Settings {
            delay: milliseconds(self.delay),
            batch: milliseconds(self.batch),
            timeout: milliseconds(self.timeout),
            first_retry: milliseconds(self.retry),
            patience: milliseconds(self.give_up),
            most_events: self.queue,
            most_requests: self.requests,
            ..fanfare_webhooks::Settings::default()
        }
    }

    /// The bounds of the requests kept in the database.
    #[must_use]
    pub fn backlog_bounds(&self) -> BacklogBounds {
        let room = |requests, bytes| BacklogRoom { requests, bytes };
        BacklogBounds {
            age: Duration::from_millis(self.durable_age.into()),
            of_url: room(self.durable_url_requests, self.durable_url_bytes),
            of_app: room(self.durable_app_requests, self.durable_app_bytes),
            in_all: room(self.durable_requests, self.durable_bytes),
        }
    }
}
