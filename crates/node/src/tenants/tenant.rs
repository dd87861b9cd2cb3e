//! The numbers of one app on this node.
//!
//! Counters only grow; the books beside them hold the usage that is not stored yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fanfare_apps::{HourOfUsage, Usage};
use fanfare_protocol::app::{App, Quota};
use fanfare_protocol::error::OverQuota;
use fanfare_protocol::ids::AppId;
use fanfare_webhooks::Tally;
use parking_lot::Mutex;

use super::authorizations::Authorizations;
use super::counts::{AppCounts, Growth};
use super::day::Day;
use super::event_counts::{EventCounts, Source};
use super::keys::KeyUses;
use super::moment::Moment;
use super::share::Share;
use super::unwritten::Unwritten;
use crate::rate::Rate;
use crate::taps::AppTaps;
use crate::trace::{EventTrace, KeptTrace, LastTraces, NumberedTrace};

/// The numbers of one app since this value was created.
#[derive(Debug)]
pub struct Tenant {
    /// The app.
    pub app: AppId,
    /// Authorization requests to the app's application.
    pub authorizations: Authorizations,
    /// What other nodes leave of the quotas.
    pub share: Share,
    /// The growth of the counters from one point of the history to the next.
    pub growth: Growth,
    /// Who uses which key.
    pub keys: KeyUses,
    /// Questions to other nodes about the app.
    pub(crate) asked_of_nodes: Rate,
    /// The live lists of the app that operators look at.
    pub taps: Arc<AppTaps>,
    rate: Rate,
    day: Day,
    events: AtomicU64,
    backend_messages: AtomicU64,
    client_messages: AtomicU64,
    deliveries: AtomicU64,
    delivered_bytes: AtomicU64,
    webhooks: WebhookCounts,
    /// Refused messages, in the order of [`Tenant::refused`].
    refused: [AtomicU64; 2],
    /// The most connections since the books were last closed.
    peak: AtomicU64,
    /// Whether `day` includes the messages of today that were stored before this value was created.
    knows_earlier: AtomicBool,
    /// Whether the app was deleted.
    pub(super) gone: AtomicBool,
    /// The lock guards the books only; counters never wait for it.
    unwritten: Mutex<Unwritten>,
    /// Empty unless the app has `trace = true`. The lock guards the traces only.
    pub(crate) traces: Mutex<LastTraces>,
}

/// Counts of the app's webhooks.
#[derive(Debug, Default)]
struct WebhookCounts {
    deliveries: AtomicU64,
    failures: AtomicU64,
    events_dropped: AtomicU64,
    requests_kept: AtomicU64,
    requests_not_kept: AtomicU64,
    kept_dropped: AtomicU64,
}

impl Tally for Tenant {
    fn delivered(&self) {
        self.webhooks.deliveries.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self) {
        self.webhooks.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn dropped(&self, events: u64) {
        self.webhooks.events_dropped.fetch_add(events, Ordering::Relaxed);
    }

    fn kept(&self, requests: u64) {
        self.webhooks.requests_kept.fetch_add(requests, Ordering::Relaxed);
    }

    fn not_kept(&self, requests: u64) {
        self.webhooks.requests_not_kept.fetch_add(requests, Ordering::Relaxed);
    }
}

impl Tenant {
    pub(super) fn new(app: AppId) -> Self {
        Self {
            app,
            authorizations: Authorizations::default(),
            share: Share::default(),
            growth: Growth::default(),
            keys: KeyUses::default(),
            asked_of_nodes: Rate::default(),
            taps: Arc::default(),
            rate: Rate::default(),
            day: Day::default(),
            events: AtomicU64::new(0),
            backend_messages: AtomicU64::new(0),
            client_messages: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            delivered_bytes: AtomicU64::new(0),
            webhooks: WebhookCounts::default(),
            refused: [const { AtomicU64::new(0) }; 2],
            peak: AtomicU64::new(0),
            knows_earlier: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            unwritten: Mutex::default(),
            traces: Mutex::default(),
        }
    }

    /// Counts kept requests of webhooks that were dropped.
    pub fn count_kept_dropped(&self, requests: u64) {
        self.webhooks.kept_dropped.fetch_add(requests, Ordering::Relaxed);
    }

    /// Requests of durable webhooks that were kept, that could not be kept, and that were dropped after they were kept.
    #[must_use]
    pub fn kept_requests(&self) -> [u64; 3] {
        let WebhookCounts { requests_kept, requests_not_kept, kept_dropped, .. } = &self.webhooks;
        [requests_kept, requests_not_kept, kept_dropped].map(|count| count.load(Ordering::Relaxed))
    }

    /// Keeps the trace of a publish (CON-043). Returns its number, and whether hints are to be looked for since now.
    pub(crate) fn keep_trace(&self, trace: &EventTrace) -> (u64, bool) {
        let kept = Arc::new(KeptTrace::of(trace));
        self.traces.lock().push(kept, trace.known)
    }

    /// The last traces, the newest first.
    #[must_use]
    pub(crate) fn last_traces(&self) -> Vec<NumberedTrace> {
        self.traces.lock().newest()
    }

    /// Takes messages out of the app's quotas, per second and per day; all of them or none.
    ///
    /// # Errors
    /// The quota that is exceeded.
    pub fn admit(&self, app: &App, came: usize, now: Moment) -> Result<(), OverQuota> {
        let (per_second, per_day) = (app.messages_per_second, app.messages_per_day);
        let over = |quota, limit| {
            self.refused[quota as usize].fetch_add(came as u64, Ordering::Relaxed);
            OverQuota { quota, limit, came }
        };
        self.share.set_wanted(per_second.is_some() || per_day.is_some());
        let left = per_day.map(|limit| self.share.of_day(limit, now.day));
        if let Some(limit) = per_day
            && !left.is_none_or(|left| self.day.has_room(came, left, now.day))
        {
            return Err(over(Quota::Day, limit));
        }
        if let Some(limit) = per_second {
            self.share.want(came);
            if !self.rate.take_at_most(came, self.share.of_second(limit), limit, now.nanoseconds) {
                return Err(over(Quota::Second, limit));
            }
        }
        if self.day.take(came, left, now.day) {
            return Ok(());
        }
        // Other threads have taken the quota since the check.
        Err(over(Quota::Day, per_day.unwrap_or_default()))
    }

    /// Adds the cost of one event.
    pub fn count_event(&self, source: Source, counts: EventCounts) {
        let messages = counts.messages;
        match source {
            Source::BackEnd => {
                self.events.fetch_add(1, Ordering::Relaxed);
                self.backend_messages.fetch_add(messages, Ordering::Relaxed);
            }
            Source::Client => {
                self.client_messages.fetch_add(messages, Ordering::Relaxed);
            }
        }
        self.count_deliveries(counts);
    }

    /// Adds deliveries of an event that another node has accepted and counted (CL-066).
    pub fn count_deliveries(&self, counts: EventCounts) {
        if counts.deliveries > 0 {
            self.deliveries.fetch_add(counts.deliveries, Ordering::Relaxed);
            self.delivered_bytes.fetch_add(counts.bytes, Ordering::Relaxed);
        }
    }

    /// Messages of a day on this node.
    #[must_use]
    pub fn messages_on(&self, day: u64) -> u64 {
        self.day.count(day)
    }

    /// Records the number of connections at one moment.
    pub fn saw_connections(&self, count: usize) {
        self.peak.fetch_max(count as u64, Ordering::Relaxed);
    }

    /// Number of events from back ends.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// All stored numbers except the peak, which is 0 here.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            peak_connections: 0,
            backend_messages: self.backend_messages.load(Ordering::Relaxed),
            client_messages: self.client_messages.load(Ordering::Relaxed),
            deliveries: self.deliveries.load(Ordering::Relaxed),
            delivered_bytes: self.delivered_bytes.load(Ordering::Relaxed),
            webhook_deliveries: self.webhooks.deliveries.load(Ordering::Relaxed),
            webhook_failures: self.webhooks.failures.load(Ordering::Relaxed),
            webhook_events_dropped: self.webhooks.events_dropped.load(Ordering::Relaxed),
        }
    }

    /// The counters now; what was refused is counted elsewhere.
    #[must_use]
    pub fn counts(&self, refusals: u64) -> AppCounts {
        let usage = self.usage();
        AppCounts {
            backend_messages: usage.backend_messages,
            client_messages: usage.client_messages,
            deliveries: usage.deliveries,
            bytes: usage.delivered_bytes,
            refusals,
        }
    }

    /// Number of messages refused by each quota.
    #[must_use]
    pub fn refused(&self) -> [(Quota, u64); 2] {
        [Quota::Second, Quota::Day].map(|quota| (quota, self.refused[quota as usize].load(Ordering::Relaxed)))
    }

    /// Whether [`Tenant::add_earlier`] is still to be called.
    #[must_use]
    pub fn wants_earlier(&self) -> bool {
        !self.knows_earlier.load(Ordering::Relaxed)
    }

    /// Adds the messages of a day that were stored before this value was created.
    pub fn add_earlier(&self, messages: u64, day: u64) {
        if !self.knows_earlier.swap(true, Ordering::Relaxed) {
            self.day.add_earlier(messages, day);
        }
    }

    /// Books the usage since the last closing to an hour. The peak restarts at the current number of
    /// connections.
    pub fn close_books(&self, hour: u64, connections: impl FnOnce() -> usize) {
        let mut books = self.unwritten.lock();
        let peak_connections = self.peak.swap(0, Ordering::Relaxed);
        // Read after the swap: a connection meanwhile has raised the new peak or is counted here.
        self.saw_connections(connections());
        books.close(hour, Usage { peak_connections, ..self.usage() });
    }

    /// Takes the numbers to store.
    #[must_use]
    pub fn take_unwritten(&self) -> Vec<HourOfUsage> {
        self.unwritten.lock().take()
    }

    /// Puts back numbers that could not be stored.
    pub fn put_back(&self, used: HourOfUsage) {
        self.unwritten.lock().add(used);
    }

    /// Whether the tenant can be dropped without loss.
    pub(super) fn may_leave(&self, hour: u64) -> bool {
        let books = self.unwritten.lock();
        let is_written = books.is_written(self.usage()) && self.peak.load(Ordering::Relaxed) == 0;
        !self.taps.are_open() && is_written && (self.gone.load(Ordering::Relaxed) || books.is_idle(hour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { nanoseconds: 5, day: 20_000 };

    fn tenant() -> Tenant {
        Tenant::new(AppId::from("1"))
    }

    fn app(messages_per_second: Option<usize>, messages_per_day: Option<usize>) -> App {
        App { messages_per_second, messages_per_day, ..App::new(AppId::from("1"), Vec::new()) }
    }

    #[test]
    fn the_quota_that_refuses_is_named_with_its_limit_and_what_came() {
        let tenant = tenant();
        let app = app(Some(5), Some(8));
        assert_eq!(tenant.admit(&app, 5, NOW), Ok(()));
        let over = |quota, limit, came| Err(OverQuota { quota, limit, came });
        assert_eq!(tenant.admit(&app, 1, NOW), over(Quota::Second, 5, 1));
        assert_eq!(tenant.admit(&app, 4, NOW), over(Quota::Day, 8, 4));
        let later = Moment { nanoseconds: 5_000_000_000, ..NOW };
        assert_eq!(tenant.admit(&app, 3, later), Ok(()), "what was refused is not counted");
        assert_eq!(tenant.refused(), [(Quota::Second, 1), (Quota::Day, 4)]);
    }

    #[test]
    fn without_quotas_everything_is_let_through() {
        let tenant = tenant();
        for _ in 0..1000 {
            assert_eq!(tenant.admit(&app(None, None), 1_000_000, NOW), Ok(()));
        }
    }

    #[test]
    fn what_was_stored_earlier_today_is_taken_over_once() {
        let tenant = tenant();
        assert!(tenant.wants_earlier());
        tenant.add_earlier(7, NOW.day);
        tenant.add_earlier(7, NOW.day);
        assert!(!tenant.wants_earlier());
        assert_eq!(tenant.admit(&app(None, Some(8)), 1, NOW), Ok(()));
        assert!(tenant.admit(&app(None, Some(8)), 1, NOW).is_err());
    }

    #[test]
    fn a_peak_begins_anew_with_the_connections_that_are_there() {
        let tenant = tenant();
        tenant.saw_connections(9);
        tenant.close_books(10, || 4);
        tenant.close_books(11, || 0);
        tenant.close_books(12, || 0);
        let peaks: Vec<_> =
            tenant.take_unwritten().iter().map(|used| (used.hour, used.usage.peak_connections)).collect();
        assert_eq!(peaks, [(10, 9), (11, 4)]);
    }

    #[test]
    fn what_became_of_events_is_counted_by_source() {
        let tenant = tenant();
        tenant.count_event(Source::BackEnd, EventCounts { messages: 3, deliveries: 5, bytes: 100 });
        tenant.count_event(Source::Client, EventCounts { messages: 1, deliveries: 2, bytes: 30 });
        tenant.delivered();
        tenant.failed();
        tenant.dropped(9);
        let usage = Usage {
            peak_connections: 0,
            backend_messages: 3,
            client_messages: 1,
            deliveries: 7,
            delivered_bytes: 130,
            webhook_deliveries: 1,
            webhook_failures: 1,
            webhook_events_dropped: 9,
        };
        assert_eq!((tenant.events(), tenant.usage()), (1, usage));
    }
}
