//! The part of a durable URL's queue that is to be kept in a backlog: requests that have failed, and behind a URL that
//! fails also events that were never sent.
//!
//! What is taken to be kept still counts as held, until somebody says what became of it.

use std::time::Duration;

use fanfare_protocol::auth::Credential;
use tokio::time::Instant;

use super::{Queue, QueueState, backoff};
use crate::backlog::KeptRequest;
use crate::request::Prepared;

/// Most requests that are kept together, and about the most bytes of these.
const MOST_AT_ONCE: usize = 500;
const MOST_BYTES: usize = 4 << 20;

impl Queue {
    /// The requests to keep now, unless others are being kept.
    pub(crate) fn take_unkept(&mut self, credential: Option<&Credential>, now: Instant) -> Vec<Prepared> {
        if self.is_keeping || self.waits_to_park && self.state != QueueState::Parked {
            return Vec::new();
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < MOST_AT_ONCE
            && bytes < MOST_BYTES
            && let Some(request) = self.unkept.pop_front().or_else(|| self.held_up(credential, now))
        {
            bytes += request.bytes;
            taken.push(request);
        }
        self.is_keeping = !taken.is_empty();
        taken
    }

    /// The next request of events that have waited for a while behind a URL that fails, or that will not be sent any more.
    fn held_up(&mut self, credential: Option<&Credential>, now: Instant) -> Option<Prepared> {
        let first = self.waiting.front().filter(|_| self.durable)?;
        let is_held_up = self.is_failing() && first.since + self.settings.first_retry <= now;
        // What was under way is older, and comes back at once.
        let is_parked = self.state == QueueState::Parked && self.under_way.count == 0;
        (is_held_up || is_parked).then(|| self.prepare(credential?)).flatten()
    }

    /// A request in the form in which it is kept.
    pub(crate) fn to_keep(&self, request: &Prepared, now: Instant) -> KeptRequest {
        let due_in = match self.state {
            // The next start is another beginning for all, so that they keep their order.
            QueueState::Ending | QueueState::Parked => Duration::ZERO,
            QueueState::Usual | QueueState::Failing { .. } => {
                backoff(self.settings.first_retry, request.failed.saturating_sub(1))
            }
        };
        request.to_keep(now, due_in)
    }

    /// The taken requests are kept, and not this queue's any more.
    pub(crate) fn kept(&mut self, requests: &[Prepared]) {
        self.is_keeping = false;
        for request in requests {
            self.held.remove(request.events, request.bytes);
        }
    }

    /// The taken requests could not be kept: they are retried from memory, as those of other URLs. While the server ends,
    /// nothing is retried: then they are to be kept once more, at the last moment for that.
    pub(crate) fn not_kept(&mut self, requests: Vec<Prepared>, now: Instant) {
        self.is_keeping = false;
        if self.durable && self.state == QueueState::Ending {
            self.waits_to_park = true;
            requests.into_iter().rev().for_each(|request| self.unkept.push_front(request));
            return;
        }
        for request in requests {
            self.retry(request, now);
        }
    }

    /// Sends nothing any more: a durable URL's events and requests are to be kept as they are.
    pub(crate) fn park(&mut self) {
        if self.durable {
            self.state = QueueState::Parked;
            self.unkept.extend(std::mem::take(&mut self.retries).into_values());
        }
    }
}
