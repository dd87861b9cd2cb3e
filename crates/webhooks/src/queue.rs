//! What one URL is still to be sent: events that wait for a request, and requests that wait for another attempt.
//!
//! Bounded in events and bytes, those under way included; what comes while it is full is left out, and counted by
//! whoever brings it. Knows no network.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fanfare_protocol::auth::Credential;
use fanfare_protocol::channel::ChannelName;
use fanfare_protocol::webhook::Event;
use tokio::time::Instant;

use crate::request::{MOST_BODY, Prepared};
use crate::settings::Settings;

/// Requests to one URL at once.
pub(crate) const MOST_UNDER_WAY: usize = 8;

/// Longest time between two attempts (HOOK-023).
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Most events of one request.
const MOST_BATCHED: usize = 1000;

/// Memory of a waiting event beside its text, roughly.
const AROUND: usize = 128;

/// An event that waits for its request.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub event: Arc<Event>,
    pub since: Instant,
    /// The same moment, since 1970.
    pub time_ms: u64,
}

/// The queue of one URL.
#[derive(Debug)]
pub(crate) struct Queue {
    settings: Settings,
    /// Several events may share a request.
    pub batch: bool,
    waiting: VecDeque<Waiting>,
    /// By the moment of their next attempt.
    retries: BTreeMap<(Instant, u64), Prepared>,
    /// Numbers those of one moment.
    turns: u64,
    /// Requests under way that were never tried before: how many, and whose.
    fresh: Vec<Option<ChannelName>>,
    under_way: usize,
    /// Of all that waits or is under way.
    events: usize,
    bytes: usize,
    /// Nothing is waited for any more: everything is tried once, now.
    is_ending: bool,
}

impl Waiting {
    pub(crate) fn bytes(&self) -> usize {
        self.event.json.len() + AROUND
    }
}

impl Queue {
    pub(crate) fn new(settings: Settings, batch: bool) -> Self {
        Self {
            settings,
            batch,
            waiting: VecDeque::new(),
            retries: BTreeMap::new(),
            turns: 0,
            fresh: Vec::new(),
            under_way: 0,
            events: 0,
            bytes: 0,
            is_ending: false,
        }
    }

    /// Adds an event; false if there is no room for it.
    pub(crate) fn push(&mut self, waiting: Waiting) -> bool {
        let bytes = waiting.bytes();
        let has_room = self.events < self.settings.most_events && self.bytes + bytes <= self.settings.most_bytes;
        if !has_room || bytes > MOST_BODY {
            return false;
        }
        self.events += 1;
        self.bytes += bytes;
        self.waiting.push_back(waiting);
        true
    }

    /// The next request whose time has come, if another may be under way.
    pub(crate) fn next(&mut self, credential: &Credential, now: Instant) -> Option<Prepared> {
        if self.under_way >= MOST_UNDER_WAY {
            return None;
        }
        let retry = self.retries.first_key_value().map(|((due, _), _)| *due);
        let next = match retry {
            Some(due) if due <= now || self.is_ending => self.retries.pop_first()?.1,
            _ => self.fresh(credential, now)?,
        };
        self.under_way += 1;
        if next.failed == 0 {
            self.fresh.push(next.channel.clone());
        }
        Some(next)
    }

    /// The first request for what has waited longest, if it has waited long enough.
    fn fresh(&mut self, credential: &Credential, now: Instant) -> Option<Prepared> {
        let first = self.waiting.front()?;
        let count = if self.batch {
            let is_ready = first.since + self.settings.batch <= now
                || self.waiting.len() >= MOST_BATCHED
                || self.is_ending;
            // One after the other, so that events arrive in order.
            if !is_ready || !self.fresh.is_empty() {
                return None;
            }
            self.batched()
        } else {
            // Events of one channel arrive in order, as long as none has to be tried again.
            if self.fresh.iter().any(|channel| channel.as_ref() == Some(&first.event.channel)) {
                return None;
            }
            1
        };
        let events: Vec<Waiting> = self.waiting.drain(..count).collect();
        if self.waiting.is_empty() {
            self.waiting.shrink_to(64);
        }
        Some(Prepared::new(&events, credential, self.batch))
    }

    /// How many of the first go into one request: one of an encrypted channel goes alone (HOOK-026).
    fn batched(&self) -> usize {
        let mut bytes = 0;
        let fits = |(at, waiting): &(usize, &Waiting)| {
            bytes += waiting.bytes();
            *at == 0 || bytes <= MOST_BODY && !waiting.event.is_encrypted()
        };
        match self.waiting.front() {
            Some(first) if first.event.is_encrypted() => 1,
            _ => self.waiting.iter().take(MOST_BATCHED).enumerate().take_while(fits).count(),
        }
    }

    /// When [`Queue::next`] has something that it does not have now, if nothing comes and nothing ends.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        if self.under_way >= MOST_UNDER_WAY {
            return None;
        }
        let retry = self.retries.first_key_value().map(|((due, _), _)| *due);
        let batch = self.waiting.front().filter(|_| self.batch && self.fresh.is_empty());
        let batch = batch.map(|first| first.since + self.settings.batch);
        retry.into_iter().chain(batch).min()
    }

    /// A request has ended, well or not.
    fn ended(&mut self, request: &Prepared) {
        self.under_way -= 1;
        if request.failed == 0
            && let Some(at) = self.fresh.iter().position(|channel| *channel == request.channel)
        {
            self.fresh.swap_remove(at);
        }
    }

    /// A request was answered with success.
    pub(crate) fn delivered(&mut self, request: &Prepared) {
        self.ended(request);
        self.let_go(request);
    }

    /// A request has failed; it is tried again, or given up if it would be too old by then. Returns how many
    /// events are given up.
    pub(crate) fn failed(&mut self, mut request: Prepared, now: Instant) -> u64 {
        self.ended(&request);
        let due = now + self.pause(request.failed);
        if self.is_ending || request.since + self.settings.patience < due {
            self.let_go(&request);
            return request.events as u64;
        }
        request.failed += 1;
        self.turns += 1;
        self.retries.insert((due, self.turns), request);
        0
    }

    /// Doubles with every failure.
    fn pause(&self, failed: u32) -> Duration {
        let doubled = self.settings.first_retry.saturating_mul(1 << failed.min(16));
        doubled.min(LONGEST_RETRY)
    }

    fn let_go(&mut self, request: &Prepared) {
        self.events -= request.events;
        self.bytes -= request.bytes;
    }

    /// Gives up events that have grown too old without ever being tried; returns how many.
    pub(crate) fn drop_expired(&mut self, now: Instant) -> u64 {
        let mut count = 0;
        while let Some(first) = self.waiting.pop_front_if(|first| first.since + self.settings.patience <= now) {
            self.events -= 1;
            self.bytes -= first.bytes();
            count += 1;
        }
        count
    }

    /// Everything that waits is tried once more, at once, and nothing a second time.
    pub(crate) fn end(&mut self) {
        self.is_ending = true;
    }

    /// Drops everything, what is under way included; returns how many events.
    pub(crate) fn clear(&mut self) -> u64 {
        let events = self.events as u64;
        *self = Self { is_ending: self.is_ending, ..Self::new(self.settings, self.batch) };
        events
    }

    /// Whether nothing waits and nothing is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.events == 0
    }
}

#[cfg(test)]
mod tests;
