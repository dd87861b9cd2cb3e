//! The body of an answer: whole, or a stream of chunks that are made while the answer is on its way.
//!
//! Of a stream, one chunk waits here, and the last one behind it. What HTTP holds is bounded: over HTTP/1.1, no further
//! chunk is taken while the socket accepts nothing; over HTTP/2, hyper bounds what waits of each stream. All that waits longer
//! belongs into a queue of the sender, which has its own bound.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

use super::under_way::UnderWay;

/// The body of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// All bytes.
    Whole(Bytes),
    /// Chunks, until the sender is dropped.
    Stream(ChunkStream),
}

/// The peer has gone, or wants no more of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerGone;

/// The end of a stream that gives chunks; the body ends in order when the sender is dropped.
#[derive(Debug)]
pub struct ChunkSender(Arc<Mutex<Slot>>);

/// The end of a stream that is the body of an answer.
#[derive(Debug)]
pub struct ChunkStream(Arc<Mutex<Slot>>);

/// The one chunk between both ends.
#[derive(Debug, Default)]
struct Slot {
    chunk: Option<Bytes>,
    has_sender: bool,
    has_body: bool,
    /// Wakes HTTP, which wants a chunk.
    body: Option<Waker>,
    /// Wakes the sender, which waits for room or for the end.
    sender: Option<Waker>,
    /// The request that the body answers.
    request: Option<UnderWay>,
    /// Whether the connection counts the chunk as one that waits for HTTP.
    is_counted: bool,
}

impl AnswerBody {
    /// A body whose chunks come from the sender. The request is under way until the body has ended or is dropped.
    #[must_use]
    pub fn stream() -> (ChunkSender, Self) {
        let slot = Slot { has_sender: true, has_body: true, ..Slot::default() };
        let slot = Arc::new(Mutex::new(slot));
        (ChunkSender(Arc::clone(&slot)), Self::Stream(ChunkStream(slot)))
    }
}

impl Default for AnswerBody {
    /// No bytes.
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl ChunkStream {
    /// Binds the request to the stream, whose chunks are counted while HTTP does not take them.
    pub(super) fn answers(&self, request: UnderWay) {
        let mut slot = self.0.lock();
        if slot.chunk.is_some() {
            request.activity().offer_chunk();
        }
        (slot.request, slot.is_counted) = (Some(request), true);
    }

    /// The same, where the caller counts the chunks.
    pub(super) fn carries(&self, request: UnderWay) {
        self.0.lock().request = Some(request);
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut slot = self.0.lock();
        let slot = &mut *slot;
        let counted = slot.request.as_ref().filter(|_| slot.is_counted);
        // HTTP/1.1 polls again after it has written. HTTP/2 polls only when woken, so that nothing is held back there.
        if slot.chunk.is_some() && counted.is_some_and(|request| request.activity().blocked_at().is_some()) {
            return Poll::Pending;
        }
        if let Some(chunk) = slot.chunk.take() {
            if let Some(request) = counted {
                request.activity().take_chunk();
            }
            if let Some(sender) = slot.sender.take() {
                sender.wake();
            }
            return Poll::Ready(Some(chunk));
        }
        if !slot.has_sender {
            return Poll::Ready(None);
        }
        register(&mut slot.body, cx);
        Poll::Pending
    }
}

impl Drop for ChunkStream {
    fn drop(&mut self) {
        let mut slot = self.0.lock();
        slot.has_body = false;
        let (chunk, request, sender) = (slot.chunk.take(), slot.request.take(), slot.sender.take());
        let is_counted = slot.is_counted && chunk.is_some();
        drop(slot);
        if let Some(request) = request.as_ref().filter(|_| is_counted) {
            request.activity().take_chunk();
        }
        drop(request);
        if let Some(sender) = sender {
            sender.wake();
        }
    }
}

impl ChunkSender {
    /// Ready when the next chunk can be given; for one task at a time.
    ///
    /// # Errors
    /// The peer has gone.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), PeerGone>> {
        let mut slot = self.0.lock();
        if !slot.has_body {
            return Poll::Ready(Err(PeerGone));
        }
        if slot.chunk.is_none() {
            return Poll::Ready(Ok(()));
        }
        register(&mut slot.sender, cx);
        Poll::Pending
    }

    /// Ready when the peer has gone; for one task at a time, the one of [`Self::poll_room`].
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut slot = self.0.lock();
        if !slot.has_body {
            return Poll::Ready(());
        }
        register(&mut slot.sender, cx);
        Poll::Pending
    }

    /// Gives a chunk, 64 KiB at most, if there is room; returns the chunk otherwise. An empty chunk is nothing.
    ///
    /// # Errors
    /// No room, or the peer has gone: [`Self::poll_room`] tells which.
    pub fn try_send(&self, chunk: Bytes) -> Result<(), Bytes> {
        let mut slot = self.0.lock();
        if slot.chunk.is_some() || !slot.has_body {
            return Err(chunk);
        }
        if chunk.is_empty() {
            return Ok(());
        }
        slot.chunk = Some(chunk);
        let body = slot.body.take();
        if let Some(request) = slot.request.as_ref().filter(|_| slot.is_counted) {
            request.activity().offer_chunk();
            if body.is_none() {
                // HTTP is busy with the chunk before; the connection notes since when a chunk waits.
                request.activity().wake();
            }
        }
        drop(slot);
        if let Some(body) = body {
            body.wake();
        }
        Ok(())
    }

    /// Gives the last chunk, and ends the body. Where there is no room, the chunk follows the one that waits, so that a peer
    /// that reads slowly gets both.
    pub fn conclude(self, last: Bytes) {
        if let Some(chunk) = &mut self.0.lock().chunk {
            *chunk = Bytes::from([&chunk[..], &last].concat());
            return;
        }
        // Only the sender fills the room, so that there is room now, or no peer.
        let _ = self.try_send(last);
    }

    /// Gives a chunk when there is room.
    ///
    /// # Errors
    /// The peer has gone.
    pub async fn send(&self, chunk: Bytes) -> Result<(), PeerGone> {
        poll_fn(|cx| self.poll_room(cx)).await?;
        self.try_send(chunk).map_err(|_| PeerGone)
    }

    /// Waits until the peer has gone.
    pub async fn gone(&self) {
        poll_fn(|cx| self.poll_gone(cx)).await;
    }
}

impl Drop for ChunkSender {
    fn drop(&mut self) {
        let mut slot = self.0.lock();
        slot.has_sender = false;
        let body = slot.body.take();
        drop(slot);
        if let Some(body) = body {
            body.wake();
        }
    }
}

fn register(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(std::mem::take(bytes))),
            Self::Stream(stream) => stream.poll(cx),
        };
        chunk.map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}
