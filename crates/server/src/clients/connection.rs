//! What every transport of a connection has: an id, an outbox, a session, and the order of the end.
//!
//! Reads and writes nothing; a transport differs from the others in that alone.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fanfare_hub::{AppHub, Conn, Dialect, Slot, Subscriptions, Transport, Visitor};
use fanfare_node::refusals::{NotedRefusal, RefusalKind};
use fanfare_node::session::Session;
use fanfare_node::{Node, Seat};
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::server;
use fanfare_protocol::version::Version;
use tracing::Level;

use crate::log::limited::{Line, limited};

/// An admitted connection, before its first message.
pub struct Newcomer {
    /// The connection's app.
    pub hub: Arc<AppHub>,
    /// The connection's protocol version.
    pub version: Version,
    /// The connection's transport.
    pub transport: Transport,
    /// The client's address.
    pub client: IpAddr,
    /// Whether the client came over TLS, to this server or to a proxy.
    pub over_tls: bool,
    /// The slot in the app's quota; `None` until the connection is authorized, where that is required (WS-062).
    pub place: Option<Slot>,
    /// The slot on the node.
    pub seat: Seat,
}

/// State shared by the loops of a connection.
#[derive(Debug)]
pub(super) struct Signs {
    /// When the last bytes arrived, in milliseconds since the server's start (WS-040).
    pub heard: AtomicU64,
    /// Whether the connection may stay without authorizing itself (WS-062).
    pub authorized: AtomicBool,
}

impl Signs {
    pub fn heard_now(&self, node: &Node) {
        self.heard.store(node.milliseconds(), Ordering::Relaxed);
    }
}

/// An open connection; owned by its task.
pub(super) struct Connection {
    pub node: Arc<Node>,
    pub conn: Arc<Conn>,
    pub session: Session,
    pub signs: Signs,
    seat: Seat,
}

/// A connection that has left every channel, and holds its slot on the node until its transport has ended.
pub(super) struct Leaving {
    node: Arc<Node>,
    pub version: Version,
    seat: Seat,
}

impl Connection {
    /// Opens the connection, and queues `connection_established` (WS-030), then the offer to resume (RES-001).
    pub fn open(node: Arc<Node>, newcomer: Newcomer) -> Self {
        let activity = node.config().timeouts.activity;
        let mut connection = Self::speaking(Dialect::Pusher, node, newcomer, |conn| {
            conn.outbox.push(&server::connection_established(conn.id, activity));
        });
        connection.session.offer_resume();
        connection
    }

    /// Opens the connection of a client that speaks this dialect; `greet` queues the first frames.
    pub fn speaking(
        dialect: Dialect,
        node: Arc<Node>,
        newcomer: Newcomer,
        greet: impl FnOnce(&Conn),
    ) -> Self {
        let Newcomer { hub, version, transport, client, over_tls, place, seat } = newcomer;
        let now = node.milliseconds();
        let visitor = Visitor { address: client, transport, version, over_tls, since: now };
        let conn = Arc::new(Conn::of(visitor, dialect, random_socket_id(), Arc::clone(node.hubs.budget())));
        greet(&conn);
        let signs = Signs { heard: AtomicU64::new(now), authorized: AtomicBool::new(place.is_some()) };
        let (dialect, means) = transport.in_metrics();
        node.metrics.connection_opened(dialect, means);
        let session = Session::new(Arc::clone(&node), Subscriptions::new(hub, Arc::clone(&conn)), place);
        if !session.app_is_enabled() {
            // The app was disabled before the connection was in the hub's table to be closed.
            conn.outbox.close(CloseReason::AppDisabled);
        }
        Self { node, conn, session, signs, seat }
    }

    /// Leaves every channel, before the close takes its time, and frees what waits.
    pub fn leave(self, reason: &CloseReason) -> Leaving {
        let Self { node, conn, session, seat, .. } = self;
        conn.freed();
        let Visitor { address, version, since, .. } = conn.visitor;
        let lasted = node.milliseconds().saturating_sub(since);
        if let Some(kind) = kind_of(reason) {
            let refusal = NotedRefusal {
                socket: Some(conn.id),
                address: Some(address),
                ..NotedRefusal::new(kind, reason.code(), reason.label(), reason)
            };
            node.note_refusal(Some(&session.app().id), &refusal);
        }
        log_close(&session, reason, (conn.transport(), address), lasted / 1000);
        session.end(reason, lasted);
        Leaving { node, version, seat }
    }
}

impl Leaving {
    /// The transport has ended.
    pub fn gone(self, reason: &CloseReason) {
        self.node.metrics.connection_closed(reason);
        drop(self.seat);
    }
}

/// A time in the unit of a connection's moments.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// 64 random bits: unique without coordination (WS-031).
fn random_socket_id() -> SocketId {
    SocketId::from_bits(getrandom::u64().expect("the operating system has random numbers"))
}

/// What kind of refusal the end of a connection is: none where neither the client nor a limit is at fault.
const fn kind_of(reason: &CloseReason) -> Option<RefusalKind> {
    Some(match reason {
        CloseReason::SlowReader | CloseReason::OverMemory => RefusalKind::SlowReader,
        CloseReason::NotAuthorized => RefusalKind::Authorization,
        CloseReason::TlsRequired
        | CloseReason::OverQuota { .. }
        | CloseReason::PathNotFound(_)
        | CloseReason::VersionUnsupported
        | CloseReason::VersionMissing
        | CloseReason::OriginRefused(_)
        | CloseReason::OverCapacity
        | CloseReason::TooManyAway
        | CloseReason::AppUnknownForNow => RefusalKind::Handshake,
        CloseReason::TooManyErrors
        | CloseReason::InboxFull
        | CloseReason::RequestTooLong
        | CloseReason::Undecodable(_)
        | CloseReason::BadPacket
        | CloseReason::Overlap
        | CloseReason::NeverBegun => RefusalKind::Closed,
        CloseReason::AppDisabled
        | CloseReason::UnknownKey(_)
        | CloseReason::Terminated
        | CloseReason::ClosedByOperator
        | CloseReason::ReconnectByOperator
        | CloseReason::ShuttingDown
        | CloseReason::ServerRestarting
        | CloseReason::PongMissing
        | CloseReason::ReceiverMissing
        | CloseReason::ByClient(_)
        | CloseReason::Gone => return None,
    })
}

/// One log line for each end of a connection, with its reason; a flood of lines is only counted.
fn log_close(
    session: &Session,
    reason: &CloseReason,
    (transport, client): (Transport, IpAddr),
    seconds: u64,
) {
    let line = if *reason == CloseReason::SlowReader { Line::SlowReader } else { Line::ConnectionClosed };
    limited!(
        line,
        target: "fanfare::connection",
        Level::INFO,
        app = session.app_id(),
        socket = %session.socket_id(),
        code = reason.code(),
        reason = reason.label(),
        transport = transport.label(),
        %client,
        seconds,
        channels = session.channels(),
        "connection closed"
    );
}
