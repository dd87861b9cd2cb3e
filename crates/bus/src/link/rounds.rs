//! Futures that wake each other within one task: polled again at once, instead of by a turn of the scheduler.
//!
//! A task that wakes itself is queued like any other, and an idle thread is woken for the task: dearer than what an event
//! costs otherwise. Knows no connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;

/// Most rounds of one poll; then the task has its turn again like any other.
const MOST_ROUNDS: usize = 8;

/// Polls futures of one task until none of them has woken another.
pub(super) struct Rounds {
    bell: Arc<RoundBell>,
    /// The bell, as futures know it.
    waker: Waker,
}

struct RoundBell {
    task: Mutex<Option<Waker>>,
    /// The futures are being polled: whoever wakes the task now asks for one more round.
    is_polling: AtomicBool,
    is_rung: AtomicBool,
}

impl Rounds {
    pub fn new() -> Self {
        let (task, is_polling, is_rung) = (Mutex::default(), AtomicBool::new(false), AtomicBool::new(false));
        let bell = Arc::new(RoundBell { task, is_polling, is_rung });
        Self { waker: Waker::from(Arc::clone(&bell)), bell }
    }

    /// Polls; to be called again by the same task after every result.
    pub fn poll<R>(
        &self,
        context: &Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        {
            let mut task = self.bell.task.lock();
            if !task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
                *task = Some(context.waker().clone());
            }
        }
        self.bell.is_polling.store(true, Ordering::SeqCst);
        let mut within = Context::from_waker(&self.waker);
        let mut result = Poll::Pending;
        for _ in 0..MOST_ROUNDS {
            self.bell.is_rung.store(false, Ordering::SeqCst);
            result = poll(&mut within);
            if result.is_ready() || !self.bell.is_rung.load(Ordering::SeqCst) {
                break;
            }
        }
        self.bell.is_polling.store(false, Ordering::SeqCst);
        // Also for whoever rang from another thread behind the last look.
        if result.is_pending() && self.bell.is_rung.load(Ordering::SeqCst) {
            context.waker().wake_by_ref();
        }
        result
    }
}

impl Wake for RoundBell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_rung.store(true, Ordering::SeqCst);
        if !self.is_polling.load(Ordering::SeqCst)
            && let Some(task) = &*self.task.lock()
        {
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn futures_that_wake_each_other_cost_no_turn_of_the_task_unless_they_never_end() {
        let (rounds, woken) = (Rounds::new(), Arc::new(Counted::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        let mut left = 3;
        let polled = rounds.poll(&context, |within| {
            within.waker().wake_by_ref();
            left -= 1;
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        assert_eq!((polled, woken.0.load(Ordering::SeqCst)), (Poll::Ready(()), 0));
        let mut polls = 0;
        let polled: Poll<()> = rounds.poll(&context, |within| {
            polls += 1;
            within.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!((polled, polls, woken.0.load(Ordering::SeqCst)), (Poll::Pending, MOST_ROUNDS, 1));
    }

    #[test]
    fn a_future_that_is_woken_between_polls_wakes_the_task() {
        let (rounds, woken) = (Rounds::new(), Arc::new(Counted::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut own = None;
        let polled: Poll<()> = rounds.poll(&Context::from_waker(&waker), |within| {
            own = Some(within.waker().clone());
            Poll::Pending
        });
        assert!(polled.is_pending() && woken.0.load(Ordering::SeqCst) == 0);
        own.unwrap().wake();
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    }
}
