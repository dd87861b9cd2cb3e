//! Metrics read from the live tables on each scrape, app by app.

use std::collections::HashMap;
use std::fmt::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_hub::Hubs;
use fanfare_protocol::app::Quota;
use fanfare_protocol::ids::AppId;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;

use super::labels::{AppLabel, AppLabels};
use super::named_apps::{LabelRow, NamedApps};
use crate::idempotency::{IdempotencyKeys, KeyOutcome};
use crate::tasks::Tasks;
use crate::tenants::{AuthorizationOutcome, Tenant, Tenants};

/// In the order of [`Tenant::refused`].
const QUOTAS: [Quota; 2] = [Quota::Second, Quota::Day];

/// The sources of the metrics.
#[derive(Debug)]
pub struct Live {
    /// Connections, users and channels.
    pub hubs: Arc<Hubs>,
    /// Which apps have series of their own.
    pub named: NamedApps,
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
    /// Entries of the audit log that could not be kept.
    pub unaudited: Arc<AtomicU64>,
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
        let tenants = self.tenants.all();
        self.choose(&tenants);
        self.gauges(&mut encoder)?;
        self.counters(&mut encoder, &tenants)?;
        self.idempotency_keys(&mut encoder)?;
        self.failed_tasks(&mut encoder)
    }
}

impl Live {
    fn gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let hubs = self.hubs.all();
        let rows = hubs.iter().map(|hub| {
            let (channels, subscriptions) = hub.totals();
            let (resume, ended) = hub.kept_for_resuming();
            let (users, kept) = (hub.users_online(), hub.parked_bytes());
            let values = [hub.connections(), channels, subscriptions, users, kept, resume, ended];
            (hub.app().id.clone(), values.map(|value| value as u64).to_vec())
        });
        let rows = self.named.gauges(rows.collect());
        let gauges = [
            ("connections", "Connections of clients open now, over any transport"),
            ("channels", "Channels occupied now"),
            ("subscriptions", "Subscriptions now"),
            ("users", "Signed-in users now"),
            ("cache_bytes", "Bytes of events kept of cache channels without subscribers"),
            ("resume_bytes", "Bytes kept for clients that resume"),
            ("resume_records", "Ended connections that are remembered for clients that resume"),
        ];
        for (column, (name, help)) in gauges.into_iter().enumerate() {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (app, values) in &rows {
                let gauge = ConstGauge::new(i64::try_from(values[column]).unwrap_or(i64::MAX));
                gauge.encode(family.encode_family(&AppLabels::from(app.clone()))?)?;
            }
        }
        self.node_gauges(encoder)
    }

    fn node_gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let budget = self.hubs.budget();
        let outboxes = [
            ("outboxes_bytes", "Bytes of memory that hold what waits for clients now", budget.held()),
            ("outboxes_bytes_limit", "Most bytes of memory for what waits for clients", budget.bytes()),
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
        let unaudited = ConstCounter::new(self.unaudited.load(Ordering::Relaxed));
        let (name, help) =
            ("audit_entries_lost", "Entries of the audit log that the apps' database did not store");
        unaudited.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        Ok(())
    }

    fn counters(&self, encoder: &mut DescriptorEncoder<'_>, tenants: &[Arc<Tenant>]) -> Result<(), Error> {
        type Count = fn(&Tenant) -> u64;
        let counters: [(&str, &str, Count); 10] = [
            ("events_published", "Events accepted for publishing", Tenant::events),
            ("client_events", "Events of clients passed on to others", |t| t.usage().client_messages),
            ("deliveries", "Events handed to a subscriber each", |t| t.usage().deliveries),
            (
                "delivered_bytes",
                "Bytes of events handed to subscribers, with the header of the WebSocket",
                |t| t.usage().delivered_bytes,
            ),
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
        let rows = self.of_tenants("usage", tenants, |tenant| {
            counters.iter().map(|(_, _, count)| count(tenant)).collect()
        });
        for (column, (name, help, _)) in counters.into_iter().enumerate() {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (app, counts) in &rows {
                let counter = ConstCounter::new(counts[column]);
                counter.encode(family.encode_family(&AppLabels::from(app.clone()))?)?;
            }
        }
        self.authorizations(encoder, tenants)?;
        self.refused_and_resumed(encoder, tenants)
    }

    fn refused_and_resumed(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        tenants: &[Arc<Tenant>],
    ) -> Result<(), Error> {
        let (name, help) = ("resumes", "Channels that clients asked to resume, by whether nothing was lost");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (complete, count) in ["true", "false"].into_iter().zip(self.hubs.resumes()) {
            ConstCounter::new(count).encode(family.encode_family(&ResumeLabels { complete })?)?;
        }
        let (name, help) = ("messages_refused", "Messages over a quota of their app");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        let rows = self
            .of_tenants("refused", tenants, |tenant| tenant.refused().map(|(_, refused)| refused).to_vec());
        for (app, counts) in rows {
            for (quota, refused) in QUOTAS.into_iter().zip(counts).filter(|(_, refused)| *refused > 0) {
                let labels = QuotaLabels { app: app.clone(), quota: quota.setting() };
                ConstCounter::new(refused).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn idempotency_keys(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let numbers = self.idempotency.numbers();
        let gauges = [
            ("idempotency_keys", "Idempotency keys that are remembered", numbers.keys),
            ("idempotency_bytes", "Bytes of idempotency keys that are remembered", numbers.bytes),
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

    /// The counters of this group, app by app as far as apps have series of their own.
    fn of_tenants(
        &self,
        group: &'static str,
        tenants: &[Arc<Tenant>],
        counts: impl Fn(&Tenant) -> Vec<u64>,
    ) -> Vec<LabelRow> {
        let rows = tenants.iter().map(|tenant| (tenant.app.clone(), counts(tenant)));
        self.named.counters(group, rows.collect())
    }

    /// Chooses the apps with series of their own: those with connections and messages come first.
    fn choose(&self, tenants: &[Arc<Tenant>]) {
        let mut apps: HashMap<AppId, u64> =
            self.hubs.all().iter().map(|hub| (hub.app().id.clone(), hub.connections() as u64)).collect();
        for tenant in tenants {
            *apps.entry(tenant.app.clone()).or_default() += tenant.events();
        }
        self.named.choose(apps);
    }

    fn authorizations(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        tenants: &[Arc<Tenant>],
    ) -> Result<(), Error> {
        let (name, help) =
            ("authorizations", "Requests to join a channel or sign in, by what became of them");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        let rows = self.of_tenants("authorizations", tenants, |tenant| {
            tenant.authorizations.counts().map(|(_, count)| count).to_vec()
        });
        for (app, counts) in rows {
            let counts = AuthorizationOutcome::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0);
            for (outcome, count) in counts {
                let labels = OutcomeLabels { app: app.clone(), outcome: outcome.label() };
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
