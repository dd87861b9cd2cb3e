//! Periodic work: evicting expired state, the history of apps, sending merged joins, leaves and counts to channels, and closing the largest
//! slow consumers when too many bytes wait for all clients.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::clock::unix_seconds;
use crate::history::{HISTORY_STEP, HistoryPoint};
use crate::inquiry;
use crate::memory;
use crate::node::Node;

/// How often hubs without connections, and events that have expired, are dropped, and uses of keys are summed up.
const SWEEP: Duration = Duration::from_secs(60);

/// How often what is kept for clients that resume is swept.
const SWEEP_RINGS: Duration = Duration::from_secs(1);

/// How often crowded channels get their subscription counts (WS-176).
const TELL_COUNTS: Duration = Duration::from_secs(5);

/// How often the hints of fresh traces are looked for, so that they tell what was open about when the event came.
const HINT: Duration = Duration::from_secs(2);

/// How often old entries of the audit log are deleted.
const SWEEP_AUDIT: Duration = Duration::from_secs(3600);

/// Apps that get a point of their history before other tasks have a turn.
const TENANTS_AT_ONCE: usize = 1000;

/// How long the joins and leaves of a crowded channel are held back, to be merged.
const MERGE: Duration = Duration::from_millis(100);

/// How often the bytes that wait for clients are checked without a wake-up, and the shortest time between two log
/// lines about closed readers.
const LOOK: Duration = Duration::from_secs(1);

/// How long closed readers get to free their buffers before the next check.
const FREEING: Duration = Duration::from_millis(20);

/// Starts the tasks, which run until the process ends.
pub fn begin(node: &Arc<Node>) {
    node.tasks.spawn("sweep", sweep(Arc::clone(node)));
    node.tasks.spawn("frames kept for resuming", sweep_rings(Arc::clone(node)));
    if node.apps.has_database() {
        node.tasks.spawn("audit log", sweep_audit(Arc::clone(node)));
    }
    node.tasks.spawn("hints of traces", hint_traces(Arc::clone(node)));
    node.tasks.spawn("history of apps", keep_history(Arc::clone(node)));
    node.tasks.spawn("counts of channels", tell_counts(Arc::clone(node)));
    node.tasks.spawn("changes of channels", tell_changes(Arc::clone(node)));
    node.tasks.spawn("memory of outboxes", relieve(Arc::clone(node)));
}

/// Drops the state left by apps without connections.
async fn sweep(node: Arc<Node>) {
    let mut every = interval(SWEEP);
    loop {
        every.tick().await;
        node.hubs.sweep(node.milliseconds());
        node.tenants.all().iter().for_each(|tenant| tenant.keys.minute_is_over());
        node.outgoing.webhooks.drop_idle();
        node.idempotency.sweep(node.milliseconds());
        node.answers.drop_old(Instant::now());
    }
}

/// Drops what is not kept any longer for clients that resume.
async fn sweep_rings(node: Arc<Node>) {
    let mut every = interval(SWEEP_RINGS);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = every.tick().await;
        node.timings.woken_late(due.elapsed());
        node.hubs.sweep_rings(node.milliseconds());
    }
}

/// Deletes the entries of the audit log that are too old (CON-059).
async fn sweep_audit(node: Arc<Node>) {
    let mut every = interval(SWEEP_AUDIT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // During an outage of the database the next sweep deletes more.
        let days = node.config().console.audit_days;
        if let Err(error) = node.apps.forget_audit(days).await {
            tracing::debug!(target: "fanfare", %error, "old entries of the audit log stay");
        }
    }
}

/// Looks for the hints of fresh traces; of apps that trace nothing, nothing is done (CON-043).
async fn hint_traces(node: Arc<Node>) {
    let mut every = interval(HINT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        inquiry::hint_fresh(&node).await;
    }
}

/// Adds a point to the history of each app in use (CON-021).
async fn keep_history(node: Arc<Node>) {
    let mut every = interval(HISTORY_STEP);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let at = unix_seconds();
        for some in node.tenants.all().chunks(TENANTS_AT_ONCE) {
            for tenant in some {
                let connections = node.hubs.get(&tenant.app).map_or(0, |hub| hub.connections());
                let growth = tenant.growth.until(tenant.counts(node.refusals.made(&tenant.app)));
                node.histories.keep(&tenant.app, HistoryPoint::new(at, connections, growth));
            }
            yield_now().await;
        }
        node.histories.drop_ended(at);
    }
}

async fn tell_counts(node: Arc<Node>) {
    let mut every = interval(TELL_COUNTS);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        for hub in node.hubs.all() {
            hub.tell_counts();
        }
    }
}

/// Sends merged changes; sleeps while there are none.
async fn tell_changes(node: Arc<Node>) {
    loop {
        let mut apps = poll_fn(|cx| node.hubs.poll_changes(cx)).await;
        sleep(MERGE).await;
        if let Poll::Ready(more) = node.hubs.poll_changes(&Context::from_waker(Waker::noop())) {
            apps.extend(more);
        }
        for hub in apps.iter().filter_map(|app| node.hubs.get(app)) {
            hub.tell_changes();
        }
    }
}

/// Closes the largest readers whenever more bytes wait for clients than allowed.
async fn relieve(node: Arc<Node>) {
    let budget = Arc::clone(node.hubs.budget());
    // Number of readers closed since the last log line.
    let (mut untold, mut told_at) = (0, None::<Instant>);
    loop {
        memory::give_back();
        // The timeout catches what nobody reports: many outboxes, each with few bytes.
        let _ = timeout(LOOK, poll_fn(|cx| budget.poll_over(cx))).await;
        let held = budget.held();
        untold += node.hubs.relieve();
        if untold > 0 && told_at.is_none_or(|at| at.elapsed() >= LOOK) {
            told_at = Some(Instant::now());
            tracing::warn!(
                target: "fanfare",
                held,
                most = budget.bytes(),
                closed = std::mem::take(&mut untold),
                "too much waits for clients (limits.outboxes_bytes); those with most to read were closed"
            );
        }
        sleep(FREEING).await;
    }
}
