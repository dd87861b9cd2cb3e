//! The HTTP fallback of pusher-js: sessions over `xhr_streaming` and `xhr` (polling), which send by `xhr_send`
//! (FALLBACK-010 …).
//!
//! One task owns a session, as of a WebSocket; requests only bring and fetch. Speaks to pages of every origin: the app's
//! `allowed_origins` are checked when a session begins, as for WebSockets.

mod answers;
mod cors;
mod farewell;
mod names;
mod outlet;
mod receive;
mod refused;
mod send;
mod session;
mod watch;

use std::sync::Arc;

use hyper::Method;
use hyper::header::{CACHE_CONTROL, HeaderValue};

pub(crate) use self::names::{XhrPath, XhrSessions};

use self::refused::XhrRefusal;
use crate::http::answer::Answer;
use crate::http::forwarded::client_address;
use crate::http::received::Received;
use crate::state::State;

/// What a request of the fallback is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum XhrRequest {
    /// To receive messages as long as the answer goes on.
    Stream,
    /// To receive the next messages.
    Poll,
    /// To send messages.
    Send,
    /// What SockJS asks first; SockJS is not served (FALLBACK-030).
    SockJs,
}

/// Answers a request, or a browser's preflight. Each answer may be read by pages of all origins, a refusal too.
pub(crate) async fn answer(
    state: &Arc<State>,
    wanted: XhrRequest,
    path: XhrPath<'_>,
    asked: Received<'_>,
) -> Answer {
    let mut answer = if *asked.request.method() == Method::OPTIONS {
        cors::preflight()
    } else {
        let answered = answer_post(state, wanted, path, asked).await;
        answered.unwrap_or_else(|refusal| {
            tracing::debug!(target: "fanfare::http", status = refusal.status().as_u16(), reason = %refusal, "fallback request refused");
            refusal.into_answer()
        })
    };
    cors::put_headers(answer.headers_mut());
    // A proxy that compresses may hold back parts of a stream.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    answer
}

async fn answer_post(
    state: &Arc<State>,
    wanted: XhrRequest,
    path: XhrPath<'_>,
    asked: Received<'_>,
) -> Result<Answer, XhrRefusal> {
    if wanted == XhrRequest::SockJs {
        return Err(XhrRefusal::NoSockJs);
    }
    if !state.node.config().listen.fallback {
        return Err(XhrRefusal::NotServed);
    }
    if *asked.request.method() != Method::POST {
        return Err(XhrRefusal::MethodNotAllowed);
    }
    let name = path.name().ok_or(XhrRefusal::NoName)?;
    match wanted {
        XhrRequest::Send => {
            let client = client_address(state, asked.request.headers(), asked.peer.address);
            send::answer(state, &name, client, asked.request).await
        }
        _ => Ok(receive::answer(state, path.key, name, wanted == XhrRequest::Poll, asked).await),
    }
}
