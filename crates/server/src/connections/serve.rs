//! The life of one connection: wait for bytes on the bare socket, exchange requests and answers, wait again.
//!
//! A waiting connection holds no buffers of hyper, and of TLS only the session.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;
use tracing::Level;

use super::activity::Activity;
use super::closed::Closed;
use super::exchange::{self, ExchangeEnd};
use super::first_bytes::{Beginning, HTTP_2};
use super::http2;
use super::site::{Listening, Site};
use super::stream::{Transport, Watched};
use crate::http::Peer;
use crate::log::limited::{Line, limited};
use crate::tls::{self, ServerTls};

/// How much longer an idle connection is kept than its client was told, so that a last-moment request still finds
/// the connection open.
const GRACE: Duration = Duration::from_secs(2);

/// Serves a connection until it is closed or becomes a WebSocket; during shutdown, until the request under
/// way is answered. Holds `under_way` for as long.
///
/// Rare or short-lived state is boxed: an idle connection takes little memory.
pub(super) async fn connection<A: Site>(
    listening: Arc<Listening<A>>,
    stream: Watched,
    peer: Peer,
    under_way: mpsc::Sender<Infallible>,
) {
    let activity = Arc::clone(stream.place().activity());
    wake_by(&activity).await;
    let first_byte_by = Instant::now() + listening.times().head;
    let mut timer = pin!(sleep_until(first_byte_by));
    let deadline = Deadline { until: first_byte_by, or_else: Closed::Late };
    let waiting = wait_for_bytes(&listening, &stream, timer.as_mut(), deadline, peer);
    let Some(beginning) = waiting.await else { return };
    match beginning {
        Beginning::ProxyProtocol => Box::pin(Beginning::refuse_proxy_protocol(stream, peer)).await,
        Beginning::Http2 if listening.tls.is_none() => Box::pin(Beginning::refuse_http_2(stream, peer)).await,
        Beginning::PlainHttp | Beginning::Http2 if listening.tls.is_some() => {
            Box::pin(Beginning::refuse_plain_http(stream, peer)).await;
        }
        Beginning::Tls if listening.tls.is_none() => Box::pin(Beginning::refuse_tls(stream, peer)).await,
        _ => match listening.tls.clone() {
            None => exchanges(&listening, stream, Bytes::new(), timer, peer).await,
            Some(tls) => Box::pin(over_tls(listening, tls, stream, timer, peer)).await,
        },
    }
    drop(under_way);
}

/// Has this task woken when the connection is to end.
pub(super) async fn wake_by(activity: &Activity) {
    poll_fn(|cx| {
        activity.set_waker(cx.waker());
        Poll::Ready(())
    })
    .await;
}

/// Completes the TLS handshake, and goes on with the version of HTTP that both sides have agreed on.
async fn over_tls<A: Site>(
    listening: Arc<Listening<A>>,
    tls: Arc<ServerTls>,
    stream: Watched,
    mut timer: Pin<&mut Sleep>,
    peer: Peer,
) {
    // Boxed each, so that the task has room for one of them.
    let Some(mut stream) = Box::pin(shaken(&listening, tls, stream, timer.as_mut(), peer)).await else {
        return;
    };
    let agrees_on_http2 = tls::speaks_http2(&stream);
    let early = match agrees_on_http2 {
        true => Box::pin(preface(&listening, &mut stream, timer.as_mut(), peer)).await,
        false => Some(Bytes::new()),
    };
    let Some(early) = early else { return };
    // The bytes seen so far were the handshake's.
    stream.watched().place().activity().set_heard(false);
    let serving: Pin<Box<dyn Future<Output = ()> + Send>> = if agrees_on_http2 && early == HTTP_2 {
        Box::pin(over_http2(&listening, stream, early, timer, peer))
    } else {
        Box::pin(exchanges(&listening, stream, early, timer, peer))
    };
    serving.await;
}

/// Completes the TLS handshake, within its timeout; `None` if the connection has ended.
///
/// All slots may be in a handshake at once: a lower bound would let stalling peers keep others
/// out.
async fn shaken<A: Site>(
    listening: &Listening<A>,
    tls: Arc<ServerTls>,
    stream: Watched,
    mut timer: Pin<&mut Sleep>,
    peer: Peer,
) -> Option<TlsStream<Watched>> {
    let activity = Arc::clone(stream.place().activity());
    let client = peer.address;
    match in_time(listening, &activity, timer.as_mut(), tls.accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        // Faults that rustls finds, and faults of the certificate that the peer finds, deserve a log line. A peer that
        // hangs up does not: health checks of balancers do so.
        Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => limited!(
            Line::TlsHandshake,
            target: "fanfare::tls",
            Level::INFO,
            %client, %error, "TLS handshake failed"
        ),
        Ok(Err(error)) => tracing::debug!(target: "fanfare::tls", %client, %error, "no TLS handshake"),
        Err(Some(why)) => closed(listening, why, peer),
        Err(None) => {}
    }
    None
}

/// Reads the first bytes of a client that has agreed on HTTP/2: some that do so, for WebSockets, speak HTTP/1.1 all the
/// same. `None` if the connection has ended.
async fn preface<A: Site>(
    listening: &Listening<A>,
    stream: &mut TlsStream<Watched>,
    timer: Pin<&mut Sleep>,
    peer: Peer,
) -> Option<Bytes> {
    let activity = Arc::clone(stream.watched().place().activity());
    let mut first = Vec::with_capacity(HTTP_2.len());
    let reading = async {
        while first.len() < HTTP_2.len() && HTTP_2.starts_with(&first) {
            let left = HTTP_2.len() - first.len();
            if (&mut *stream).take(left as u64).read_buf(&mut first).await.unwrap_or(0) == 0 {
                return false;
            }
        }
        true
    };
    match in_time(listening, &activity, timer, reading).await {
        Ok(has_come) => has_come.then(|| Bytes::from(first)),
        Err(why) => {
            if let Some(why) = why {
                closed(listening, why, peer);
            }
            None
        }
    }
}

/// The output of a future, or why the connection is closed before, if there is a reason.
pub(super) async fn in_time<A: Site, T>(
    listening: &Listening<A>,
    activity: &Activity,
    mut timer: Pin<&mut Sleep>,
    future: impl Future<Output = T>,
) -> Result<T, Option<Closed>> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending if activity.is_leaving() => Poll::Ready(Err(Some(Closed::MadeRoom))),
        Poll::Pending if listening.places.is_ending() => Poll::Ready(Err(None)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| Err(Some(Closed::Late))),
    })
    .await
}

/// Exchanges requests and answers over HTTP/2 until the connection ends.
async fn over_http2<A: Site, S: Transport>(
    listening: &Arc<Listening<A>>,
    stream: S,
    early: Bytes,
    timer: Pin<&mut Sleep>,
    peer: Peer,
) {
    if let Some(why) = http2::run(listening, peer, stream, early, timer).await {
        closed(listening, why, peer);
    }
}

/// Exchanges requests and answers until the connection ends.
async fn exchanges<A: Site, S: Transport>(
    listening: &Arc<Listening<A>>,
    mut stream: S,
    mut early: Bytes,
    mut timer: Pin<&mut Sleep>,
    peer: Peer,
) {
    loop {
        let exchanging = exchange::run(listening, peer, stream, early, timer.as_mut());
        match Box::pin(exchanging).await {
            ExchangeEnd::Over => return,
            ExchangeEnd::Closed(why) => return closed(listening, why, peer),
            ExchangeEnd::Quiet(bare, unread) => (stream, early) = (bare, unread),
        }
        if early.is_empty() {
            let activity = stream.watched().place().activity();
            // Only this task makes a quiet connection busy.
            let since = activity.quiet_since().unwrap_or_else(|| listening.places.now());
            let deadline = Deadline { until: listening.idle_until(since), or_else: Closed::Idle };
            let waiting = wait_for_bytes(listening, stream.watched(), timer.as_mut(), deadline, peer);
            if waiting.await.is_none() {
                return;
            }
        }
    }
}

/// How long bytes are waited for, and why the connection is closed if none come.
struct Deadline {
    until: Instant,
    or_else: Closed,
}

/// Waits for bytes, and identifies their protocol; `None` if the connection has ended.
async fn wait_for_bytes<A: Site>(
    listening: &Listening<A>,
    stream: &Watched,
    mut timer: Pin<&mut Sleep>,
    Deadline { until, or_else }: Deadline,
    peer: Peer,
) -> Option<Beginning> {
    let activity = stream.place().activity();
    timer.as_mut().reset(until);
    let ended = poll_fn(|cx| {
        // Bytes are checked first: a request that arrived before the connection was chosen is answered.
        if let Poll::Ready(beginning) = Beginning::poll(stream.tcp(), cx) {
            Poll::Ready(Ok(beginning))
        } else if activity.is_leaving() {
            Poll::Ready(Err(Some(Closed::MadeRoom)))
        } else if listening.places.is_ending() {
            Poll::Ready(Err(None))
        } else {
            timer.as_mut().poll(cx).map(|()| Err(Some(or_else)))
        }
    });
    match ended.await {
        Ok(beginning) => Some(beginning),
        Err(why) => {
            if let Some(why) = why {
                closed(listening, why, peer);
            }
            None
        }
    }
}

impl<A: Site> Listening<A> {
    /// The deadline of a connection that has been idle since then.
    pub(super) fn idle_until(&self, since: u64) -> Instant {
        self.places.moment(since) + self.times().idle + GRACE
    }
}

/// Counts and logs a connection closed by the server.
pub(super) fn closed<A: Site>(listening: &Listening<A>, why: Closed, peer: Peer) {
    let (client, reason) = (peer.address, why.label());
    match why {
        // Counted already, when chosen.
        Closed::MadeRoom => {}
        _ => listening.places.count(why),
    }
    match why {
        Closed::MadeRoom | Closed::Unread | Closed::Pipelined => limited!(
            Line::HttpConnection,
            target: "fanfare::http",
            Level::INFO,
            %client, reason, "HTTP connection closed: {}", listening.places.advice(why)
        ),
        _ => tracing::debug!(target: "fanfare::http", %client, reason, "HTTP connection closed"),
    }
}
