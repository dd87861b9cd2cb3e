//! The one timer of a connection, for whatever is due next.
//!
//! The timer is reset only when its wake-up would be too late: short requests do not touch the timer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

/// Since when a socket has accepted nothing, and the bytes accepted by then.
#[derive(Default)]
pub(super) struct Stuck(Option<(Instant, u64)>);

impl Stuck {
    /// Since when, if the socket refuses bytes; `blocked_at` is the number of bytes accepted by then.
    pub fn since(&mut self, blocked_at: Option<u64>) -> Option<Instant> {
        self.0 = blocked_at.map(|written| match self.0 {
            Some(stuck) if stuck.1 == written => stuck,
            _ => (Instant::now(), written),
        });
        self.0.map(|(since, _)| since)
    }
}

/// The timer.
pub(super) struct Alarm<'a> {
    timer: Pin<&'a mut Sleep>,
    /// Whether the timer will wake the task.
    is_set: bool,
}

impl<'a> Alarm<'a> {
    pub fn new(timer: Pin<&'a mut Sleep>) -> Self {
        Self { timer, is_set: false }
    }

    /// Ready with the consequence once its moment has come, if there is one.
    pub fn poll<T>(&mut self, cx: &mut Context<'_>, due: Option<(Instant, T)>) -> Poll<T> {
        let Some((due, then)) = due else { return Poll::Pending };
        loop {
            if due < self.timer.deadline() {
                self.timer.as_mut().reset(due);
                self.is_set = false;
            }
            if self.is_set && !self.timer.is_elapsed() {
                return Poll::Pending;
            }
            self.is_set = true;
            ready!(self.timer.as_mut().poll(cx));
            self.is_set = false;
            if Instant::now() >= due {
                return Poll::Ready(then);
            }
            // The timer was set for a moment that is not due any more.
            self.timer.as_mut().reset(due);
        }
    }
}
