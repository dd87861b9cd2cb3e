//! The public listeners, plain and TLS: accept, hand requests to `http`, and never stop over one bad peer.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::http::{self, Peer, Routes};
use crate::state::State;
use crate::tls::Tls;

/// The largest head of a request.
const HEAD_BYTES: usize = 64 * 1024;

/// How long accepting rests when no file descriptor is left.
const REST: Duration = Duration::from_millis(50);

/// Accepts until the drain is over, then waits for the requests that are under way; over TLS if so told.
pub async fn run(state: Arc<State>, listener: TcpListener, tls: Option<Arc<Tls>>) {
    let routes = Arc::new(Routes::default());
    // Nothing is ever sent: the channel closes when the last connection has dropped its end.
    let (under_way, mut all_done) = mpsc::channel::<Infallible>(1);
    let mut out_of_descriptors = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = state.drain.over() => break,
        };
        match accepted {
            Ok((stream, address)) => {
                out_of_descriptors = false;
                // Small frames are to leave at once; a socket that refuses the option still works.
                let _ = stream.set_nodelay(true);
                let peer = Peer { address: address.ip().to_canonical(), over_tls: tls.is_some() };
                match &tls {
                    None => spawn(serve(&state, &routes, peer, stream), &under_way),
                    Some(tls) => spawn(shake_hands(&state, &routes, peer, stream, tls), &under_way),
                }
            }
            Err(error) if concerns_one_peer(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut out_of_descriptors, true) {
                    tracing::error!(target: "fanfare", %error, "cannot accept connections; trying again");
                }
                tokio::time::sleep(REST).await;
            }
        }
    }
    drop(listener);
    drop(under_way);
    let _ = all_done.recv().await;
}

/// Serves a connection in a task of its own, which counts as under way until it ends.
fn spawn(serving: impl Future<Output = ()> + Send + 'static, under_way: &mpsc::Sender<Infallible>) {
    let under_way = under_way.clone();
    tokio::spawn(async move {
        serving.await;
        drop(under_way);
    });
}

/// Begins TLS on a connection, within the time for a handshake, and serves it.
///
/// As many handshakes may be under way as there are descriptors: a bound below that would let those who
/// stall keep others out.
fn shake_hands(
    state: &Arc<State>,
    routes: &Arc<Routes>,
    peer: Peer,
    stream: TcpStream,
    tls: &Arc<Tls>,
) -> impl Future<Output = ()> + use<> {
    let (state, routes, tls) = (Arc::clone(state), Arc::clone(routes), Arc::clone(tls));
    async move {
        let shaking = timeout(state.config.timeouts.handshake(), tls.accept(stream));
        let shaken = tokio::select! {
            shaken = shaking => shaken,
            () = state.drain.over() => return,
        };
        let client = peer.address;
        match shaken {
            Ok(Ok(stream)) => {
                let serving = serve(&state, &routes, peer, stream);
                drop(tls);
                serving.await;
            }
            Ok(Err(error)) => tracing::debug!(target: "fanfare::tls", %client, %error, "no TLS handshake"),
            Err(_) => tracing::debug!(target: "fanfare::tls", %client, "a TLS handshake took too long"),
        }
    }
}

/// Serves one connection until it is closed or becomes a WebSocket; its end lets the
/// request that is under way finish.
fn serve<IO>(
    state: &Arc<State>,
    routes: &Arc<Routes>,
    peer: Peer,
    stream: IO,
) -> impl Future<Output = ()> + use<IO>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let patience = state.config.timeouts.handshake();
    let (state, routes) = (Arc::clone(state), Arc::clone(routes));
    let draining = Arc::clone(&state);
    let respond = service_fn(move |request| {
        let answer = http::answer(Arc::clone(&state), Arc::clone(&routes), peer, request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), respond)
        .with_upgrades();
    async move {
        tokio::pin!(connection);
        let done = tokio::select! {
            done = &mut connection => done,
            () = draining.drain.over() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        // A peer that breaks off, or never was HTTP, concerns nobody else.
        if let Err(error) = done {
            tracing::debug!(target: "fanfare::http", %error, "connection failed");
        }
    }
}

/// Errors of `accept` that are the peer's, who has left already.
fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
