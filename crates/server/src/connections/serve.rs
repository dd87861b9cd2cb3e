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
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Level;

use super::closed::Closed;
use super::exchange::{self, ExchangeEnd};
use super::first_bytes::Beginning;
use super::site::{Listening, Site};
use super::stream::{Transport, Watched};
use crate::http::Peer;
use crate::log::limited::{Line, limited};
use crate::tls::ServerTls;

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
    poll_fn(|cx| {
        activity.set_waker(cx.waker());
        Poll::Ready(())
    })
    .await;
    let first_byte_by = Instant::now() + listening.times.head;
    let mut timer = pin!(sleep_until(first_byte_by));
    let deadline = Deadline { until: first_byte_by, or_else: Closed::Late };
    let waiting = wait_for_bytes(&listening, &stream, timer.as_mut(), deadline, peer);
    let Some(beginning) = waiting.await else { return };
    match beginning {
        Beginning::ProxyProtocol => Box::pin(Beginning::refuse_proxy_protocol(stream, peer)).await,
        Beginning::PlainHttp if listening.tls.is_some() => {
            Box::pin(Beginning::refuse_plain_http(stream, peer)).await;
        }
        Beginning::Tls if listening.tls.is_none() => Box::pin(Beginning::refuse_tls(stream, peer)).await,
        _ => match listening.tls.clone() {
            None => exchanges(&listening, stream, timer, peer).await,
            Some(tls) => Box::pin(over_tls(listening, tls, stream, timer, peer)).await,
        },
    }
    drop(under_way);
}

/// Completes the TLS handshake, within its timeout, and goes on.
///
/// All slots may be in a handshake at once: a lower bound would let stalling peers keep others
/// out.
async fn over_tls<A: Site>(
    listening: Arc<Listening<A>>,
    tls: Arc<ServerTls>,
    stream: Watched,
    mut timer: Pin<&mut Sleep>,
    peer: Peer,
) {
    let activity = Arc::clone(stream.place().activity());
    let shaken = {
        let mut shaking = pin!(tls.accept(stream));
        poll_fn(|cx| match shaking.as_mut().poll(cx) {
            Poll::Ready(shaken) => Poll::Ready(Ok(shaken)),
            Poll::Pending if activity.is_leaving() => Poll::Ready(Err(Some(Closed::MadeRoom))),
            Poll::Pending if listening.places.is_ending() => Poll::Ready(Err(None)),
            Poll::Pending => timer.as_mut().poll(cx).map(|()| Err(Some(Closed::Late))),
        })
        .await
    };
    drop(tls);
    let client = peer.address;
    match shaken {
        Ok(Ok(stream)) => {
            // The bytes seen so far were the handshake's.
            activity.set_heard(false);
            exchanges(&listening, stream, timer, peer).await;
        }
        // Faults that rustls finds, and faults of the certificate that the peer finds, deserve a log line. A peer that
        // hangs up does not: health checks of balancers do so.
        Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => limited!(
            Line::TlsHandshake,
            target: "fanfare::tls",
            Level::INFO,
            %client, %error, "TLS handshake failed"
        ),
        Ok(Err(error)) => tracing::debug!(target: "fanfare::tls", %client, %error, "no TLS handshake"),
        Err(Some(why)) => closed(&listening, why, peer),
        Err(None) => {}
    }
}

/// Exchanges requests and answers until the connection ends.
async fn exchanges<A: Site, S: Transport>(
    listening: &Arc<Listening<A>>,
    mut stream: S,
    mut timer: Pin<&mut Sleep>,
    peer: Peer,
) {
    let mut early = Bytes::new();
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
        self.places.moment(since) + self.times.idle + GRACE
    }
}

/// Counts and logs a connection closed by the server.
fn closed<A: Site>(listening: &Listening<A>, why: Closed, peer: Peer) {
    let (client, reason) = (peer.address, why.label());
    match why {
        // Counted already, when chosen.
        Closed::MadeRoom => {}
        _ => listening.places.count(why),
    }
    match why {
        Closed::MadeRoom | Closed::Unread => limited!(
            Line::HttpConnection,
            target: "fanfare::http",
            Level::INFO,
            %client, reason, "HTTP connection closed: {}", listening.places.advice(why)
        ),
        _ => tracing::debug!(target: "fanfare::http", %client, reason, "HTTP connection closed"),
    }
}
