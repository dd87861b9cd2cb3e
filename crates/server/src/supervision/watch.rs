//! The thread that looks at the runtime, and the task whose beats it looks at.
//!
//! The task waits for the runtime's timer, so that a beat shows that tasks run, and that the driver of timers and sockets
//! does. The thread takes no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::runtime::RuntimeMetrics;
use tokio::time::sleep;

use super::notice::Message;
use super::notify_socket::NotifySocket;
use super::report::{Sample, StallReport};
use super::stall::{Seen, StallClock};

/// Longest time between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// Looks within each deadline.
const LOOKS: u32 = 8;

/// Time between two looks, and two beats, for these deadlines.
pub(super) fn between_looks(deadlines: impl Iterator<Item = Duration>) -> Duration {
    deadlines.map(|deadline| deadline / LOOKS).fold(LONGEST_LOOK, Duration::min)
}

/// Counts for as long as the runtime works.
pub(super) async fn beat(beats: Arc<AtomicU64>, every: Duration) {
    loop {
        beats.fetch_add(1, Ordering::Relaxed);
        sleep(every).await;
    }
}

/// Signs of life for the service manager: at half of its deadline, if the runtime has worked since the last.
#[derive(Debug)]
struct LifeSigns {
    deadline: Duration,
    given: Instant,
    beats: u64,
}

impl LifeSigns {
    /// Whether a sign is due; `look` is the time to the next look.
    fn is_due(&mut self, now: Instant, beats: u64, look: Duration) -> bool {
        let since = now.saturating_duration_since(self.given);
        let is_due = beats != self.beats && since + look / 2 >= self.deadline / 2;
        if is_due {
            (self.given, self.beats) = (now, beats);
        }
        is_due
    }
}

/// What the thread works with.
#[derive(Debug)]
pub(super) struct Watch {
    socket: NotifySocket,
    signs: Option<LifeSigns>,
    beats: Arc<AtomicU64>,
    look: Duration,
    clock: Option<StallClock>,
    metrics: RuntimeMetrics,
    /// The threads when the runtime was suspect.
    suspect: Option<Sample>,
}

impl Watch {
    /// A watch over a runtime; without a `clock` no stall is looked for.
    pub fn new(
        socket: NotifySocket,
        (beats, look): (Arc<AtomicU64>, Duration),
        clock: Option<StallClock>,
        metrics: RuntimeMetrics,
    ) -> Self {
        let given = Instant::now();
        let signs = socket.watchdog().map(|deadline| LifeSigns { deadline, given, beats: 0 });
        Self { socket, signs, beats, look, clock, metrics, suspect: None }
    }

    /// Sends what is told, and looks, until the last message, or until the runtime has stalled: then returns the report.
    pub fn run(mut self, messages: &Receiver<Message>) -> Option<StallReport> {
        let mut next = Instant::now() + self.look;
        loop {
            match messages.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Message::Tell(notice)) => self.socket.tell(&notice),
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let now = Instant::now();
                    next = now + self.look;
                    if let Some(report) = self.look(now) {
                        return Some(report);
                    }
                }
            }
        }
    }

    fn look(&mut self, now: Instant) -> Option<StallReport> {
        let beats = self.beats.load(Ordering::Relaxed);
        if let Some(signs) = &mut self.signs
            && signs.is_due(now, beats, self.look)
        {
            self.socket.keep_waiting();
        }
        let clock = self.clock.as_mut()?;
        match clock.look(now, beats) {
            Seen::Works => None,
            Seen::Suspect(still) => {
                self.suspect = Some(Sample::take(now));
                let (seconds, limit) = (still.as_secs_f64(), clock.limit().as_secs());
                tracing::warn!(
                    target: "fanfare::watchdog",
                    seconds, limit, "the runtime does nothing; at the limit (watchdog.stall) the process ends"
                );
                None
            }
            Seen::Again(still) => {
                let seconds = still.as_secs_f64();
                tracing::warn!(target: "fanfare::watchdog", seconds, "the runtime works again");
                None
            }
            Seen::Stalled(still) => Some(StallReport::new(still, &self.metrics, self.suspect.take(), now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel, sync_channel};
    use std::thread;

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    /// Deadline of waits, which only a failing test reaches.
    const DEADLINE: Duration = Duration::from_secs(20);

    /// A runtime of one worker, its watch in a thread, and where the report arrives.
    fn watched(limit: Duration) -> (Runtime, Receiver<Option<StallReport>>, impl FnOnce()) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let look = between_looks([limit].into_iter());
        let beats = Arc::default();
        drop(runtime.spawn(beat(Arc::clone(&beats), look)));
        let clock = StallClock::new(limit, look, Instant::now());
        let socket = NotifySocket::none();
        let watch = Watch::new(socket, (beats, look), Some(clock), runtime.metrics());
        let (sender, messages) = sync_channel(1);
        let (reported, report) = channel();
        thread::spawn(move || reported.send(watch.run(&messages)).is_ok());
        (runtime, report, move || drop(sender))
    }

    /// Keeps the runtime's only worker busy until the sender is dropped; returns once the worker is.
    fn block(runtime: &Runtime) -> Sender<()> {
        let (free, until) = channel::<()>();
        let (begun, begins) = channel();
        drop(runtime.spawn(async move {
            begun.send(()).expect("the test waits");
            let _ = until.recv();
        }));
        begins.recv_timeout(DEADLINE).expect("the task runs");
        free
    }

    #[test]
    fn a_runtime_whose_worker_is_blocked_is_reported_with_what_it_was_doing() {
        let (runtime, report, _end) = watched(Duration::from_millis(400));
        let free = block(&runtime);
        let report = report.recv_timeout(DEADLINE).expect("the stall is seen").expect("a report");
        assert_eq!(report.busy, [true]);
        assert_eq!(report.tasks, 2, "the one that beats, and the one that blocks");
        assert!(report.still > Duration::from_millis(400));
        report.log();
        drop(free);
    }

    #[test]
    fn a_runtime_that_works_is_watched_until_the_end() {
        let (runtime, report, end) = watched(Duration::from_secs(3600));
        drop(block(&runtime));
        end();
        assert!(report.recv_timeout(DEADLINE).expect("the thread ends").is_none());
    }

    #[test]
    fn a_sign_of_life_is_due_at_half_of_the_deadline_and_only_after_a_beat() {
        let start = Instant::now();
        let look = Duration::from_secs(1);
        let mut signs = LifeSigns { deadline: look * 8, given: start, beats: 0 };
        let due: Vec<u64> =
            (1..=12).filter(|second| signs.is_due(start + look * (*second as u32), *second, look)).collect();
        assert_eq!(due, [4, 8, 12]);
        let still: Vec<u64> =
            (13..=40).filter(|second| signs.is_due(start + look * (*second as u32), 12, look)).collect();
        assert_eq!(still, [0; 0], "the runtime stands still");
        assert!(signs.is_due(start + look * 41, 13, look), "it works again");
    }
}
