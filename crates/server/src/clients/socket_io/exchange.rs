//! The requests of a session that polls: a poll, a POST, and the WebSocket that it may change to (SIO-014 … SIO-020).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::engine_io::{EngineRefusal, PayloadFault, packets};
use fanfare_protocol::ws::DecodeError;
use hyper::header::CONTENT_TYPE;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, StatusCode};

use super::answers;
use super::table::{Brought, Candidate, SocketIoSession};
use crate::clients::http_session::inbox::{NotTaken, Receiving};
use crate::clients::ws::handshake::shake_hands;
use crate::clients::ws::into_socket;
use crate::connections::{AnswerBody, RequestBody};
use crate::http::answer::Answer;
use crate::http::body::BodyError;
use crate::state::State;

/// Most packets of one POST.
const MOST_PACKETS: usize = 1000;

/// Attaches a poll.
///
/// # Errors
/// The session has ended, is no session that polls, or a poll waits already, which ends the session.
pub(super) fn poll(
    session: &SocketIoSession,
    request: Request<RequestBody>,
) -> Result<Answer, EngineRefusal> {
    if session.polls.swap(true, Ordering::AcqRel) {
        return Err(end(session, CloseReason::Overlap));
    }
    let lender = request.into_body().lender();
    let (sender, body) = AnswerBody::stream();
    let receiving = Receiving { sender, lender, is_poll: true };
    session.inbox.attach(receiving).map_err(|_| EngineRefusal::SessionUnknown)?;
    if session.is_upgraded.load(Ordering::Acquire) {
        // The session has changed meanwhile, and looks for no poll.
        drop(session.inbox.take_receiving());
        return Err(EngineRefusal::BadRequest);
    }
    Ok(answers::stream(body))
}

/// Takes in the packets of a POST by a client with this address, all or none.
///
/// # Errors
/// The session has ended, or ends because of the request.
pub(super) async fn post(
    state: &State,
    session: &SocketIoSession,
    client: IpAddr,
    request: Request<RequestBody>,
) -> Result<Answer, EngineRefusal> {
    let Some(_posting) = session.begin_post() else {
        return Err(end(session, CloseReason::Overlap));
    };
    let config = state.node.config_kept();
    let is_binary = request.headers().get(CONTENT_TYPE).is_some_and(|kind| {
        kind.to_str().is_ok_and(|kind| kind.trim_start().starts_with("application/octet-stream"))
    });
    let (limit, patience) = (config.limits.request_bytes, config.timeouts.handshake());
    let body = match state.bodies.read(request, client, limit, patience).await {
        Ok(body) => body,
        Err(BodyError::TooBig { .. }) => return Ok(too_long(session, CloseReason::RequestTooLong)),
        Err(BodyError::Late | BodyError::Broken) => return Err(EngineRefusal::BadRequest),
    };
    if is_binary {
        return Ok(answers::taken_in());
    }
    let Ok(text) = std::str::from_utf8(&body.bytes) else {
        return Err(end(session, CloseReason::BadPacket));
    };
    let mut brought = Vec::new();
    for packet in packets(session.version, text, config.limits.message_bytes) {
        match packet {
            Ok(_) if brought.len() == MOST_PACKETS => {
                return Ok(too_long(session, CloseReason::RequestTooLong));
            }
            Ok(packet) => {
                let packet = Brought::packet(packet);
                let bytes = packet.bytes();
                brought.push((packet, bytes));
            }
            Err(PayloadFault::Malformed) => return Err(end(session, CloseReason::BadPacket)),
            Err(PayloadFault::TooLong { .. }) => {
                return Ok(too_long(session, CloseReason::Undecodable(DecodeError::TooLong)));
            }
        }
    }
    match session.inbox.put(brought) {
        Ok(()) => Ok(answers::taken_in()),
        // The session's WebSocket has been faster (SIO-023).
        Err(NotTaken::Ended) if session.is_upgraded.load(Ordering::Acquire) => Err(EngineRefusal::BadRequest),
        // A client whose POST fails comes back, and is not told that it should not (SIO-034).
        Err(NotTaken::Ended) if session.is_dismissed.load(Ordering::Acquire) => Ok(answers::taken_in()),
        Err(NotTaken::Ended) => Err(EngineRefusal::SessionUnknown),
        Err(NotTaken::Full) => Ok(too_long(session, CloseReason::InboxFull)),
    }
}

/// Answers the handshake of a WebSocket that the session may change to.
///
/// # Errors
/// A WebSocket is being tried already, or is the session's transport (SIO-023).
pub(super) fn upgrade(
    session: &Arc<SocketIoSession>,
    mut request: Request<RequestBody>,
) -> Result<(Answer, impl Future<Output = ()> + Send + use<>), EngineRefusal> {
    if session.upgrades.swap(true, Ordering::AcqRel) {
        return Err(EngineRefusal::BadRequest);
    }
    let upgraded = hyper::upgrade::on(&mut request);
    match shake_hands(&mut request) {
        Ok(answer) => Ok((answer, bring(Arc::clone(session), upgraded))),
        Err(_) => {
            session.upgrades.store(false, Ordering::Release);
            Err(EngineRefusal::BadRequest)
        }
    }
}

/// Brings the bare socket to the session.
async fn bring(session: Arc<SocketIoSession>, upgraded: OnUpgrade) {
    if let Some((socket, early, place)) = upgraded.await.ok().and_then(into_socket) {
        let candidate = Brought::Socket(Candidate { socket, early, place });
        // A session that has ended, or whose client floods it, drops the socket.
        if session.inbox.put(vec![(candidate, 0)]).is_ok() {
            return;
        }
    }
    session.upgrades.store(false, Ordering::Release);
}

/// Ends the session for what a request has done, and refuses the request.
fn end(session: &SocketIoSession, reason: CloseReason) -> EngineRefusal {
    session.inbox.conn().outbox.close(reason);
    EngineRefusal::BadRequest
}

/// Ends the session for a request that is too large (SIO-019).
fn too_long(session: &SocketIoSession, reason: CloseReason) -> Answer {
    let mut answer = answers::refuse(end(session, reason));
    *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    answer
}
