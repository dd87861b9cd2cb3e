//! How long things take on this node: publishing, reaching a socket, requests to other servers, and waking a task.
//!
//! One publish in [`SAMPLED`] is followed to the sockets; no other delivery reads a clock.

use std::fmt::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fanfare_hub::{Budget, MomentTaker, SampleWindow};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use tokio::time::Instant;

use super::duration::{
    DurationHistogram, FAST_BOUNDS, REQUEST_BOUNDS, TIMER_BOUNDS, encode_family, encode_one,
};

/// Of so many publishes one is followed to the sockets of its recipients; the first is.
const SAMPLED: u32 = 64;

/// The histograms of a node.
#[derive(Debug)]
pub struct Timings {
    began: Instant,
    publishes: AtomicU32,
    /// From an accepted publish until its events are in all outboxes of this node.
    to_outbox: DurationHistogram,
    /// From there until a socket took them, of sampled events.
    to_socket: DurationHistogram,
    authorizations: DurationHistogram,
    /// Attempts that succeeded, and attempts that failed.
    webhooks: [DurationHistogram; 2],
    lag: DurationHistogram,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AttemptLabels {
    outcome: &'static str,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            publishes: AtomicU32::new(0),
            to_outbox: DurationHistogram::new(FAST_BOUNDS),
            to_socket: DurationHistogram::new(FAST_BOUNDS),
            authorizations: DurationHistogram::new(REQUEST_BOUNDS),
            webhooks: [DurationHistogram::new(REQUEST_BOUNDS), DurationHistogram::new(REQUEST_BOUNDS)],
            lag: DurationHistogram::new(TIMER_BOUNDS),
        }
    }
}

impl Timings {
    /// What hears of sampled frames that a socket has taken.
    #[must_use]
    pub fn moment_taker(self: &Arc<Self>) -> MomentTaker {
        let timings = Arc::clone(self);
        Box::new(move |moment| {
            let waited = timings.microseconds(Instant::now()).wrapping_sub(moment);
            timings.to_socket.observe(Duration::from_micros(waited.into()));
        })
    }

    /// Microseconds, of which the highest bits are lost once an hour: a frame does not wait that long.
    fn microseconds(&self, at: Instant) -> u32 {
        at.duration_since(self.began).as_micros() as u32
    }

    /// A publish was accepted; drop the result when its events are in the outboxes.
    #[must_use]
    pub(crate) fn publish<'a>(&'a self, budget: &'a Budget) -> PublishTimer<'a> {
        let begun = Instant::now();
        let window = self.is_next().then(|| budget.sample(self.microseconds(begun)));
        PublishTimer { timings: self, begun, _window: window }
    }

    /// An event of another node is about to be delivered; drop the result when the event is in the outboxes.
    #[must_use]
    pub(crate) fn heard<'a>(&'a self, budget: &'a Budget) -> Option<SampleWindow<'a>> {
        self.is_next().then(|| budget.sample(self.microseconds(Instant::now())))
    }

    /// Whether this publish is one to follow.
    fn is_next(&self) -> bool {
        self.publishes.fetch_add(1, Ordering::Relaxed).is_multiple_of(SAMPLED)
    }

    /// A request to an application took this long, whatever the answer.
    pub fn authorization(&self, took: Duration) {
        self.authorizations.observe(took);
    }

    /// An attempt to send a webhook took this long.
    pub(crate) fn webhook(&self, took: Duration, has_failed: bool) {
        self.webhooks[usize::from(has_failed)].observe(took);
    }

    /// A task was woken so long after the moment that it had asked for.
    pub(crate) fn woken_late(&self, late: Duration) {
        self.lag.observe(late);
    }
}

/// The time of a publish, which ends with the timer.
pub(crate) struct PublishTimer<'a> {
    timings: &'a Timings,
    begun: Instant,
    _window: Option<SampleWindow<'a>>,
}

impl Drop for PublishTimer<'_> {
    fn drop(&mut self) {
        self.timings.to_outbox.observe(self.begun.elapsed());
    }
}

/// The collector of a node's histograms.
#[derive(Debug)]
pub(super) struct LiveTimings(pub Arc<Timings>);

impl Collector for LiveTimings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let timings = &self.0;
        let plain = [
            (
                "publish_to_outbox_seconds",
                "From an accepted publish until its events are in the outboxes of this node",
                &timings.to_outbox,
            ),
            (
                "outbox_to_socket_seconds",
                "From an accepted publish, one in 64, until the socket of a recipient has taken its event",
                &timings.to_socket,
            ),
            ("authorization_request_seconds", "Requests to applications", &timings.authorizations),
            (
                "event_loop_lag_seconds",
                "How late a task of the server was woken, measured once a second",
                &timings.lag,
            ),
        ];
        for (name, help, histogram) in plain {
            encode_one((name, help), histogram, &mut encoder)?;
        }
        let outcomes = ["success", "failure"].map(|outcome| AttemptLabels { outcome });
        let named = ("webhook_request_seconds", "Attempts to send a webhook, by whether they succeeded");
        encode_family(named, outcomes.into_iter().zip(&timings.webhooks), &mut encoder)
    }
}
