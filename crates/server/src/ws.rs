//! The life of one WebSocket: one task, three loops over borrowed halves, one close.
//!
//! Each loop lives as long as the connection, so no loop is cancelled half-way through a frame.
//! Waits only for this socket and its clock.

mod early;
pub mod farewell;
pub mod read;
pub mod socket;
mod watchdog;
pub mod write;

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use fanfare_hub::{AppHub, Conn, Slot, Subscriptions};
use fanfare_node::session::Session;
use fanfare_node::{Node, Seat};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::frame::Frame;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server;
use fanfare_protocol::version::Version;
use fanfare_protocol::ws::Incoming;
use tracing::Level;

use crate::log::limited::{Line, limited};

pub use early::{BareSocket, into_socket};
pub use farewell::refuse;
use read::Receiver;
use socket::Socket;
use write::Writer;

/// An admitted connection, from the upgrade on.
pub struct Newcomer {
    /// The connection's app.
    pub hub: Arc<AppHub>,
    /// The connection's protocol version.
    pub version: Version,
    /// The slot in the app's quota; `None` until the connection is authorized, where that is required (WS-062).
    pub place: Option<Slot>,
    /// The slot on the node.
    pub seat: Seat,
}

/// Bytes waiting for a client that end a turn of its messages: a presence roster may be as large as the answers to
/// hundreds of messages.
const MUCH: usize = 64 * 1024;

/// State shared by the loops of a connection.
#[derive(Debug)]
struct Signs {
    /// When the last bytes arrived, in milliseconds since the server's start (WS-040).
    heard: AtomicU64,
    /// Whether the connection may stay without authorizing itself (WS-062).
    authorized: AtomicBool,
}

impl Signs {
    fn heard_now(&self, node: &Node) {
        self.heard.store(node.milliseconds(), Ordering::Relaxed);
    }
}

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
    let Newcomer { hub, version, place, seat } = newcomer;
    let conn = Arc::new(Conn::new(random_socket_id(), Arc::clone(node.hubs.budget())));
    let activity = node.config.timeouts.activity;
    conn.outbox.push(&server::connection_established(conn.id, activity));
    let since = node.milliseconds();
    let signs = Signs { heard: AtomicU64::new(since), authorized: AtomicBool::new(place.is_some()) };
    node.metrics.connection_opened();
    let mut session = Session::new(Arc::clone(&node), Subscriptions::new(hub, Arc::clone(&conn)), place);
    if !session.app_is_enabled() {
        // The app was disabled before the connection was in the hub's table to be closed.
        conn.outbox.close(CloseReason::AppDisabled);
    }
    let mut writer = Writer::new(&socket);
    let longest = node.config.limits.message_bytes;
    let reason = {
        let ears = Ears { session: &mut session, conn: &conn, signs: &signs, node: &node };
        let reading = pin!(read::run(&socket, early, longest, ears));
        let watching = pin!(watchdog::run(&node, &conn, &signs));
        until_one_ends(&conn, &mut writer, reading, watching).await
    };
    let rest = writer.into_rest(&conn.outbox, &reason);
    // Only the close remains, which takes its time.
    conn.freed();
    log_close(&session, &reason, (node.milliseconds() - since) / 1000);
    // Leaves every channel before the close takes its time.
    drop(session);
    Box::pin(farewell::say(&socket, rest, version, &reason)).await;
    node.metrics.connection_closed(&reason);
    drop(socket);
    drop(seat);
}

/// Runs the three loops until one of them ends.
///
/// Most wake-ups of the task are for a frame to send: then only the loop of the outbox is polled. Reading and
/// watchdog wake the task through [`Conn`], which sets a flag; the task polls them only then.
async fn until_one_ends<S: Socket>(
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

/// 64 random bits: unique without coordination (WS-031).
fn random_socket_id() -> SocketId {
    SocketId::from_bits(getrandom::u64().expect("the operating system has random numbers"))
}

/// One log line for each end of a connection, with its reason; a flood of lines is only counted.
fn log_close(session: &Session, reason: &CloseReason, seconds: u64) {
    let line = if *reason == CloseReason::SlowReader { Line::SlowReader } else { Line::ConnectionClosed };
    limited!(
        line,
        target: "fanfare::connection",
        Level::INFO,
        app = session.app_id(),
        socket = %session.socket_id(),
        code = reason.code(),
        reason = reason.label(),
        seconds,
        channels = session.channels(),
        "connection closed"
    );
}

#[cfg(test)]
mod tests;
