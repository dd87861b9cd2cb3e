//! The life of one WebSocket: one task, three loops over borrowed halves, one close.
//!
//! Each loop lives as long as the connection, so no loop is cancelled half-way through a frame.
//! Waits only for this socket and its clock.

mod early;
pub mod farewell;
pub(crate) mod handshake;
pub mod read;
pub mod socket;
mod watchdog;
pub mod write;

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fanfare_hub::Conn;
use fanfare_node::Node;
use fanfare_node::session::Session;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ws::Incoming;

use super::connection::{Connection, Newcomer, Signs};

pub use early::{BareSocket, into_socket};
use read::Receiver;
use socket::Socket;
use write::Writer;

/// Bytes waiting for a client that end a turn of its messages: a presence roster may be as large as the answers to
/// hundreds of messages.
pub(super) const MUCH: usize = 64 * 1024;

/// Receives a connection's messages, for its session.
struct Ears<'a> {
    session: &'a mut Session,
    conn: &'a Conn,
    signs: &'a Signs,
    node: &'a Node,
}

impl Receiver for Ears<'_> {
    fn heard(&self) {
        self.signs.heard_now(self.node);
    }

    fn holds(&self, bytes: usize) {
        self.conn.holds(bytes);
    }

    fn has_worked_enough(&self) -> bool {
        self.conn.outbox.waiting().is_some_and(|waiting| waiting >= MUCH)
    }

    fn on(&mut self, incoming: Incoming<'_>) -> ControlFlow<CloseReason> {
        match incoming {
            Incoming::Text(text) => self.session.on_text(text, &self.signs.authorized),
            Incoming::Binary(_) => self.session.on_binary(),
            Incoming::Ping(payload) => {
                // Answered at any time (WS-042).
                self.conn.outbox.push_pong(Frame::pong(payload));
                ControlFlow::Continue(())
            }
            Incoming::Pong => ControlFlow::Continue(()),
            Incoming::Close(code) => ControlFlow::Break(CloseReason::ByClient(code)),
        }
    }
}

/// Runs a connection to its end; `early` is what the client sent along with the upgrade request.
pub async fn run<S: Socket>(node: Arc<Node>, newcomer: Newcomer, socket: S, early: Vec<u8>) {
    let mut connection = Connection::open(node, newcomer);
    let mut writer = Writer::new(&socket);
    let reason = {
        let Connection { node, conn, session, signs, .. } = &mut connection;
        let longest = node.config().limits.message_bytes;
        let reading = pin!(read::run(&socket, early, longest, Ears { session, conn, signs, node }));
        let watching = pin!(watchdog::run(node, conn, signs));
        until_one_ends(conn, &mut writer, reading, watching).await
    };
    let rest = writer.into_rest(&connection.conn.outbox, &reason);
    let leaving = connection.leave(&reason);
    Box::pin(farewell::say(&socket, rest, leaving.version, &reason)).await;
    drop(socket);
    leaving.gone(&reason);
}

/// Runs the three loops until one of them ends.
///
/// Most wake-ups of the task are for a frame to send: then only the loop of the outbox is polled. Reading and
/// watchdog wake the task through [`Conn`], which sets a flag; the task polls them only then.
pub(super) async fn until_one_ends<S: Socket>(
    conn: &Arc<Conn>,
    writer: &mut Writer<'_, S>,
    mut reading: Pin<&mut impl Future<Output = CloseReason>>,
    mut watching: Pin<&mut impl Future<Output = CloseReason>>,
) -> CloseReason {
    let stirring = Waker::from(Arc::clone(conn));
    poll_fn(|cx| {
        if conn.take_stir() {
            let cx = &mut Context::from_waker(&stirring);
            if let Poll::Ready(reason) = reading.as_mut().poll(cx) {
                return Poll::Ready(reason);
            }
            if let Poll::Ready(reason) = watching.as_mut().poll(cx) {
                return Poll::Ready(reason);
            }
        }
        let written = writer.poll(cx, &conn.outbox);
        if conn.is_stirred() {
            // Set before the waker was back in the outbox, where setting the flag would have woken the task.
            cx.waker().wake_by_ref();
        }
        written
    })
    .await
}

#[cfg(test)]
mod tests;
