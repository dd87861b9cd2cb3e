//! Bytes out: all queued frames go into one vectored write.
//!
//! Frames are never copied; only bytes that a full socket did not take are kept here.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::IoSlice;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use fanfare_hub::{Outbox, Taken};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;

use super::socket::{Socket, unless_blocked};

/// Frames in one system call.
const BATCH: usize = 64;

/// Batches written before other connections of the thread get their turn.
const TURN: usize = 8;

thread_local! {
    /// The frames of the batch being written; empty between two polls.
    static TAKEN: RefCell<Vec<Frame>> = RefCell::new(Vec::with_capacity(BATCH));
}

/// Writes an outbox to a socket.
pub struct Writer<'a, S> {
    socket: &'a S,
    /// Taken from the outbox, but not yet by the socket; usually empty.
    stuck: VecDeque<Bytes>,
    /// Whether the first stuck frame has been written in part.
    mid_frame: bool,
}

impl<'a, S: Socket> Writer<'a, S> {
    /// A writer without stuck frames.
    #[must_use]
    pub fn new(socket: &'a S) -> Self {
        Self { socket, stuck: VecDeque::new(), mid_frame: false }
    }

    /// Writes until the outbox is closed or the socket breaks.
    pub async fn run(&mut self, outbox: &Outbox) -> CloseReason {
        poll_fn(|cx| self.poll(cx, outbox)).await
    }

    /// The bytes to write before the close frame.
    ///
    /// All queued frames; but for a slow consumer only the rest of a frame that was cut short, without
    /// which a close frame could not be read.
    #[must_use]
    pub fn into_rest(mut self, outbox: &Outbox, reason: &CloseReason) -> Vec<Bytes> {
        if reason.gives_up_what_waits() {
            self.stuck.truncate(usize::from(self.mid_frame));
            return self.stuck.into();
        }
        let mut queued = Vec::new();
        let cx = Context::from_waker(Waker::noop());
        let _ = outbox.poll_take(&cx, &mut queued, usize::MAX);
        self.stuck.into_iter().chain(queued.iter().map(|frame| frame.bytes().clone())).collect()
    }

    /// One step of [`Writer::run`]; after `Pending` the task's waker is in the outbox, or the task is awake.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, outbox: &Outbox) -> Poll<CloseReason> {
        for _ in 0..TURN {
            if self.stuck.is_empty() && !self.socket.holds_back() {
                let taken = TAKEN.with_borrow_mut(|frames| {
                    let (taken, moment) = outbox.poll_take_sampled(cx, frames, BATCH);
                    let written = self.write_frames(frames);
                    if moment != 0 && !frames.is_empty() {
                        outbox.written(moment);
                    }
                    frames.clear();
                    taken.map(|taken| (taken, written))
                });
                match ready!(taken) {
                    (Taken::Closed(reason), _) => return Poll::Ready(reason),
                    (Taken::Frames, Err(_)) => return Poll::Ready(CloseReason::Gone),
                    (Taken::Frames, Ok(())) => {}
                }
            } else {
                match self.socket.poll_write_ready(cx) {
                    Poll::Pending => return outbox.poll_closed(cx),
                    Poll::Ready(Err(_)) => return Poll::Ready(CloseReason::Gone),
                    Poll::Ready(Ok(())) => {}
                }
                if self.write_stuck().is_err() {
                    return Poll::Ready(CloseReason::Gone);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes a batch; frames that the socket does not take become stuck.
    fn write_frames(&mut self, frames: &[Frame]) -> std::io::Result<()> {
        if frames.is_empty() {
            return Ok(());
        }
        let mut written = self.try_write(frames.iter().map(|frame| &frame.bytes()[..]))?;
        for frame in frames {
            let length = frame.bytes().len();
            if written >= length {
                written -= length;
            } else {
                let mut bytes = frame.bytes().clone();
                self.mid_frame |= written > 0;
                bytes.advance(std::mem::take(&mut written));
                self.stuck.push_back(bytes);
            }
        }
        Ok(())
    }

    fn write_stuck(&mut self) -> std::io::Result<()> {
        if unless_blocked(self.socket.try_flush())?.is_none() || self.stuck.is_empty() {
            return Ok(());
        }
        let mut written = self.try_write(self.stuck.iter().map(|bytes| &bytes[..]))?;
        while let Some(first) = self.stuck.front_mut() {
            if written >= first.len() {
                written -= first.len();
                self.stuck.pop_front();
                self.mid_frame = false;
            } else {
                self.mid_frame |= written > 0;
                first.advance(written);
                break;
            }
        }
        if self.stuck.is_empty() {
            self.stuck = VecDeque::new();
        }
        Ok(())
    }

    /// One system call; 0 if the socket is full.
    fn try_write<'b>(&self, mut buffers: impl ExactSizeIterator<Item = &'b [u8]>) -> std::io::Result<usize> {
        let written = match (buffers.len(), buffers.next()) {
            // A single frame, the usual case, is sent by the cheaper call.
            (1, Some(buffer)) => self.socket.try_write(buffer),
            (_, first) => self.try_write_many(first.into_iter().chain(buffers)),
        };
        Ok(unless_blocked(written)?.unwrap_or(0))
    }

    fn try_write_many<'b>(&self, buffers: impl Iterator<Item = &'b [u8]>) -> std::io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); BATCH];
        let mut used = 0;
        for (slice, buffer) in slices.iter_mut().zip(buffers) {
            *slice = IoSlice::new(buffer);
            used += 1;
        }
        self.socket.try_write_vectored(&slices[..used])
    }
}
