//! The queue of one URL: events that wait for a request, and requests that wait for a retry.
//!
//! Bounded in events and bytes, requests under way included, and by the bytes of all queues together; events that
//! find the queue full are dropped and counted. Knows no network.

mod held;
mod keeping;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use fanfare_protocol::auth::Credential;
use fanfare_protocol::channel::ChannelName;
use tokio::time::Instant;

use self::held::Held;
use crate::decided::Group;
use crate::request::{MOST_BODY, Prepared, Waiting};
use crate::settings::{Lost, Settings};

/// Most requests under way to one URL.
pub(crate) const MOST_UNDER_WAY: usize = 8;

/// Longest time between two attempts (HOOK-023).
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Most events of one request.
const MOST_BATCHED: usize = 1000;

/// The queue of one URL.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) settings: Settings,
    /// Several events may share a request.
    pub batch: bool,
    /// At most one request may be under way.
    pub one_at_a_time: bool,
    /// What has failed is to be kept, and retried from memory only if it cannot be.
    pub durable: bool,
    waiting: VecDeque<Waiting>,
    /// Retries by the moment of their next attempt.
    retries: BTreeMap<(Instant, u64), Prepared>,
    /// Tells retries of one moment apart.
    turns: u64,
    under_way: UnderWay,
    /// Failed requests that are to be kept.
    unkept: VecDeque<Prepared>,
    /// Requests were taken to be kept.
    is_keeping: bool,
    /// Some could not be kept while the server ends: the last moment for keeping is waited for.
    waits_to_park: bool,
    held: Held,
    lost: Lost,
    state: QueueState,
}

/// Requests under way.
#[derive(Debug, Default)]
struct UnderWay {
    count: usize,
    /// The channels of requests in their first attempt.
    fresh: Vec<Option<ChannelName>>,
}

/// The state of a URL, which decides how requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QueueState {
    Usual,
    /// The last request failed: one request at a time, with a backoff that grows with every failure, so that
    /// a URL that hangs or refuses takes little from other URLs.
    Failing {
        in_a_row: u32,
        until: Instant,
    },
    /// Graceful shutdown: every request is tried once, now.
    Ending,
    /// The end of that, for a durable URL: nothing more is sent.
    Parked,
}

impl Queue {
    /// An empty queue; `in_all` is shared by all queues.
    pub(crate) fn new(settings: Settings, in_all: Arc<AtomicUsize>) -> Self {
        Self {
            settings,
            batch: false,
            one_at_a_time: false,
            durable: false,
            waiting: VecDeque::new(),
            retries: BTreeMap::new(),
            turns: 0,
            under_way: UnderWay::default(),
            unkept: VecDeque::new(),
            is_keeping: false,
            waits_to_park: false,
            held: Held::nothing(in_all),
            lost: Lost::default(),
            state: QueueState::Usual,
        }
    }

    /// Adds an event, or counts a loss if the queue is full.
    pub(crate) fn push(&mut self, waiting: Waiting) {
        let bytes = waiting.bytes();
        if bytes <= MOST_BODY && self.held.add(bytes, &self.settings) {
            self.waiting.push_back(waiting);
        } else {
            self.lost.no_room += 1;
        }
    }

    /// The next request that is due, if another request may be under way.
    pub(crate) fn next(&mut self, credential: &Credential, now: Instant) -> Option<Prepared> {
        self.give_up_late(now);
        if self.under_way.count >= self.most_under_way()
            || self.state == QueueState::Parked
            || self.pauses_until().is_some_and(|until| now < until)
        {
            return None;
        }
        let retry = self.retries.first_key_value().map(|((due, _), _)| *due);
        let next = match retry {
            Some(due) if due <= now || self.state == QueueState::Ending => self.retries.pop_first()?.1,
            _ => self.fresh(credential, now)?,
        };
        self.under_way.count += 1;
        if next.failed == 0 {
            self.under_way.fresh.push(next.channel.clone());
        }
        Some(next)
    }

    fn most_under_way(&self) -> usize {
        if self.is_failing() || self.one_at_a_time { 1 } else { MOST_UNDER_WAY }
    }

    /// Whether the last request failed.
    pub(crate) const fn is_failing(&self) -> bool {
        matches!(self.state, QueueState::Failing { .. })
    }

    /// End of the backoff.
    const fn pauses_until(&self) -> Option<Instant> {
        match self.state {
            QueueState::Failing { until, .. } => Some(until),
            QueueState::Usual | QueueState::Ending | QueueState::Parked => None,
        }
    }

    /// The first attempt of the events that have waited longest, once their batch time has passed.
    fn fresh(&mut self, credential: &Credential, now: Instant) -> Option<Prepared> {
        let first = self.waiting.front()?;
        if self.batch {
            let is_ready = first.group.is_some()
                || first.since + self.settings.batch <= now
                || self.waiting.len() >= MOST_BATCHED
                || self.state == QueueState::Ending;
            // One after the other, so that events arrive in order.
            if !is_ready || !self.under_way.fresh.is_empty() {
                return None;
            }
        // Events of one channel arrive in order, as long as no request has to be retried.
        } else if self.under_way.fresh.iter().any(|channel| channel.as_ref() == Some(&first.event.channel)) {
            return None;
        }
        self.prepare(credential)
    }

    /// A request with the events that have waited longest.
    fn prepare(&mut self, credential: &Credential) -> Option<Prepared> {
        let count = if self.batch { self.batched() } else { 1.min(self.waiting.len()) };
        let events: Vec<Waiting> = self.waiting.drain(..count).collect();
        if self.waiting.is_empty() {
            self.waiting.shrink_to(64);
        }
        (!events.is_empty()).then(|| Prepared::new(&events, credential, self.batch))
    }

    /// Number of first events for one request: an event of an encrypted channel goes alone (HOOK-026).
    fn batched(&self) -> usize {
        let mut bytes = 0;
        let fits = |(at, waiting): &(usize, &Waiting)| {
            bytes += waiting.bytes();
            *at == 0 || bytes <= MOST_BODY && !waiting.event.is_encrypted()
        };
        match self.waiting.front() {
            Some(first) if first.event.is_encrypted() => 1,
            Some(first) => {
                let group = self.waiting.iter().take_while(|waiting| waiting.is_grouped_with(first));
                group.take(MOST_BATCHED).enumerate().take_while(fits).count()
            }
            None => 0,
        }
    }

    /// When [`Queue::next`] has a further request, if no event comes and no request ends before.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        if self.under_way.count >= self.most_under_way() {
            return None;
        }
        let retry = self.retries.first_key_value().map(|((due, _), _)| *due);
        let window = if self.batch { self.settings.batch } else { Duration::ZERO };
        let fresh = self.waiting.front().filter(|_| self.under_way.fresh.is_empty());
        let fresh = fresh.map(|first| if first.group.is_some() { first.since } else { first.since + window });
        let first = retry.into_iter().chain(fresh).min()?;
        Some(self.pauses_until().map_or(first, |until| first.max(until)))
    }

    /// A request has ended, with success or not.
    fn ended(&mut self, request: &Prepared) {
        self.under_way.count -= 1;
        if request.failed == 0
            && let Some(at) = self.under_way.fresh.iter().position(|channel| *channel == request.channel)
        {
            self.under_way.fresh.swap_remove(at);
        }
    }

    /// A request succeeded; returns whether the URL was failing before.
    pub(crate) fn delivered(&mut self, request: &Prepared) -> bool {
        self.ended(request);
        self.held.remove(request.events, request.bytes);
        let was_failing = self.is_failing();
        if was_failing {
            self.state = QueueState::Usual;
        }
        was_failing
    }

    /// A request failed: plans a retry, or drops a request that would be too old by then; of a durable URL it is to be
    /// kept. Returns whether the URL was not failing before.
    pub(crate) fn failed(&mut self, mut request: Prepared, now: Instant) -> bool {
        self.ended(&request);
        request.failed += 1;
        if self.durable {
            self.unkept.push_back(request);
        } else {
            self.retry(request, now);
        }
        let before = self.state;
        let in_a_row = match before {
            QueueState::Usual => 1,
            QueueState::Failing { in_a_row, .. } => in_a_row.saturating_add(1),
            QueueState::Ending | QueueState::Parked => return false,
        };
        self.state = QueueState::Failing { in_a_row, until: now + self.pause_of_all(in_a_row) };
        before == QueueState::Usual
    }

    /// Whether a request that fails now is tried again, from memory or from where it is kept.
    pub(crate) fn tries_again(&self, request: &Prepared, now: Instant) -> bool {
        self.durable || self.is_retried(request, now + backoff(self.settings.first_retry, request.failed))
    }

    fn is_retried(&self, request: &Prepared, due: Instant) -> bool {
        let is_ending = matches!(self.state, QueueState::Ending | QueueState::Parked);
        !is_ending && !self.settings.is_late(request.since, due)
    }

    /// Plans the next attempt at a request, or drops a request that is not to be tried again.
    fn retry(&mut self, request: Prepared, now: Instant) {
        let due = now + backoff(self.settings.first_retry, request.failed.saturating_sub(1));
        if self.is_retried(&request, due) {
            self.turns += 1;
            self.retries.insert((due, self.turns), request);
        } else {
            self.give_up(request.events, request.bytes);
        }
    }

    /// Pause between two requests to a failing URL, whatever their events: negligible after a single failure,
    /// so that one refused event holds up no others, and the first backoff of an event after many.
    fn pause_of_all(&self, in_a_row: u32) -> Duration {
        let first = self.settings.first_retry;
        doubled(first / 64, in_a_row - 1, first)
    }

    fn give_up(&mut self, events: usize, bytes: usize) {
        self.held.remove(events, bytes);
        self.lost.given_up += events as u64;
    }

    /// Drops events and requests that have become too old while they waited.
    fn give_up_late(&mut self, now: Instant) {
        let settings = self.settings;
        // Of a durable URL they are still to be kept.
        while !self.durable
            && let Some(late) = self.waiting.pop_front_if(|first| settings.is_late(first.since, now))
        {
            self.give_up(1, late.bytes());
        }
        while let Some(first) = self.retries.first_entry()
            && first.key().0 <= now
            && settings.is_late(first.get().since, now)
        {
            let late = first.remove();
            self.give_up(late.events, late.bytes);
        }
    }

    /// Drops events that were never tried.
    pub(crate) fn give_up_fresh(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.give_up(1, waiting.bytes());
        }
    }

    /// Tries everything that waits once more, at once, and nothing a second time.
    pub(crate) fn end(&mut self) {
        self.state = QueueState::Ending;
    }

    /// Drops the events of a source that are not under way, and counts no loss: another node sends them.
    pub(crate) fn withdraw(&mut self, source: u32) {
        let is_of_source =
            |group: &Option<Arc<Group>>| group.as_ref().is_some_and(|group| group.source == source);
        let held = &mut self.held;
        self.waiting.retain(|waiting| {
            let goes = is_of_source(&waiting.group);
            if goes {
                held.remove(1, waiting.bytes());
                withdrawn(&waiting.group);
            }
            !goes
        });
        let mut stays = |request: &Prepared| {
            let goes = is_of_source(&request.group);
            if goes {
                held.remove(request.events, request.bytes);
                withdrawn(&request.group);
            }
            !goes
        };
        self.retries.retain(|_, request| stays(request));
        self.unkept.retain(stays);
    }

    /// Drops everything; ends of requests under way must not be reported any more.
    pub(crate) fn clear(&mut self) {
        self.give_up(self.held.events, self.held.bytes);
        self.waiting.clear();
        self.retries.clear();
        self.unkept.clear();
        self.is_keeping = false;
        self.under_way = UnderWay::default();
    }

    /// Losses since the last call.
    pub(crate) fn take_lost(&mut self) -> Lost {
        std::mem::take(&mut self.lost)
    }

    /// Events that wait, or are under way.
    pub(crate) const fn len(&self) -> usize {
        self.held.events
    }

    /// Whether nothing waits and nothing is under way.
    pub(crate) const fn is_empty(&self) -> bool {
        self.held.events == 0
    }
}

fn withdrawn(group: &Option<Arc<Group>>) {
    if let Some(group) = group {
        group.withdraw();
    }
}

/// Backoff between two attempts of one request, the first of which was the `failed` + 1st to fail (HOOK-023).
pub(crate) fn backoff(first_retry: Duration, failed: u32) -> Duration {
    doubled(first_retry, failed, LONGEST_RETRY)
}

/// A time doubled `times` times, up to the longest.
fn doubled(time: Duration, times: u32, longest: Duration) -> Duration {
    time.saturating_mul(1 << times.min(16)).min(longest)
}

#[cfg(test)]
mod tests;
