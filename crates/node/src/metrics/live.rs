//! Metrics read from the live tables on each scrape, app by app.

use std::fmt::Error;
use std::sync::Arc;

use fanfare_hub::Hubs;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;

use super::labels::{AppLabel, AppLabels};
use crate::idempotency::{IdempotencyKeys, KeyOutcome};
use crate::tasks::Tasks;
use crate::tenants::{Tenant, Tenants};

/// The sources of the metrics.
#[derive(Debug)]
pub struct Live {
    /// Connections, users and channels.
    pub hubs: Arc<Hubs>,
    /// The idempotency keys.
    pub idempotency: Arc<IdempotencyKeys>,
    /// The usage of each app.
    pub tenants: Arc<Tenants>,
    /// The failed tasks.
    pub tasks: Tasks,
    /// Whether the apps' database answers.
    pub database_answers: watch::Receiver<bool>,
    /// Whether the apps' database stores writes.
    pub database_stores: watch::Receiver<bool>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct QuotaLabels {
    app: AppLabel,
    quota: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    app: AppLabel,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KeyLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResumeLabels {
    complete: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TaskLabels {
    task: &'static str,
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.gauges(&mut encoder)?;
        self.counters(&mut encoder)?;
        self.idempotency_keys(&mut encoder)?;
        self.failed_tasks(&mut encoder)
    }
}

impl Live {
    fn gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let hubs = self.hubs.all();
        let rows: Vec<(AppLabels, [usize; 7])> = hubs
            .iter()
            .map(|hub| {
                let (channels, subscriptions) = hub.totals();
                let labels = AppLabels::of(&hub.app().id);
                let kept = hub.parked_bytes();
                let (resume, ended) = hub.kept_for_resuming();
                let users = hub.users_online();
                (labels, [hub.connections(), channels, subscriptions, users, kept, resume, ended])
            })
            .collect();
        let gauges = [
            ("connections", "WebSockets open now"),
            ("channels", "Channels occupied now"),
            ("subscriptions", "Subscriptions now"),
            ("users", "Signed-in users now"),
            ("cache_bytes", "Bytes of events kept of cache channels without subscribers"),
            ("resume_bytes", "Bytes kept for clients that resume"),
            ("resume_records", "Ended connections that are remembered for clients that resume"),
        ];
        for (column, (name, help)) in gauges.into_iter().enumerate() {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (labels, values) in &rows {
                let gauge = ConstGauge::new(i64::try_from(values[column]).unwrap_or(i64::MAX));
                gauge.encode(family.encode_family(labels)?)?;
            }
        }
        let budget = self.hubs.budget();
        let outboxes = [
            ("outboxes_bytes", "Bytes of memory that hold what waits for clients now", budget.held()),
            ("outboxes_bytes_limit", "The most that they may be", budget.bytes()),
        ];
        for (name, help, bytes) in outboxes {
            let gauge = ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        let up = ConstGauge::new(i64::from(*self.database_answers.borrow()));
        let help = "Whether the apps' database answers, 1 or 0";
        up.encode(encoder.encode_descriptor("apps_database_up", help, None, MetricType::Gauge)?)?;
        let writable = ConstGauge::new(i64::from(*self.database_stores.borrow()));
        let (name, help) =
            ("apps_database_writable", "Whether the apps' database stores what is written, 1 or 0");
        writable.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        Ok(())
    }

    fn counters(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        type Count = fn(&Tenant) -> u64;
        let counters: [(&str, &str, Count); 10] = [
            ("events_published", "Events accepted for publishing", Tenant::events),
            ("client_events", "Events of clients passed on to others", |t| t.usage().client_messages),
            ("deliveries", "Events handed to a subscriber each", |t| t.usage().deliveries),
            ("delivered_bytes", "Bytes of those", |t| t.usage().delivered_bytes),
            ("webhook_deliveries", "Requests of webhooks answered with success", |t| {
                t.usage().webhook_deliveries
            }),
            ("webhook_failures", "Attempts to send a webhook that failed", |t| t.usage().webhook_failures),
            ("webhook_events_dropped", "Events of webhooks that were never delivered", |t| {
                t.usage().webhook_events_dropped
            }),
            ("webhook_requests_kept", "Requests of durable webhooks that were kept in the database", |t| {
                t.kept_requests()[0]
            }),
            ("webhook_requests_not_kept", "Requests of durable webhooks that could not be kept", |t| {
                t.kept_requests()[1]
            }),
            ("webhook_kept_dropped", "Kept requests of webhooks that were dropped", |t| t.kept_requests()[2]),
        ];
        let tenants = self.tenants.all();
        for (name, help, count) in counters {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for tenant in &tenants {
                let counter = ConstCounter::new(count(tenant));
                counter.encode(family.encode_family(&AppLabels::of(&tenant.app))?)?;
            }
        }
        self.authorizations(encoder)?;
        let (name, help) = ("resumes", "Channels that clients asked to resume, by whether nothing was lost");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (complete, count) in ["true", "false"].into_iter().zip(self.hubs.resumes()) {
            ConstCounter::new(count).encode(family.encode_family(&ResumeLabels { complete })?)?;
        }
        let (name, help) = ("messages_refused", "Messages over a quota of their app");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for tenant in &tenants {
            for (quota, refused) in tenant.refused().into_iter().filter(|(_, refused)| *refused > 0) {
                let labels = QuotaLabels { app: AppLabel(tenant.app.clone()), quota: quota.setting() };
                ConstCounter::new(refused).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn idempotency_keys(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let numbers = self.idempotency.numbers();
        let gauges = [
            ("idempotency_keys", "Idempotency keys that are remembered", numbers.keys),
            ("idempotency_bytes", "Bytes of these", numbers.bytes),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        let (name, help) =
            ("idempotency_requests", "Publishes with an idempotency key, by what became of them");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (outcome, count) in KeyOutcome::ALL.into_iter().zip(numbers.outcomes) {
            ConstCounter::new(count)
                .encode(family.encode_family(&KeyLabels { outcome: outcome.label() })?)?;
        }
        let (name, help) =
            ("idempotency_keys_evicted", "Idempotency keys that went before their time, for want of room");
        let counter = ConstCounter::new(numbers.evicted);
        counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn failed_tasks(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let (name, help) =
            ("tasks_failed", "Tasks of the server itself that have panicked or ended before their time");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (task, count) in self.tasks.failures() {
            ConstCounter::new(count).encode(family.encode_family(&TaskLabels { task })?)?;
        }
        Ok(())
    }

    fn authorizations(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let (name, help) =
            ("authorizations", "Requests to join a channel or sign in, by what became of them");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for tenant in self.tenants.all() {
            let counts = tenant.authorizations.counts().into_iter().filter(|(_, count)| *count > 0);
            for (outcome, count) in counts {
                let labels = OutcomeLabels { app: AppLabel(tenant.app.clone()), outcome: outcome.label() };
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
