//! A request that sends: its messages go to the session's task, all or none (FALLBACK-012).

use std::borrow::Cow;
use std::net::IpAddr;

use fanfare_protocol::close::CloseReason;
use fanfare_protocol::fallback::{XhrSendFault, sent_texts};
use fanfare_protocol::ws::DecodeError;
use hyper::{Request, StatusCode};

use super::names::{Sent, XhrName};
use super::refused::XhrRefusal;
use crate::clients::http_session::inbox::{Inbox, NotTaken, OVERHEAD};
use crate::connections::RequestBody;
use crate::http::answer::{self, Answer};
use crate::http::body::{self, BodyError};
use crate::state::State;

/// Most messages of one request; pusher-js sends one.
const MOST_MESSAGES: usize = 1000;

/// Hands the messages of a client with this address to the session.
///
/// # Errors
/// There is no such session, or the body is refused. A body over a bound ends the session (FALLBACK-027).
pub(super) async fn answer(
    state: &State,
    name: &XhrName,
    client: IpAddr,
    mut request: Request<RequestBody>,
) -> Result<Answer, XhrRefusal> {
    let config = state.node.config_kept();
    let limit = config.limits.request_bytes;
    let Some(inbox) = state.fallback.get(name) else {
        body::throw_away(&mut request, limit).await;
        return Err(XhrRefusal::UnknownSession);
    };
    let body = state.bodies.read(request, client, limit, config.timeouts.handshake()).await;
    let body = body.inspect_err(|error| {
        if matches!(error, BodyError::TooBig { .. }) {
            end(&inbox, CloseReason::RequestTooLong);
        }
    })?;
    let texts =
        sent_texts(&body.bytes, MOST_MESSAGES, config.limits.message_bytes).inspect_err(
            |fault| match fault {
                XhrSendFault::Malformed => {}
                XhrSendFault::TooLong { .. } => end(&inbox, CloseReason::Undecodable(DecodeError::TooLong)),
                XhrSendFault::TooMany { .. } => end(&inbox, CloseReason::RequestTooLong),
            },
        )?;
    let messages = if texts.is_empty() {
        vec![(Sent::Heartbeat, OVERHEAD)]
    } else {
        let weighed = |text: Cow<'_, str>| {
            let bytes = text.len() + OVERHEAD;
            (Sent::Text(text.into()), bytes)
        };
        texts.into_iter().map(weighed).collect()
    };
    match inbox.put(messages) {
        Ok(()) => Ok(answer::empty(StatusCode::NO_CONTENT)),
        Err(NotTaken::Ended) => Err(XhrRefusal::UnknownSession),
        Err(NotTaken::Full) => {
            inbox.conn().outbox.close(CloseReason::InboxFull);
            Err(XhrRefusal::TooFast)
        }
    }
}

fn end(inbox: &Inbox<Sent>, reason: CloseReason) {
    // What came before is handled first, unless one request has filled the inbox. A session that is ending needs no other
    // reason.
    if inbox.put(vec![(Sent::TooMuch(reason.clone()), 0)]) == Err(NotTaken::Full) {
        inbox.conn().outbox.close(reason);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use fanfare_hub::{Budget, Conn};
    use fanfare_protocol::ids::SocketId;

    use super::*;
    use crate::clients::http_session::away::AwayBounds;
    use crate::connections::ExemptNetworks;

    #[test]
    fn fallback_027_a_request_that_is_too_long_ends_the_session_whose_inbox_is_full_too() {
        let conn = Arc::new(Conn::new(SocketId::from_bits(1), Budget::of_each(1 << 20)));
        let bounds = AwayBounds::new(1, ExemptNetworks::default());
        let away = bounds.enter([192, 0, 2, 1].into()).expect("room");
        let inbox = Inbox::new(Arc::clone(&conn), 100, away);
        inbox.put(vec![(Sent::Heartbeat, 1000)]).expect("an empty inbox takes any request");
        end(&inbox, CloseReason::RequestTooLong);
        let closed = conn.outbox.poll_closed(&Context::from_waker(Waker::noop()));
        assert_eq!(closed, Poll::Ready(CloseReason::RequestTooLong));
    }
}
