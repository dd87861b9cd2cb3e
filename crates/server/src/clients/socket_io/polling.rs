//! A session that polls: packets of POSTs in, and what waits into the answer of the poll (SIO-016 … SIO-018).
//!
//! The outbox is the queue: an answer is made when a poll is there. An answer is watched until HTTP has taken all of it:
//! what a poll was given is lost if its client has gone before, and so is the session.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake as _, Waker};
use std::time::Duration;

use bytes::Bytes;
use fanfare_hub::{Conn, Taken};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::engine_io::{self, Packet, PollAnswer};
use fanfare_protocol::frame::Frame;
use fanfare_protocol::socket_io;
use parking_lot::Mutex;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::pings::Pulse;
use super::speaker::Speaker;
use super::table::{Brought, Candidate, SocketIoSession};
use super::websocket::last_words;
use crate::clients::http_session::inbox::{HEARD, PIECE, Receiving};
use crate::clients::ws::{BareSocket, MUCH};
use crate::connections::{ChunkSender, Lending};

/// Bytes upon which an answer is long enough; the rest waits for the next poll.
const ANSWER: usize = 64 * 1024;

/// How long the end waits for a poll that is to be told not to come back.
const NEXT_POLL: Duration = Duration::from_secs(10);

/// What a session that polls comes to.
pub(super) enum Turned {
    /// The end of the session.
    Closed(CloseReason),
    /// A WebSocket is to be tried.
    Try(Candidate),
}

/// The way to the client.
enum Way {
    /// No poll is there.
    Away,
    /// A poll waits.
    Waits(ChunkSender),
    /// The rest of an answer; nothing once HTTP has only to take the last piece.
    Answers(ChunkSender, Bytes),
}

/// The polls of one session.
pub(super) struct Polls<'a, 'b> {
    pub speaker: &'a Mutex<Speaker<'b>>,
    pub pulse: Pulse<'a>,
    pub conn: &'a Arc<Conn>,
    pub session: &'a SocketIoSession,
    way: Way,
    /// While a poll waits, its connection does not count; kept until the next.
    lending: Option<Lending>,
    /// The next poll that has nothing to get is ended, because the client waits for that to go on over its WebSocket
    /// (SIO-020).
    pub ends_poll: bool,
}

impl<'a, 'b> Polls<'a, 'b> {
    pub const fn new(
        speaker: &'a Mutex<Speaker<'b>>,
        pulse: Pulse<'a>,
        conn: &'a Arc<Conn>,
        session: &'a SocketIoSession,
    ) -> Self {
        Self { speaker, pulse, conn, session, way: Way::Away, lending: None, ends_poll: false }
    }

    /// Goes on until the session ends, or a WebSocket is to be tried.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        besides: Pin<&mut impl Future<Output = CloseReason>>,
    ) -> Poll<Turned> {
        if self.conn.take_stir() {
            if let Some(receiving) = self.session.inbox.take_receiving() {
                self.attach(receiving);
            }
            if let ControlFlow::Break(turned) = self.hear() {
                return Poll::Ready(turned);
            }
            let stirring = Waker::from(Arc::clone(self.conn));
            if let Poll::Ready(reason) = besides.poll(&mut Context::from_waker(&stirring)) {
                return Poll::Ready(Turned::Closed(reason));
            }
        }
        let given = self.give(cx);
        self.session.inbox.note_away(matches!(self.way, Way::Away));
        if self.conn.is_stirred() {
            // Set before the waker was back in the outbox, where setting the flag would have woken the task.
            cx.waker().wake_by_ref();
        }
        given.map(Turned::Closed)
    }

    fn attach(&mut self, receiving: Receiving) {
        self.pulse.rhythm.has_polled.store(true, Ordering::Relaxed);
        let Receiving { sender, lender, .. } = receiving;
        self.lending = Some(lender.lend());
        self.way = Way::Waits(sender);
    }

    /// Handles the rest of what POSTs have brought, which was sent before everything that the WebSocket brings.
    pub async fn hear_rest(&self) -> Option<CloseReason> {
        while self.session.inbox.bytes() > 0 {
            if let ControlFlow::Break(Turned::Closed(reason)) = self.hear() {
                return Some(reason);
            }
            yield_now().await;
        }
        None
    }

    /// Handles what requests have brought, as much as one turn allows.
    fn hear(&self) -> ControlFlow<Turned> {
        for _ in 0..HEARD {
            let Some(brought) = self.session.inbox.take_message() else {
                self.conn.holds(0);
                return ControlFlow::Continue(());
            };
            let packet = match &brought {
                Brought::Message(content) => Packet::Message(content),
                Brought::Ping => Packet::Ping(""),
                Brought::Close => Packet::Close,
                Brought::Sign => Packet::Ignored,
                Brought::Socket(_) => {
                    let Brought::Socket(candidate) = brought else { continue };
                    // What else has woken the task is for its next turn.
                    self.conn.holds(self.session.inbox.bytes());
                    self.conn.wake_by_ref();
                    return ControlFlow::Break(Turned::Try(candidate));
                }
            };
            self.pulse.signs.heard_now(self.pulse.node);
            if let ControlFlow::Break(reason) = self.speaker.lock().on_packet(packet) {
                return ControlFlow::Break(Turned::Closed(reason));
            }
            if self.conn.outbox.waiting().is_some_and(|waiting| waiting >= MUCH) {
                break;
            }
        }
        self.conn.holds(self.session.inbox.bytes());
        self.conn.wake_by_ref();
        ControlFlow::Continue(())
    }

    /// Answers the poll; after `Pending` the task's waker is in the outbox.
    fn give(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        loop {
            match &mut self.way {
                Way::Away => return self.conn.outbox.poll_closed(cx),
                Way::Answers(sender, rest) => match sender.poll_room(cx) {
                    Poll::Pending => return self.conn.outbox.poll_closed(cx),
                    Poll::Ready(Err(_)) => return Poll::Ready(CloseReason::Gone),
                    Poll::Ready(Ok(())) if rest.is_empty() => {
                        // The client may poll again as soon as its answer ends.
                        self.session.polls.store(false, Ordering::Release);
                        self.way = Way::Away;
                    }
                    Poll::Ready(Ok(())) => {
                        let piece = rest.split_to(rest.len().min(PIECE));
                        if sender.try_send(piece).is_err() {
                            return Poll::Ready(CloseReason::Gone);
                        }
                    }
                },
                Way::Waits(sender) => {
                    if sender.poll_gone(cx).is_ready() {
                        return Poll::Ready(CloseReason::Gone);
                    }
                    match self.gather(cx) {
                        Poll::Pending if self.ends_poll => {
                            self.ends_poll = false;
                            self.answer(packet(self.session, &engine_io::noop()));
                        }
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(reason)) => return Poll::Ready(reason),
                        Poll::Ready(Ok(body)) => self.answer(body),
                    }
                }
            }
        }
    }

    /// Answers the poll that waits.
    fn answer(&mut self, body: Vec<u8>) {
        self.way = match std::mem::replace(&mut self.way, Way::Away) {
            Way::Waits(sender) => Way::Answers(sender, body.into()),
            other => other,
        };
    }

    /// The next answer: what waits in the outbox.
    fn gather(&self, cx: &Context<'_>) -> Poll<Result<Vec<u8>, CloseReason>> {
        let mut answer = PollAnswer::new(self.session.version);
        let mut frames: Vec<Frame> = Vec::new();
        while answer.len() < ANSWER {
            match self.conn.outbox.poll_take(cx, &mut frames, 1) {
                Poll::Ready(Taken::Frames) => frames.drain(..).for_each(|frame| answer.push(&frame)),
                Poll::Ready(Taken::Closed(reason)) if answer.is_empty() => return Poll::Ready(Err(reason)),
                Poll::Pending if answer.is_empty() => return Poll::Pending,
                Poll::Pending | Poll::Ready(Taken::Closed(_)) => break,
            }
        }
        Poll::Ready(Ok(answer.into_body()))
    }

    /// The session goes on over its WebSocket: a poll that waits in spite of that has no answer but `6`, and a POST is
    /// refused.
    pub fn leave_polling(&mut self) {
        self.session.is_upgraded.store(true, Ordering::Release);
        self.session.inbox.refuse_messages();
        // A poll that came along with the change; a later one sees the change.
        if let Some(receiving) = self.session.inbox.take_receiving() {
            self.attach(receiving);
        }
        self.answer(packet(self.session, &engine_io::noop()));
        if let Way::Answers(sender, rest) = std::mem::replace(&mut self.way, Way::Away) {
            sender.conclude(rest);
        }
        self.lending = None;
    }

    /// What the client is still to be told; `changing` is the WebSocket to which it may have changed already.
    pub fn end(self, reason: &CloseReason, changing: Option<BareSocket>) -> LastAnswer {
        let mut frames = Vec::new();
        if !reason.gives_up_what_waits() {
            let cx = Context::from_waker(Waker::noop());
            let _ = self.conn.outbox.poll_take(&cx, &mut frames, usize::MAX);
        }
        let changing = changing.filter(|_| reason.can_be_told()).map(|socket| {
            // A client that polls has not changed, and would be told twice.
            let rest = if matches!(self.way, Way::Waits(_)) { &[] } else { &frames[..] };
            let rest: Vec<Bytes> = rest.iter().map(|frame| frame.bytes().clone()).collect();
            (socket, last_words(&rest, reason))
        });
        let mut answer = PollAnswer::new(self.session.version);
        frames.iter().for_each(|frame| answer.push(frame));
        let last = last_word(reason);
        if let Some(last) = &last {
            answer.push(last);
        }
        LastAnswer {
            way: self.way,
            _lending: self.lending,
            words: last.map(|_| answer.into_body().into()),
            changing,
            waits: reason.forbids_return(),
        }
    }
}

/// The last answer of a session that has left its channels (SIO-033, SIO-034).
pub(super) struct LastAnswer {
    way: Way,
    _lending: Option<Lending>,
    words: Option<Bytes>,
    /// The WebSocket of a client that is about to change, and what is written there.
    changing: Option<(BareSocket, Vec<u8>)>,
    /// A client that does not poll now is to be told at its next poll: it is not to come back.
    waits: bool,
}

impl LastAnswer {
    /// Gives the answer to the poll that waits, or to the next one; and over the WebSocket of a client that is about to
    /// change, because nobody knows yet by which of both the client goes on.
    pub async fn give(mut self, session: &SocketIoSession) {
        match self.changing.take() {
            None => self.answer_poll(session).await,
            Some((socket, words)) => {
                tokio::join!(self.answer_poll(session), Box::pin(socket.hang_up(words)));
            }
        }
    }

    async fn answer_poll(self, session: &SocketIoSession) {
        let inbox = &session.inbox;
        let Some(words) = self.words else { return };
        let waiting = match self.way {
            Way::Waits(sender) => Some(sender),
            Way::Answers(sender, rest) => {
                // The client may poll for the words as soon as it has the rest.
                session.polls.store(false, Ordering::Release);
                sender.conclude(rest);
                None
            }
            // A poll may have come that the task has not seen.
            Way::Away => inbox.take_receiving().map(|receiving| receiving.sender),
        };
        let sender = match waiting {
            None if self.waits => {
                let next = poll_fn(|cx| inbox.poll_receiving(cx));
                timeout(NEXT_POLL, next).await.ok().map(|receiving| receiving.sender)
            }
            waiting => waiting,
        };
        if let Some(sender) = sender {
            sender.conclude(words);
        }
    }
}

/// The packet that tells a client of the end.
fn last_word(reason: &CloseReason) -> Option<Frame> {
    match reason {
        CloseReason::Gone => None,
        CloseReason::ByClient(_) => Some(engine_io::noop()),
        _ if reason.forbids_return() => Some(socket_io::disconnect()),
        _ => Some(engine_io::close()),
    }
}

/// An answer of one packet.
fn packet(session: &SocketIoSession, frame: &Frame) -> Vec<u8> {
    let mut answer = PollAnswer::new(session.version);
    answer.push(frame);
    answer.into_body()
}
