//! A session over its WebSocket: one packet of Engine.IO is one text message (SIO-010).

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::socket_io;
use fanfare_protocol::ws::Incoming;
use parking_lot::Mutex;

use super::echo::{Echo, apart};
use super::pings::Pulse;
use super::speaker::Speaker;
use crate::clients::connection::Connection;
use crate::clients::ws::read::{self, Receiver};
use crate::clients::ws::socket::Socket;
use crate::clients::ws::write::Writer;
use crate::clients::ws::{MUCH, farewell, until_one_ends};

/// Receives a WebSocket's messages for its session.
pub(super) struct Ears<'a, 'b> {
    pub speaker: &'a Mutex<Speaker<'b>>,
    pub pulse: Pulse<'a>,
}

impl Receiver for Ears<'_, '_> {
    fn heard(&self) {
        self.pulse.signs.heard_now(self.pulse.node);
    }

    fn holds(&self, bytes: usize) {
        self.pulse.conn.holds(bytes);
    }

    fn has_worked_enough(&self) -> bool {
        self.pulse.conn.outbox.waiting().is_some_and(|waiting| waiting >= MUCH)
    }

    fn on(&mut self, incoming: Incoming<'_>) -> ControlFlow<CloseReason> {
        match incoming {
            Incoming::Text(text) => self.speaker.lock().on_text(text),
            // What is binary is an attachment, or a packet that asks for nothing (SIO-015).
            Incoming::Binary(_) | Incoming::Pong => ControlFlow::Continue(()),
            Incoming::Ping(payload) => {
                self.pulse.conn.outbox.push_pong(Frame::pong(payload));
                ControlFlow::Continue(())
            }
            Incoming::Close(code) => ControlFlow::Break(CloseReason::ByClient(code)),
        }
    }
}

/// Runs a session that began as a WebSocket to its end; `early` is what the client sent along with the upgrade request.
pub(super) async fn run<S: Socket>(
    mut connection: Connection,
    mut echo: Box<Echo>,
    socket: S,
    early: Vec<u8>,
) {
    let mut writer = Writer::new(&socket);
    echo.rhythm.has_polled.store(true, Ordering::Relaxed);
    let reason = {
        let conn = Arc::clone(&connection.conn);
        let (speaker, pulse) = apart(&mut connection, &mut echo);
        let longest = pulse.node.config().limits.message_bytes;
        let ears = Ears { speaker: &speaker, pulse };
        let reading = pin!(read::run(&socket, early, longest, ears));
        let watching = pin!(pulse.watch());
        let besides = pin!(besides(&speaker, watching));
        until_one_ends(&conn, &mut writer, reading, besides).await
    };
    let rest = writer.into_rest(&connection.conn.outbox, &reason);
    drop(echo);
    end(connection, socket, rest, &reason).await;
}

/// What goes on beside reading: the clock, and the application's answers.
pub(super) async fn besides(
    speaker: &Mutex<Speaker<'_>>,
    mut watching: Pin<&mut impl Future<Output = CloseReason>>,
) -> CloseReason {
    poll_fn(|cx| match watching.as_mut().poll(cx) {
        Poll::Ready(reason) => Poll::Ready(reason),
        Poll::Pending => speaker.lock().poll_answers(cx),
    })
    .await
}

/// Leaves every channel, and closes the socket; `rest` is written before.
pub(super) async fn end<S: Socket>(
    connection: Connection,
    socket: S,
    rest: Vec<Bytes>,
    reason: &CloseReason,
) {
    let leaving = connection.leave(reason);
    if reason.can_be_told() {
        Box::pin(farewell::hang_up(&socket, last_words(&rest, reason))).await;
    }
    drop(socket);
    leaving.gone(reason);
}

/// Clients come back to a transport that has closed, except after `41` (SIO-034).
pub(super) fn last_words(rest: &[Bytes], reason: &CloseReason) -> Vec<u8> {
    let mut words = rest.concat();
    if reason.forbids_return() {
        words.extend_from_slice(socket_io::disconnect().bytes());
    }
    words.extend_from_slice(Frame::close(None, "").bytes());
    words
}
