//! Sends spans to a collector, in batches: one request at a time, within a time. What the collector does not take is dropped
//! and counted; nobody waits for it.

use std::fmt::Error;
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_config::{Config, TelemetrySection};
use fanfare_node::tasks::Tasks;
use fanfare_outgoing::{Bounds, Client, OutgoingError};
use fanfare_spans::{FinishedSpan, Spans, dropped, record};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Request, StatusCode};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::message;

/// Most spans of a request.
const MOST_AT_ONCE: usize = 512;

/// Longest time for which spans wait for others before they are sent.
const GATHERING: Duration = Duration::from_secs(1);

/// Longest wait for the collector, and most of its answer that is read.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), bytes: 64 * 1024 };

/// Most bytes of the answer that are kept; what a collector has rejected is in them.
const MOST_ANSWER: usize = 4096;

/// A collector that does not answer is logged at most so often.
const BETWEEN_LINES: Duration = Duration::from_secs(60);

/// Spans that collectors took, and that they did not.
static SENT: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);

/// What sends the spans; nothing if no collector is named.
pub struct Telemetry(Option<Sending>);

struct Sending {
    task: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

impl Telemetry {
    /// Makes and sends spans from now on, if a collector is named.
    pub fn begin(config: &Config, tasks: &Tasks) -> Self {
        let TelemetrySection { otlp_endpoint, sampled_per_thousand, .. } = &config.telemetry;
        if otlp_endpoint.is_empty() {
            return Self(None);
        }
        let Some(spans) = record(*sampled_per_thousand) else { return Self(None) };
        let (end, ended) = oneshot::channel();
        let node = config.bus.node_name(config.listen.addr.first());
        let collector = CollectorOfSpans::of(&config.telemetry, &node);
        Self(Some(Sending { task: tasks.spawn("telemetry", run(collector, spans, ended)), end }))
    }

    /// Sends the rest, until the deadline at most.
    pub async fn end(self, deadline: Instant) {
        let Self(Some(Sending { task, end })) = self else { return };
        // Fails only if the task has ended.
        let _ = end.send(());
        if timeout_at(deadline, task).await.is_err() {
            tracing::warn!(target: "fanfare::telemetry", "the last spans could not be sent in time");
        }
    }
}

/// Where spans go.
struct CollectorOfSpans {
    client: Client,
    section: TelemetrySection,
    url: String,
    resource: Resource,
    told: Option<Instant>,
}

async fn run(mut collector: CollectorOfSpans, mut spans: Spans, mut ended: oneshot::Receiver<()>) {
    let mut is_over = false;
    while !is_over {
        let mut batch = Vec::new();
        is_over = gather(&mut spans, &mut ended, &mut batch).await;
        collector.send(batch).await;
    }
    loop {
        let rest: Vec<_> = iter::from_fn(|| spans.try_recv().ok()).take(MOST_AT_ONCE).collect();
        if rest.is_empty() {
            return;
        }
        collector.send(rest).await;
    }
}

/// Gathers the spans of one request: as many as one may have, or those of the time since the first. True if the server ends.
async fn gather(spans: &mut Spans, ended: &mut oneshot::Receiver<()>, batch: &mut Vec<FinishedSpan>) -> bool {
    let mut due = None;
    while batch.len() < MOST_AT_ONCE {
        let room = MOST_AT_ONCE - batch.len();
        tokio::select! {
            // The queue lives as long as the process, so there is at least one.
            _ = spans.recv_many(batch, room) => {
                due.get_or_insert_with(|| Instant::now() + GATHERING);
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => return false,
            _ = &mut *ended => return true,
        }
    }
    false
}

impl CollectorOfSpans {
    fn of(section: &TelemetrySection, node: &str) -> Self {
        let base = section.otlp_endpoint.trim_end_matches('/');
        let url = if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") };
        let resource = message::resource(&section.service_name, node);
        Self { client: Client::new(&section.trust), section: section.clone(), url, resource, told: None }
    }

    /// Sends the spans of one request, if there are any; once only.
    async fn send(&mut self, spans: Vec<FinishedSpan>) {
        if spans.is_empty() {
            return;
        }
        let count = spans.len() as u64;
        let (rejected, why) = match self.post(message::body(&self.resource, spans)).await {
            Ok((status, answer)) if status.is_success() => message::rejected(&answer),
            Ok((status, _)) => (u64::MAX, format!("the answer was {}", status.as_u16())),
            Err(error) => (u64::MAX, error.to_string()),
        };
        let rejected = rejected.min(count);
        SENT.fetch_add(count - rejected, Ordering::Relaxed);
        FAILED.fetch_add(rejected, Ordering::Relaxed);
        if rejected > 0 && self.told.is_none_or(|told| told.elapsed() > BETWEEN_LINES) {
            self.told = Some(Instant::now());
            tracing::warn!(target: "fanfare::telemetry", spans = rejected, why, "the collector takes no spans");
        }
    }

    /// The status of the collector's answer, and its beginning.
    async fn post(&self, body: Vec<u8>) -> Result<(StatusCode, Vec<u8>), OutgoingError> {
        let mut request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, concat!("Fanfare/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &self.section.headers {
            request = request.header(name, value.expose());
        }
        // Fails for an invalid URL or header alone, which the settings do not allow.
        let request = request
            .body(Full::from(body))
            .map_err(|_| OutgoingError::Unreachable("no valid URL or header".to_owned()))?;
        let (head, answer) = self.client.with_beginning(request, BOUNDS, MOST_ANSWER).await?;
        Ok((head.status, answer))
    }
}

/// What became of spans, for `/metrics`.
#[derive(Debug)]
pub struct SpansCollector;

impl Collector for SpansCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for (name, help, count) in [
            ("spans_sent", "Spans that the collector took", SENT.load(Ordering::Relaxed)),
            ("spans_failed", "Spans that the collector did not take", FAILED.load(Ordering::Relaxed)),
            ("spans_dropped", "Spans that found the queue full", dropped()),
        ] {
            let counter = ConstCounter::new(count);
            counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        Ok(())
    }
}
