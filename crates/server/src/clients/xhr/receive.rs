//! A request that receives: attached to its session, which the first one opens (FALLBACK-015).

use std::sync::Arc;

use fanfare_hub::Transport;
use fanfare_protocol::auth::Query;
use fanfare_protocol::close::CloseReason;
use fanfare_protocol::fallback::{OPEN, close};
use fanfare_protocol::version::Version;

use super::answers::{carrying, carrying_all};
use super::names::XhrName;
use super::session;
use crate::clients::admission::{self, Applicant, WantedApp};
use crate::clients::connection::{Connection, Newcomer};
use crate::clients::http_session::away::Away;
use crate::clients::http_session::inbox::{Inbox, Receiving};
use crate::clients::http_session::sessions::Sessions;
use crate::connections::AnswerBody;
use crate::http::answer::Answer;
use crate::http::body;
use crate::http::received::Received;
use crate::state::State;

/// The messages of a session. A name that is not known begins a session: to a client that had one, its `o` says that the
/// session was lost (FALLBACK-016).
pub(super) async fn answer(
    state: &Arc<State>,
    key: &str,
    name: XhrName,
    is_poll: bool,
    mut asked: Received<'_>,
) -> Answer {
    // The rest of a body would hide the end of the peer.
    let most = state.node.config().limits.request_bytes;
    body::throw_away(&mut asked.request, most).await;
    let (head, body) = asked.request.into_parts();
    let lender = body.lender();
    drop(body);
    let (sender, body) = AnswerBody::stream();
    let receiving = Receiving { sender, lender, is_poll };
    let receiving = match state.fallback.get(&name) {
        None => receiving,
        Some(inbox) => match inbox.attach(receiving) {
            Ok(()) => return carrying(body),
            // The session has just ended.
            Err(receiving) => receiving,
        },
    };
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let applicant = Applicant {
        transport: if is_poll { Transport::XhrPolling } else { Transport::XhrStreaming },
        path: head.uri.path(),
        wanted: WantedApp::Key(key),
        version: Version::parse(query.get("protocol"), state.node.config().listen.version_required),
        headers: &head.headers,
        peer: asked.peer,
    };
    match admission::admit_without_connection(state, applicant).await {
        Ok((newcomer, away)) => open(state, newcomer, away, name, receiving),
        Err(refusal) => {
            refusal.note(&state.node);
            state.node.metrics.connection_closed(&refusal.reason);
            // FALLBACK-022. Every refusal has a code.
            let code = refusal.reason.code().unwrap_or(1006);
            return carrying_all([OPEN, &close(code, &refusal.reason.to_string())].concat());
        }
    }
    carrying(body)
}

/// Opens a session in a task of its own.
fn open(state: &Arc<State>, newcomer: Newcomer, away: Away, name: XhrName, receiving: Receiving) {
    let connection = Connection::open(Arc::clone(&state.node), newcomer);
    let most = state.node.config().limits.request_bytes;
    let inbox = Arc::new(Inbox::new(Arc::clone(&connection.conn), most, away));
    match Sessions::enter(&state.fallback, name, Arc::clone(&inbox)) {
        Ok(entry) => {
            tokio::spawn(session::run(connection, inbox, receiving, entry));
        }
        Err(other) => {
            // Another request of the same session was quicker.
            connection.leave(&CloseReason::Gone).gone(&CloseReason::Gone);
            drop(other.attach(receiving));
        }
    }
}
