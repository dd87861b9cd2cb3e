//! The frames that wait to be written to one connection.
//!
//! Bounded in bytes: each frame counts with its slot in the queue. A slow consumer that reaches the bound is
//! closed, and no frame is skipped silently: a gap is worse than a reconnect. The outbox's lock is a leaf: nothing
//! else is locked while the lock is held.

mod frames;
mod pongs;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;

use self::frames::{Frames, cost};
use self::pongs::{PongFate, Pongs};
use crate::budget::Budget;
use crate::sync::Mutex;

/// A bounded queue of frames with one reader, the connection's task.
#[derive(Debug)]
pub struct Outbox {
    /// Guards all of the queue's state at once.
    queue: Mutex<Queue>,
    budget: Arc<Budget>,
}

#[derive(Debug)]
struct Queue {
    frames: Frames,
    /// Bytes of `frames`, and of taken frames that are not known to be written yet.
    bytes: usize,
    /// An outbox has at most a gibibyte.
    taken_bytes: u32,
    /// When the first frame of a sampled event came since frames were last taken, by the publisher's clock; or 0. Beside
    /// `taken_bytes`, so that no connection is larger.
    moment: u32,
    waker: Option<Waker>,
    /// Boxed, because hardly any connection has this state, and each connection has room for the pointer only.
    rare: Option<Box<Rare>>,
}

/// State that most connections have only for a moment.
#[derive(Debug, Default)]
struct Rare {
    /// Why the connection is to end.
    close: Option<CloseReason>,
    pongs: Pongs,
    /// Bytes that the connection's task is about to free, because the budget of all connections was exceeded.
    freeing: usize,
}

/// What [`Outbox::poll_take`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Frames were appended.
    Frames,
    /// Nothing is left to write, and the connection is to end.
    Closed(CloseReason),
}

/// Whether an outbox would take a frame, and how soon the client gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The frame leaves at once.
    Free,
    /// The client's socket is full: frames taken before are not written yet.
    Stuck,
    /// The connection is ending: no frame is taken.
    Ending,
}

impl Outbox {
    /// An empty outbox that holds as much as the budget allows for one, frames being written included.
    #[must_use]
    pub const fn new(budget: Arc<Budget>) -> Self {
        let queue =
            Queue { frames: Frames::new(), bytes: 0, taken_bytes: 0, moment: 0, waker: None, rare: None };
        Self { queue: Mutex::new(queue), budget }
    }

    /// Queues a frame and wakes the connection's task.
    ///
    /// Over the bound the queue is freed and the connection closed as a slow consumer; on a closed
    /// outbox the frame is dropped. Returns whether the frame was queued.
    pub fn push(&self, frame: &Frame) -> bool {
        let moment = self.budget.sampling().moment();
        let mut queue = self.queue.lock();
        if queue.close().is_some() {
            return false;
        }
        let before = queue.bytes;
        let after = before + cost(frame);
        let fits = after <= self.budget.outbox_bytes();
        if fits {
            queue.bytes = after;
            if moment != 0 && queue.moment == 0 {
                queue.moment = moment;
            }
            queue.frames.push(frame.clone(), &self.budget);
        } else {
            queue.give_up(CloseReason::SlowReader, &self.budget);
        }
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        self.budget.grown(before, after);
        fits
    }

    /// Queues the answer to a Ping frame, as [`Outbox::push`] does.
    ///
    /// While a few answers wait already, only the newest further Ping is answered, behind everything that
    /// waits (RFC 6455 5.5.3). A client that goes on sending Pings without reading is closed as a slow consumer.
    pub fn push_pong(&self, pong: Frame) {
        let mut queue = self.queue.lock();
        if queue.close().is_some() {
            return;
        }
        let place = queue.rare.get_or_insert_default().pongs.add(pong);
        drop(queue);
        match place {
            PongFate::Queue(pong) => {
                self.push(&pong);
            }
            PongFate::Kept => {}
            PongFate::TooMany => {
                self.give_up(CloseReason::SlowReader, 0);
            }
        }
    }

    /// Ends the connection once the queued frames have been written; the first reason stays.
    pub fn close(&self, reason: CloseReason) {
        self.change(|queue| {
            queue.rare.get_or_insert_default().close.get_or_insert(reason);
        });
    }

    /// Frees the queued frames, and ends the connection. The connection's task frees the frames being written, and
    /// `besides`. Returns false if the connection was ending already.
    pub(crate) fn give_up(&self, reason: CloseReason, besides: usize) -> bool {
        self.change(|queue| {
            let is_first = queue.close().is_none();
            queue.give_up(reason, &self.budget);
            if is_first {
                let freeing = queue.taken_bytes as usize + besides;
                queue.rare.get_or_insert_default().freeing = freeing;
                self.budget.will_free(freeing);
            }
            is_first
        })
    }

    /// The connection's task has freed the frames being written.
    pub(crate) fn freed(&self) {
        let freed = self.queue.lock().rare.as_mut().map_or(0, |rare| std::mem::take(&mut rare.freeing));
        if freed > 0 {
            self.budget.has_freed(freed);
        }
    }

    /// Changes the queue, and wakes the connection's task.
    fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.queue.lock();
        let changed = change(&mut queue);
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        changed
    }

    /// Waiting bytes, which the bound limits; `None` for a connection that is ending.
    #[must_use]
    pub fn waiting(&self) -> Option<usize> {
        let queue = self.queue.lock();
        queue.close().is_none().then_some(queue.bytes)
    }

    /// How a frame would fare that is queued now.
    pub(crate) fn flow(&self) -> Flow {
        let queue = self.queue.lock();
        match (queue.close(), queue.taken_bytes) {
            (Some(_), _) => Flow::Ending,
            (None, 0) => Flow::Free,
            (None, _) => Flow::Stuck,
        }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Wakes the connection's task without a change of the queue.
    pub(crate) fn rouse(&self) {
        self.change(|_| {});
    }

    /// Moves up to `most` frames to the end of `into`; all frames taken before count as written.
    pub fn poll_take(&self, cx: &Context<'_>, into: &mut Vec<Frame>, most: usize) -> Poll<Taken> {
        self.poll_take_sampled(cx, into, most).0
    }

    /// As [`Outbox::poll_take`], with the moment of the frames if they are of a sampled event, else 0: whoever has written the
    /// frames passes the moment to [`Outbox::written`].
    pub fn poll_take_sampled(
        &self,
        cx: &Context<'_>,
        into: &mut Vec<Frame>,
        most: usize,
    ) -> (Poll<Taken>, u32) {
        let mut queue = self.queue.lock();
        let moment = std::mem::take(&mut queue.moment);
        (self.poll_take_from(&mut queue, cx, into, most), moment)
    }

    /// A socket has taken frames of this moment.
    pub fn written(&self, moment: u32) {
        self.budget.sampling().written(moment);
    }

    fn poll_take_from(
        &self,
        queue: &mut Queue,
        cx: &Context<'_>,
        into: &mut Vec<Frame>,
        most: usize,
    ) -> Poll<Taken> {
        queue.bytes -= std::mem::take(&mut queue.taken_bytes) as usize;
        let begins = into.len();
        let taken = queue.frames.take(into, most, &self.budget);
        queue.taken_bytes = u32::try_from(taken).expect("the configuration bounds an outbox");
        if queue.rare.is_some() && queue.frames.is_empty() && into.len() - begins < most {
            into.extend(queue.take_newest_pong());
        }
        if into.len() > begins {
            return Poll::Ready(Taken::Frames);
        }
        match queue.close() {
            Some(reason) => Poll::Ready(Taken::Closed(CloseReason::clone(reason))),
            None => {
                queue.wait(cx);
                Poll::Pending
            }
        }
    }

    /// Waits for the end alone, while earlier frames are stuck in a full socket.
    pub fn poll_closed(&self, cx: &Context<'_>) -> Poll<CloseReason> {
        let mut queue = self.queue.lock();
        match queue.close() {
            Some(reason) => Poll::Ready(CloseReason::clone(reason)),
            None => {
                queue.wait(cx);
                Poll::Pending
            }
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.queue.lock().frames.free(&self.budget);
    }
}

impl Queue {
    /// Why the connection is to end, if the connection is ending.
    fn close(&self) -> Option<&CloseReason> {
        self.rare.as_ref().and_then(|rare| rare.close.as_ref())
    }

    /// The queue is empty: the answer to the last of many Pings goes out.
    fn take_newest_pong(&mut self) -> Option<Frame> {
        let rare = self.rare.as_mut()?;
        let pongs = std::mem::take(&mut rare.pongs);
        if rare.close.is_none() {
            self.rare = None;
        }
        pongs.newest
    }

    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }

    /// Frees the queued frames; the first reason stays.
    fn give_up(&mut self, reason: CloseReason, budget: &Budget) {
        self.frames.free(budget);
        let rare = self.rare.get_or_insert_default();
        rare.pongs = Pongs::default();
        rare.close.get_or_insert(reason);
    }
}

#[cfg(test)]
mod tests;
