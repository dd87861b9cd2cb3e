//! What a stalled runtime was doing, as far as that can be told from outside: the states of its workers and of the threads.
//!
//! Costs nothing before a stall: tasks note nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::runtime::RuntimeMetrics;

use super::threads::{self, ThreadTime};

/// The state of the threads at a moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    at: Instant,
    threads: BTreeMap<u32, ThreadTime>,
}

/// The report.
#[derive(Clone, Debug)]
pub(super) struct StallReport {
    /// How long the runtime stood still.
    pub still: Duration,
    /// Tasks that have not ended.
    pub tasks: usize,
    /// Tasks that are to run, and that no worker has taken.
    pub queued: usize,
    /// For each worker, whether a task keeps it busy; an idle one is parked.
    pub busy: Vec<bool>,
    /// The threads when the runtime was suspect.
    before: Option<Sample>,
    now: Sample,
}

impl Sample {
    /// The threads now.
    pub fn take(at: Instant) -> Self {
        Self { at, threads: threads::read() }
    }
}

impl StallReport {
    /// The state now; `before` is an earlier one, for the difference.
    pub fn new(still: Duration, metrics: &RuntimeMetrics, before: Option<Sample>, now: Instant) -> Self {
        // A worker that is parked has an odd count: one more for parking than for being woken.
        let is_busy = |worker| metrics.worker_park_unpark_count(worker).is_multiple_of(2);
        Self {
            still,
            tasks: metrics.num_alive_tasks(),
            queued: metrics.global_queue_depth(),
            busy: (0..metrics.num_workers()).map(is_busy).collect(),
            before,
            now: Sample::take(now),
        }
    }

    /// Logs the report: a line for the runtime, and one for each thread.
    pub fn log(&self) {
        let Self { still, tasks, queued, busy, before, now } = self;
        let workers = busy.len();
        let busy = busy.iter().filter(|is_busy| **is_busy).count();
        let seconds = still.as_secs_f64();
        tracing::error!(
            target: "fanfare::watchdog",
            seconds, workers, busy_workers = busy, tasks, queued,
            "what the runtime was doing (busy workers: a task does not give the thread back)"
        );
        for (number, thread) in &now.threads {
            let earlier = before.as_ref().and_then(|before| Some((before.at, before.threads.get(number)?)));
            let on_cpu_ms = earlier.map(|(_, earlier)| millis(thread.on_cpu.saturating_sub(earlier.on_cpu)));
            let of_ms = earlier.map(|(at, _)| millis(now.at.saturating_duration_since(at)));
            let ThreadTime { name, state, waits_in, .. } = thread;
            tracing::error!(
                target: "fanfare::watchdog",
                thread = number, name, %state, on_cpu_ms, of_ms, waits_in,
                "thread"
            );
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
