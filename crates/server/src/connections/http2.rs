//! Requests and answers over one connection of HTTP/2, by hyper, bounded against strangers.
//!
//! All requests of a connection run in its one task, so that they end with the connection, and only this task writes the
//! connection's state. HTTP/2 is spoken over TLS alone, where both sides agree on it first. No WebSockets: clients open
//! a connection of HTTP/1.1 for them.

mod body;
mod headers;
mod streams;
mod watch;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::Sleep;

use self::body::Http2Body;
use self::headers::HeaderBytes;
use self::streams::Streams;
use self::watch::{Ending, Watch};
use super::activity::Activity;
use super::answer_body::AnswerBody;
use super::closed::Closed;
use super::respond;
use super::site::{Listening, Site};
use super::stream::{Rewound, Transport};
use super::under_way::Begun;
use crate::http::{Answer, Peer};

/// Most requests of a connection at once. A browser sends the requests of all its tabs over one connection, and each
/// tab may wait in one; RFC 9113 advises against fewer than 100.
const MOST_STREAMS: u32 = 128;

/// Most bytes of the headers of one request, decoded. Browsers' cookies have at most 8 KiB with most servers.
/// hyper refuses more with 431, and ends a connection that sends many times as much.
const HEADER_BYTES: u32 = 16 * 1024;

/// Most bytes of one request's body that wait to be read: the protocol's own default. A body is read only if its request
/// was signed, is small, or has room among those of strangers.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all requests of a connection: bodies that are not read take this much memory at most, as over HTTP/1.1, and
/// one of them does not stop the others.
const CONNECTION_WINDOW: u32 = 2 * STREAM_WINDOW;

/// Largest frame that is accepted: the protocol's least.
const FRAME_BYTES: u32 = 16 * 1024;

/// Most bytes of one answer that wait for the peer's window, beside a chunk.
const SEND_BYTES: usize = 32 * 1024;

/// Most requests that a peer has reset before they were looked at ("rapid reset"): more end the connection. A browser
/// resets a request when its page goes, long after.
const RESET_EARLY: usize = 16;

/// Most requests that are no HTTP, each of which is reset: more end the connection. No client sends one.
const RESET_AS_FAULTY: usize = 64;

/// Serves requests until the connection ends; `early` bytes were read before. Returns why the server has closed the connection, if so.
///
/// Pings are not sent: a peer without a request is closed after the time for idling, and one that accepts nothing after
/// the time for writing. Answers to the peer's pings and settings wait for the socket, and nothing is read meanwhile.
pub(super) async fn run<A: Site, S: Transport>(
    listening: &Arc<Listening<A>>,
    peer: Peer,
    stream: S,
    early: Bytes,
    timer: Pin<&mut Sleep>,
) -> Option<Closed> {
    let activity = Arc::clone(stream.watched().place().activity());
    let (streams, header_bytes) = (Streams::default(), Arc::new(HeaderBytes::default()));
    let respond = service_fn(|request| {
        let (listening, activity) = (Arc::clone(listening), Arc::clone(&activity));
        // Boxed, so that a stream takes little memory once its answer has begun.
        Box::pin(answered(listening, activity, Arc::clone(&header_bytes), peer, request))
    });
    let mut connection = http2::Builder::new(streams.clone())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_BYTES)
        .max_send_buf_size(SEND_BYTES)
        .max_pending_accept_reset_streams(RESET_EARLY)
        .max_local_error_reset_streams(RESET_AS_FAULTY)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(Rewound::new(early, stream)), respond);
    let mut running = streams.running();
    let mut watch = Watch::new(listening, &activity, timer);
    poll_fn(|cx| {
        if watch.begins_to_end() {
            Pin::new(&mut connection).graceful_shutdown();
        }
        let done = Pin::new(&mut connection).poll(cx);
        running.poll(cx);
        if let Poll::Ready(done) = done {
            // A peer that breaks off, or breaks the protocol, concerns nobody else.
            if let Err(error) = done {
                tracing::debug!(target: "fanfare::http", %error, "connection failed");
            }
            return Poll::Ready(None);
        }
        let Poll::Ready(ending) = watch.poll(cx) else { return Poll::Pending };
        let Ending::Closed(why) = ending else { return Poll::Ready(None) };
        if why == Closed::Unread || activity.blocked_at().is_some() {
            activity.cut_off();
            let _ = Pin::new(&mut connection).poll(cx);
        }
        Poll::Ready(Some(why))
    })
    .await
}

/// Answers a request.
async fn answered<A: Site>(
    listening: Arc<Listening<A>>,
    activity: Arc<Activity>,
    header_bytes: Arc<HeaderBytes>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<Http2Body>, Infallible> {
    let begun = Begun::new(&listening.places, &activity);
    let is_head = *request.method() == Method::HEAD;
    let mut answer = match header_bytes.hold(&request) {
        Some(_held) => respond::ask(&listening, &activity, peer, request).await.0,
        None => {
            let refusal = headers::refusal();
            listening.site.state().metrics.request_answered(refusal.status().as_u16());
            refusal
        }
    };
    // Of one connection of HTTP/1.1, and forbidden here.
    for name in [CONNECTION, respond::KEEP_ALIVE, UPGRADE, TRANSFER_ENCODING] {
        answer.headers_mut().remove(name);
    }
    if is_head {
        leave_out_body(&mut answer);
    }
    Ok(answer.map(|body| Http2Body::new(body, begun)))
}

/// Leaves the body out of the answer to HEAD, and its length in.
fn leave_out_body(answer: &mut Answer) {
    if let AnswerBody::Whole(bytes) = std::mem::take(answer.body_mut()) {
        answer.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(bytes.len()));
    }
}
