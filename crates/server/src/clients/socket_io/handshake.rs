//! The beginning of a session, over polling or as a WebSocket; and refusals, told in words that clients obey (SIO-035).

use std::sync::Arc;
use std::task::{Context, Waker};

use fanfare_hub::{Dialect, Transport};
use fanfare_node::Node;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::engine_io::{EngineRefusal, EngineVersion, OpenPacket, PollAnswer};
use fanfare_protocol::ids::SocketId;
use fanfare_protocol::socket_io;
use fanfare_protocol::version::Version;
use hyper::StatusCode;
use hyper::upgrade::OnUpgrade;

use super::echo::Echo;
use super::known::{Known, Sender, TooLarge};
use super::pings::Rhythm;
use super::questions::Questions;
use super::table::{Sid, SocketIoSession};
use super::{answers, exchange, refused, session, websocket};
use crate::clients::admission::{self, Applicant, Refusal, WantedApp};
use crate::clients::connection::{Connection, Newcomer, milliseconds};
use crate::clients::http_session::sessions::Sessions;
use crate::clients::ws::handshake::shake_hands;
use crate::clients::ws::{BareSocket, into_socket};
use crate::connections::Place;
use crate::http::answer::Answer;
use crate::http::host;
use crate::http::received::Received;
use crate::state::State;

/// Answers a WebSocket's handshake, and continues the session in a task of its own.
///
/// # Errors
/// The request is no handshake, or the client may come again later.
pub(super) async fn websocket(
    state: &Arc<State>,
    wanted: WantedApp<'_>,
    version: EngineVersion,
    mut asked: Received<'_>,
) -> Result<Answer, EngineRefusal> {
    let upgraded = hyper::upgrade::on(&mut asked.request);
    let Ok(response) = shake_hands(&mut asked.request) else {
        return Err(EngineRefusal::BadRequest);
    };
    let applicant = applicant(wanted, Transport::SocketIoWebSocket, &asked);
    let newcomer = match admission::admit(state, applicant).await {
        Ok(newcomer) => newcomer,
        Err(refusal) => {
            let reason = told(&state.node, refusal)?;
            tokio::spawn(refuse(Arc::clone(&state.node), version, reason, upgraded));
            return Ok(response);
        }
    };
    let Ok(known) = kept(&asked, version, &newcomer) else {
        return Ok(too_large());
    };
    tokio::spawn(begin(Arc::clone(&state.node), version, newcomer, known, upgraded));
    Ok(response)
}

/// Answers a handshake over polling, and continues the session in a task of its own.
///
/// # Errors
/// The client may come again later.
pub(super) async fn polling(
    state: &Arc<State>,
    wanted: WantedApp<'_>,
    version: EngineVersion,
    asked: &Received<'_>,
) -> Result<Answer, EngineRefusal> {
    let applicant = applicant(wanted, Transport::SocketIoPolling, asked);
    let admitted = admission::admit_without_connection(state, applicant).await;
    match admitted.map(|(newcomer, away)| Ok((kept(asked, version, &newcomer)?, newcomer, away))) {
        Ok(Ok((known, newcomer, away))) => {
            let (connection, echo, sid) = open(&state.node, version, newcomer, known, true);
            let most = state.node.config().limits.request_bytes;
            let session = Arc::new(SocketIoSession::new(version, Arc::clone(&connection.conn), most, away));
            let Ok(entry) = Sessions::enter(&state.socket_io, sid, Arc::clone(&session)) else {
                // Random names never meet.
                connection.leave(&CloseReason::Gone).gone(&CloseReason::Gone);
                return Err(EngineRefusal::Forbidden);
            };
            let first = first_packets(&connection, version);
            tokio::spawn(session::run(connection, echo, session, entry));
            Ok(answers::payload(first))
        }
        Ok(Err(TooLarge)) => Ok(too_large()),
        Err(refusal) => {
            let reason = told(&state.node, refusal)?;
            let sid = refused::sid_for(&reason);
            let open = open_packet(&state.node, &sid);
            Ok(answers::payload(refused::handshake(version, open, &reason.to_string())))
        }
    }
}

/// Answers the handshake of a WebSocket that a session may change to.
///
/// # Errors
/// The session tries another, or has changed already.
pub(super) fn change(session: &Arc<SocketIoSession>, asked: Received<'_>) -> Result<Answer, EngineRefusal> {
    let (answer, bring) = exchange::upgrade(session, asked.request)?;
    tokio::spawn(bring);
    Ok(answer)
}

/// The packets of the answer to a handshake; nobody else takes from the outbox yet.
fn first_packets(connection: &Connection, version: EngineVersion) -> Vec<u8> {
    let mut frames = Vec::new();
    let _ = connection.conn.outbox.poll_take(&Context::from_waker(Waker::noop()), &mut frames, usize::MAX);
    let mut answer = PollAnswer::new(version);
    frames.iter().for_each(|frame| answer.push(frame));
    answer.into_body()
}

fn applicant<'a>(wanted: WantedApp<'a>, transport: Transport, asked: &'a Received<'_>) -> Applicant<'a> {
    let request = &asked.request;
    let (path, headers, peer) = (request.uri().path(), request.headers(), asked.peer);
    Applicant { transport, path, wanted, version: Ok(Version::NEWEST), headers, peer }
}

/// What is kept of the request.
fn kept(asked: &Received<'_>, version: EngineVersion, newcomer: &Newcomer) -> Result<Known, TooLarge> {
    let headers = asked.request.headers();
    let host = host::of(&asked.request).unwrap_or_default();
    let sender = Sender {
        client: newcomer.client,
        asks_for_cookies: version == EngineVersion::Four && newcomer.transport == Transport::SocketIoPolling,
    };
    Known::of(headers, host, &newcomer.hub.app().authorization.origins, sender)
}

/// Logs and counts a refusal; the reason, if the client is told not to come back.
fn told(node: &Node, refusal: Refusal) -> Result<CloseReason, EngineRefusal> {
    refusal.note(node);
    node.metrics.connection_closed(&refusal.reason);
    if refusal.reason.forbids_return() { Ok(refusal.reason) } else { Err(EngineRefusal::Forbidden) }
}

/// The answer to a handshake with more headers than are kept (SIO-062).
fn too_large() -> Answer {
    let mut answer = answers::refuse(EngineRefusal::BadRequest);
    *answer.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    answer
}

/// Waits for the bare socket, and frees the handshake's buffers by continuing in a fresh task.
async fn begin(
    node: Arc<Node>,
    version: EngineVersion,
    newcomer: Newcomer,
    known: Known,
    upgraded: OnUpgrade,
) {
    let Some((socket, early, _)) = upgraded.await.ok().and_then(into_socket) else {
        return;
    };
    let (connection, echo, _) = open(&node, version, newcomer, known, false);
    match socket {
        BareSocket::Plain(socket) => {
            tokio::spawn(websocket::run(connection, echo, socket, early));
        }
        BareSocket::Tls(socket) => {
            tokio::spawn(websocket::run(connection, echo, socket, early));
        }
    }
}

/// Opens a session, and queues its first packets (SIO-011, SIO-013).
fn open(
    node: &Arc<Node>,
    version: EngineVersion,
    newcomer: Newcomer,
    known: Known,
    may_upgrade: bool,
) -> (Connection, Box<Echo>, Sid) {
    let mut sid = None;
    let connection = Connection::speaking(Dialect::SocketIo, Arc::clone(node), newcomer, |conn| {
        let name = sid.insert(Sid::new(version, conn.id)).to_string();
        let open = OpenPacket { may_upgrade, ..open_packet(node, &name) };
        conn.outbox.push(&open.frame(version));
        if version == EngineVersion::Three {
            conn.outbox.push(&socket_io::connected(version, conn.id));
        }
    });
    let rhythm = Rhythm::new(&node.config().socketio, version, node.milliseconds());
    let sid = sid.unwrap_or(Sid::Shared(connection.conn.id));
    (connection, Box::new(Echo { version, known, questions: Questions::default(), rhythm }), sid)
}

/// What a client is told of its session, which may become a WebSocket.
fn open_packet<'a>(node: &Node, sid: &'a str) -> OpenPacket<'a> {
    let config = node.config();
    let settings = &config.socketio;
    OpenPacket {
        sid,
        may_upgrade: true,
        ping_interval: milliseconds(settings.ping_interval),
        ping_timeout: milliseconds(settings.ping_timeout),
        max_payload: config.limits.request_bytes,
    }
}

/// Tells a client over its WebSocket why it is refused.
async fn refuse(node: Arc<Node>, version: EngineVersion, reason: CloseReason, upgraded: OnUpgrade) {
    // A broken handshake leaves no peer to inform.
    let Some((socket, _, place)) = upgraded.await.ok().and_then(into_socket) else {
        return;
    };
    let sid = SocketId::from_bits(getrandom::u64().unwrap_or_default()).to_string();
    let words = refused::websocket(version, open_packet(&node, &sid), &reason.to_string());
    let words = websocket::last_words(&words, &reason);
    Place::until_needed(&place, socket.hang_up(words)).await;
}
