//! Stores the usage of apps in the database, and restores the day's count after a restart.
//!
//! One task, so that no number is written twice or out of order: once a minute, and once more at the end.
//! A failed write is retried the next minute; a crash loses a minute at most. Nobody waits for the task.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fanfare_apps::HourOfUsage;
use fanfare_protocol::ids::AppId;
use fanfare_protocol::utc::since_1970;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};

use crate::node::Node;
use crate::tenants::Tenant;

const BETWEEN_WRITES: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Most rows of one transaction.
const MOST_AT_ONCE: usize = 200;

/// The task that stores usage.
pub struct UsageTask {
    task: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

/// Why the task wakes.
enum Wake {
    /// New tenants, whose earlier messages of today are not known.
    Made(Vec<Arc<Tenant>>),
    /// The hour is over: usage until now belongs to the hour.
    Hour,
    /// The minute is over: time to write.
    Minute,
    /// The server ends: no more usage.
    End,
}

impl UsageTask {
    /// Starts the task, if there is a database.
    #[must_use]
    pub fn begin(node: &Arc<Node>) -> Option<Self> {
        node.apps.has_database().then(|| {
            let (end, ended) = oneshot::channel();
            Self { task: node.tasks.spawn("usage", run(Arc::clone(node), ended)), end }
        })
    }

    /// Stores the rest, until the deadline at most, and ends the task.
    pub async fn end(self, deadline: Instant) {
        // Fails only if the task has ended.
        let _ = self.end.send(());
        if timeout_at(deadline, self.task).await.is_err() {
            tracing::warn!(target: "fanfare::apps", "the last numbers of usage could not be stored in time");
        }
    }
}

async fn run(node: Arc<Node>, mut ended: oneshot::Receiver<()>) {
    let name = node_name(node.config().listen.addr.port());
    let mut every = interval(BETWEEN_WRITES);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hour = hours(since_1970(SystemTime::now()));
    loop {
        let wake = tokio::select! {
            made = node.tenants.made() => Wake::Made(made),
            () = sleep(until_next_hour(since_1970(SystemTime::now()))) => Wake::Hour,
            _ = every.tick() => Wake::Minute,
            _ = &mut ended => Wake::End,
        };
        if let Wake::Made(tenants) = wake {
            learn_earlier(&node, &name, tenants).await;
            continue;
        }
        close_books(&node, hour);
        hour = hours(since_1970(SystemTime::now()));
        if matches!(wake, Wake::Minute | Wake::End) {
            // Tenants whose earlier messages could not be read when they were added are included.
            learn_earlier(&node, &name, node.tenants.all()).await;
            write(&node, &name).await;
            node.tenants.drop_idle(hour);
        }
        if matches!(wake, Wake::End) {
            return;
        }
    }
}

/// Books the usage since the last time to its hour.
fn close_books(node: &Node, hour: u64) {
    for tenant in node.tenants.all() {
        tenant.close_books(hour, || node.hubs.get(&tenant.app).map_or(0, |hub| hub.connections()));
    }
}

/// Reads for each new tenant the messages of today that are stored already, so that a restart gives nobody a
/// second day's quota.
async fn learn_earlier(node: &Node, name: &str, tenants: Vec<Arc<Tenant>>) {
    for tenant in tenants.iter().filter(|tenant| tenant.wants_earlier()) {
        let day = node.moment().day;
        match node.apps.messages_since(tenant.app.as_str(), name, day * 24).await {
            Ok(messages) => tenant.add_earlier(messages, day),
            // The other tenants would fail too; the next minute retries.
            Err(error) => return tracing::debug!(target: "fanfare::apps", %error, "usage was not read"),
        }
    }
}

/// Writes the books. Tenants that have not read their earlier messages wait: rows written before would be read as
/// earlier messages.
async fn write(node: &Node, name: &str) {
    let mut unwritten: Vec<(Arc<Tenant>, HourOfUsage)> = Vec::new();
    for tenant in node.tenants.all().into_iter().filter(|tenant| !tenant.wants_earlier()) {
        unwritten.extend(tenant.take_unwritten().into_iter().map(|used| (Arc::clone(&tenant), used)));
    }
    while !unwritten.is_empty() {
        let rest = unwritten.split_off(unwritten.len().min(MOST_AT_ONCE));
        let rows: Vec<(AppId, HourOfUsage)> =
            unwritten.iter().map(|(tenant, used)| (tenant.app.clone(), *used)).collect();
        if let Err(error) = node.apps.add_usage(name, &rows).await {
            tracing::warn!(target: "fanfare::apps", %error, "usage was not stored; trying again in a minute");
            for (tenant, used) in unwritten.into_iter().chain(rest) {
                tenant.put_back(used);
            }
            return;
        }
        unwritten = rest;
    }
}

/// Host name and port, as configured. The name is the same after a restart, so that the peak of an hour is not
/// counted twice and the day's messages are found again, and differs between processes of one host. If two nodes
/// share a name, counts still add up; only their peak is the higher one instead of the sum.
fn node_name(port: u16) -> String {
    let system = rustix::system::uname();
    format!("{}:{port}", system.nodename().to_string_lossy())
}

/// The name that this node finds its messages of today under after a restart; `None` if nothing is stored.
pub(crate) fn remembered_as(node: &Node) -> Option<String> {
    node.apps.has_database().then(|| node_name(node.config().listen.addr.port()))
}

fn hours(since_1970: Duration) -> u64 {
    since_1970.as_secs() / HOUR.as_secs()
}

fn until_next_hour(since_1970: Duration) -> Duration {
    let begun = Duration::from_secs(hours(since_1970) * HOUR.as_secs());
    HOUR.saturating_sub(since_1970.saturating_sub(begun))
}

#[cfg(test)]
mod tests;
