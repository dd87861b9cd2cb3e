//! The frames that wait to be written to one connection.
//!
//! Bounded in bytes. A reader that is too slow for the bound is closed, never silently skipped: a
//! gap is worse than a reconnect. Its lock is a leaf: nothing else is locked while it is held.

mod frames;

use std::task::{Context, Poll, Waker};

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;

use self::frames::Frames;
use crate::sync::Mutex;

/// A bounded queue of frames with one reader, the connection's task.
#[derive(Debug)]
pub struct Outbox {
    /// Guards all of the queue's state at once.
    queue: Mutex<Queue>,
    most_bytes: usize,
}

#[derive(Debug)]
struct Queue {
    frames: Frames,
    /// Of `frames`, and of those that were taken and are not known to be written yet.
    bytes: usize,
    taken_bytes: usize,
    waker: Option<Waker>,
    /// Boxed, because hardly any connection has one, and each makes room for it.
    close: Option<Box<CloseReason>>,
}

/// What [`Outbox::poll_take`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Frames were appended.
    Frames,
    /// Nothing is left to write, and the connection is to end.
    Closed(CloseReason),
}

impl Outbox {
    /// An empty outbox that holds at most `most_bytes`, those being written included.
    #[must_use]
    pub const fn new(most_bytes: usize) -> Self {
        let queue = Queue { frames: Frames::new(), bytes: 0, taken_bytes: 0, waker: None, close: None };
        Self { queue: Mutex::new(queue), most_bytes }
    }

    /// Queues a frame and wakes the connection's task.
    ///
    /// Over the bound the queue is freed and the connection closed as a slow reader; on a closed
    /// outbox the frame is dropped. Returns whether the frame was queued.
    pub fn push(&self, frame: &Frame) -> bool {
        let mut queue = self.queue.lock();
        if queue.close.is_some() {
            return false;
        }
        let fits = queue.bytes + frame.bytes().len() <= self.most_bytes;
        if fits {
            queue.bytes += frame.bytes().len();
            queue.frames.push(frame.clone());
        } else {
            queue.frames = Frames::new();
            queue.close = Some(Box::new(CloseReason::SlowReader));
        }
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        fits
    }

    /// Ends the connection once what is queued has been written; the first reason stays.
    pub fn close(&self, reason: CloseReason) {
        let mut queue = self.queue.lock();
        queue.close.get_or_insert_with(|| Box::new(reason));
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes the connection's task although there is nothing for it here.
    pub(crate) fn rouse(&self) {
        let waker = self.queue.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves up to `most` frames to the end of `into`; everything taken before counts as written.
    pub fn poll_take(&self, cx: &Context<'_>, into: &mut Vec<Frame>, most: usize) -> Poll<Taken> {
        let mut queue = self.queue.lock();
        queue.bytes -= std::mem::take(&mut queue.taken_bytes);
        if queue.frames.is_empty() {
            return match &queue.close {
                Some(reason) => Poll::Ready(Taken::Closed(CloseReason::clone(reason))),
                None => {
                    queue.wait(cx);
                    Poll::Pending
                }
            };
        }
        queue.taken_bytes = queue.frames.take(into, most);
        Poll::Ready(Taken::Frames)
    }

    /// Waits for the end alone, while earlier frames are stuck in a full socket.
    pub fn poll_closed(&self, cx: &Context<'_>) -> Poll<CloseReason> {
        let mut queue = self.queue.lock();
        match &queue.close {
            Some(reason) => Poll::Ready(CloseReason::clone(reason)),
            None => {
                queue.wait(cx);
                Poll::Pending
            }
        }
    }
}

impl Queue {
    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn frame(length: usize) -> Frame {
        Frame::text(length, |out| out.resize(out.len() + length - 2, b'x'))
    }

    fn take(outbox: &Outbox, wakes: &Arc<Wakes>) -> (Vec<Frame>, Poll<Taken>) {
        let waker = Waker::from(Arc::clone(wakes));
        let mut frames = Vec::new();
        let taken = outbox.poll_take(&Context::from_waker(&waker), &mut frames, 64);
        (frames, taken)
    }

    #[test]
    fn frames_come_out_in_order_and_wake_the_reader_once() {
        let outbox = Outbox::new(1000);
        let wakes = Arc::new(Wakes::default());
        assert_eq!(take(&outbox, &wakes).1, Poll::Pending);
        for length in [10, 20, 30] {
            assert!(outbox.push(&frame(length)));
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        let (frames, taken) = take(&outbox, &wakes);
        assert_eq!(taken, Poll::Ready(Taken::Frames));
        let lengths: Vec<usize> = frames.iter().map(|frame| frame.bytes().len()).collect();
        assert_eq!(lengths, [10, 20, 30]);
    }

    #[test]
    fn a_full_outbox_is_freed_and_closed_as_a_slow_reader() {
        let outbox = Outbox::new(100);
        let wakes = Arc::new(Wakes::default());
        assert!(outbox.push(&frame(60)) && outbox.push(&frame(40)), "exactly the bound is allowed");
        assert!(!outbox.push(&frame(2)));
        assert!(!outbox.push(&frame(2)), "nothing enters a closed outbox");
        let (frames, taken) = take(&outbox, &wakes);
        assert!(frames.is_empty());
        assert_eq!(taken, Poll::Ready(Taken::Closed(CloseReason::SlowReader)));
    }

    #[test]
    fn what_is_being_written_counts_until_the_next_take() {
        let outbox = Outbox::new(100);
        let wakes = Arc::new(Wakes::default());
        assert!(outbox.push(&frame(80)));
        assert_eq!(take(&outbox, &wakes).0.len(), 1);
        assert!(outbox.push(&frame(20)));
        assert_eq!(take(&outbox, &wakes).0.len(), 1, "the first 80 bytes are written now");
        assert!(outbox.push(&frame(80)));
        assert!(!outbox.push(&frame(2)));
    }

    #[test]
    fn a_close_waits_for_the_queue_and_the_first_reason_stays() {
        let outbox = Outbox::new(100);
        let wakes = Arc::new(Wakes::default());
        assert!(outbox.push(&frame(10)));
        outbox.close(CloseReason::ServerRestarting);
        outbox.close(CloseReason::PongMissing);
        assert_eq!(take(&outbox, &wakes).1, Poll::Ready(Taken::Frames));
        assert_eq!(take(&outbox, &wakes).1, Poll::Ready(Taken::Closed(CloseReason::ServerRestarting)));
    }

    #[test]
    fn a_reader_stuck_in_a_full_socket_hears_of_the_close() {
        let outbox = Outbox::new(100);
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        assert_eq!(outbox.poll_closed(&Context::from_waker(&waker)), Poll::Pending);
        outbox.close(CloseReason::ServerRestarting);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(
            outbox.poll_closed(&Context::from_waker(&waker)),
            Poll::Ready(CloseReason::ServerRestarting)
        );
    }

    #[test]
    fn a_burst_leaves_no_memory_behind() {
        let outbox = Outbox::new(1_000_000);
        let wakes = Arc::new(Wakes::default());
        for _ in 0..1000 {
            outbox.push(&frame(10));
        }
        while take(&outbox, &wakes).1.is_ready() {}
        assert!(outbox.queue.lock().frames.capacity() <= frames::SLOTS_KEPT);
    }
}
