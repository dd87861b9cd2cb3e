//! The change of a session from polling to a WebSocket (SIO-020 … SIO-023).
//!
//! Until the client's `5`, the WebSocket only answers its probe, and everything goes by polling. From then on the WebSocket
//! alone takes from the outbox, and is read once all that POSTs have brought is handled, so that nothing is lost, doubled or
//! overtaken.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Poll, Wake as _};
use std::time::Duration;

use bytes::Bytes;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::engine_io::{Packet, pong_to_probe};
use fanfare_protocol::ws::Incoming;
use tokio::time::{Instant, sleep};

use super::polling::{Polls, Turned};
use super::websocket::Ears;
use crate::clients::ws::read::{self, Receiver};
use crate::clients::ws::socket::Socket;
use crate::clients::ws::until_one_ends;
use crate::clients::ws::write::Writer;
use crate::connections::Place;

/// How long a WebSocket may be tried.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a poll is left alone after one was ended. A client whose WebSocket hangs polls again at once, as long as that is tried;
/// engine.io looks for polls to end as often.
const BETWEEN_ENDS: Duration = Duration::from_millis(100);

/// How far a WebSocket has come.
const OPENED: u8 = 0;
const PROBED: u8 = 1;
/// The client has changed to the WebSocket, and what it sent before is not handled yet.
const CHANGING: u8 = 2;
const UPGRADED: u8 = 3;

/// What a WebSocket that was tried comes to.
pub(super) enum Tried {
    /// The session goes on by polling.
    Failed,
    /// The session ended by polling meanwhile.
    EndedBefore(CloseReason),
    /// The session ended by polling, and its client may have changed already: what the client has sent is not read.
    EndedAmid(CloseReason),
    /// The session went on over the WebSocket, and has ended; what is written before the close.
    EndedAfter(CloseReason, Vec<Bytes>),
}

/// Receives the messages of a WebSocket that is tried, and those of the session's transport later.
struct Probe<'a, 'b, S> {
    socket: &'a S,
    stage: &'a AtomicU8,
    ears: Ears<'a, 'b>,
}

impl<S: Socket> Receiver for Probe<'_, '_, S> {
    fn heard(&self) {
        self.ears.heard();
    }

    /// Until the change, the connection reports what POSTs have brought, which the number here would overwrite.
    fn holds(&self, bytes: usize) {
        if self.stage.load(Ordering::Relaxed) == UPGRADED {
            self.ears.holds(bytes);
        }
    }

    fn has_worked_enough(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == CHANGING || self.ears.has_worked_enough()
    }

    fn on(&mut self, incoming: Incoming<'_>) -> ControlFlow<CloseReason> {
        let stage = self.stage.load(Ordering::Relaxed);
        if stage == UPGRADED {
            return self.ears.on(incoming);
        }
        let Incoming::Text(text) = incoming else {
            return ControlFlow::Break(CloseReason::BadPacket);
        };
        match (Packet::parse(text), stage) {
            (Ok(Packet::Ping("probe")), OPENED) if self.answer_probe() => {
                self.stage.store(PROBED, Ordering::Relaxed);
                ControlFlow::Continue(())
            }
            (Ok(Packet::Upgrade), PROBED) => {
                self.stage.store(CHANGING, Ordering::Relaxed);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Break(CloseReason::BadPacket),
        }
    }
}

impl<S: Socket> Probe<'_, '_, S> {
    /// A fresh socket takes a few bytes.
    fn answer_probe(&self) -> bool {
        let frame = pong_to_probe();
        let bytes = frame.bytes();
        self.socket.try_write(bytes).is_ok_and(|written| written == bytes.len())
            && (!self.socket.holds_back() || self.socket.try_flush().is_ok())
    }
}

/// Tries a WebSocket, and runs the session over the WebSocket to its end if the client changes to it. `place` is the slot
/// among the HTTP connections, which is held meanwhile.
pub(super) async fn attempt<S: Socket>(
    polls: &mut Polls<'_, '_>,
    mut besides: Pin<&mut impl Future<Output = CloseReason>>,
    socket: &S,
    early: Vec<u8>,
    place: Place,
) -> Tried {
    let (stage, conn) = (AtomicU8::new(OPENED), polls.conn);
    let longest = polls.pulse.node.config().limits.message_bytes;
    let probe = Probe { socket, stage: &stage, ears: Ears { speaker: polls.speaker, pulse: polls.pulse } };
    let mut reading = pin!(read::run(socket, early, longest, probe));
    let mut patience = pin!(sleep(PATIENCE));
    let mut next_end = pin!(sleep(Duration::ZERO));
    let tried = poll_fn(|cx| {
        if reading.as_mut().poll(cx).is_ready() || patience.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Tried::Failed));
        }
        let stage = stage.load(Ordering::Relaxed);
        if stage == CHANGING {
            return Poll::Ready(None);
        }
        let may_end = stage == PROBED && next_end.as_mut().poll(cx).is_ready();
        polls.ends_poll = may_end;
        let polled = polls.poll(cx, besides.as_mut());
        if may_end && !polls.ends_poll {
            next_end.as_mut().reset(Instant::now() + BETWEEN_ENDS);
        }
        match polled {
            Poll::Ready(Turned::Closed(reason)) if stage == PROBED => {
                Poll::Ready(Some(Tried::EndedAmid(reason)))
            }
            Poll::Ready(Turned::Closed(reason)) => Poll::Ready(Some(Tried::EndedBefore(reason))),
            // Never: a session tries one WebSocket at a time.
            Poll::Ready(Turned::Try(_)) | Poll::Pending => Poll::Pending,
        }
    })
    .await;
    drop(place);
    polls.ends_poll = false;
    if let Some(tried) = tried {
        return tried;
    }
    polls.leave_polling();
    let mut writer = Writer::new(socket);
    let reading = pin!(async {
        if let Some(reason) = polls.hear_rest().await {
            return reason;
        }
        stage.store(UPGRADED, Ordering::Relaxed);
        reading.await
    });
    // Has the loops polled once, whose wakers are those of the time before.
    conn.wake_by_ref();
    let reason = until_one_ends(conn, &mut writer, reading, besides).await;
    let rest = writer.into_rest(&conn.outbox, &reason);
    Tried::EndedAfter(reason, rest)
}
