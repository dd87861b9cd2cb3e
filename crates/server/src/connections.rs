//! HTTP connections of the public listeners and of the operators': accept, bound in number and time, answer
//! requests, and never stop because of one bad peer.
//!
//! Answers belong to the [`Site`] behind a listener. Per-request work stays tiny: no task, no lock of
//! all connections, no timer.

mod activity;
mod alarm;
mod answer_body;
mod closed;
mod crowd;
mod date;
mod exchange;
mod exempt;
mod first_bytes;
mod http2;
mod lending;
mod places;
mod proxied;
mod proxy_header;
mod request_body;
mod respond;
mod serve;
mod site;
mod stream;
mod times;
mod under_way;

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tracing::Level;

use crate::http::Peer;
use crate::log::limited::{Line, limited};
use crate::sockets::ListeningSockets;

pub use answer_body::{AnswerBody, ChunkSender, PeerGone};
pub use closed::{Closed, Listener};
pub use exempt::ExemptNetworks;
pub use lending::{Lender, Lending};
pub use places::{ConnectionBounds, Place, Places};
pub use request_body::RequestBody;
pub use site::{Listening, Site};
pub use stream::{Rewound, Watched};
pub use times::Times;

/// Most bytes of one connection in the system's send buffer.
///
/// Without a bound the system would copy megabytes for each stalled reader, and a copy's memory is held until the
/// data copied beside it has been read. Holds for HTTP and for WebSockets, whose outbox shares frames and costs less.
const UNSENT: u32 = 64 * 1024;

/// Backoff of accepting while no file descriptor is left.
const REST: Duration = Duration::from_millis(50);

/// Connections of a queue that are served before other tasks have their turn.
const AT_ONCE: usize = 64;

impl<A: Site> Listening<A> {
    /// Accepts until `closed`, answers the connections that are there until `over`, then waits for the requests under way.
    pub async fn run(
        self,
        sockets: impl Into<ListeningSockets>,
        closed: impl Future<Output = ()>,
        over: impl Future<Output = ()>,
    ) {
        let listening = Arc::new(self);
        let mut sockets = sockets.into();
        let mut closed = pin!(closed);
        // Nothing is ever sent: the channel closes when the last connection drops its sender.
        let (under_way, mut all_done) = mpsc::channel::<Infallible>(1);
        let mut out_of_descriptors = false;
        loop {
            let accepted = tokio::select! {
                accepted = sockets.accept() => accepted,
                () = &mut closed => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    out_of_descriptors = false;
                    listening.admit(stream, address, &under_way);
                    if listening.places.is_full() {
                        // Lets the connection that was closed to make room end.
                        yield_now().await;
                    }
                }
                Err(error) if concerns_one_peer(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut out_of_descriptors, true) {
                        limited!(
                            Line::NotAccepted,
                            target: "fanfare",
                            Level::ERROR,
                            %error, "cannot accept connections; trying again"
                        );
                    }
                    listening.places.make_room();
                    tokio::time::sleep(REST).await;
                }
            }
        }
        listening.take_over_queue(&sockets, &under_way).await;
        drop(sockets);
        over.await;
        listening.places.end();
        drop((listening, under_way));
        let _ = all_done.recv().await;
    }

    /// Serves what the system has taken and would break off; at most as many as fit into its queues, because others may come
    /// meanwhile, which the next process takes from now on.
    async fn take_over_queue(
        self: &Arc<Self>,
        sockets: &ListeningSockets,
        under_way: &mpsc::Sender<Infallible>,
    ) {
        for number in 1..=sockets.most_in_queue() {
            match sockets.left_in_queue() {
                Some(Ok((stream, address))) => self.admit(stream, address, under_way),
                Some(Err(error)) if concerns_one_peer(&error) => {}
                Some(Err(_)) | None => return,
            }
            if number % AT_ONCE == 0 || self.places.is_full() {
                yield_now().await;
            }
        }
    }

    /// Serves a new connection in a task of its own, which counts as under way until the task ends; or closes the
    /// connection, if no slot is free.
    fn admit(self: &Arc<Self>, stream: TcpStream, address: IpAddr, under_way: &mpsc::Sender<Infallible>) {
        let Some(place) = self.enter(address) else { return };
        let socket = SockRef::from(&stream);
        // Small frames leave at once. A socket that refuses an option still works.
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
        let peer = Peer { address, over_tls: self.tls.is_some() };
        let stream = Watched::new(stream, place);
        let under_way = under_way.clone();
        if self.expects_header(peer) {
            tokio::spawn(proxied::connection(Arc::clone(self), stream, peer, under_way));
        } else {
            tokio::spawn(serve::connection(Arc::clone(self), stream, peer, under_way));
        }
    }

    /// A slot for a connection from this address, or a line of the log.
    fn enter(&self, address: IpAddr) -> Option<Place> {
        let refused = |why: &Closed| {
            limited!(
                Line::HttpConnection,
                target: "fanfare::http",
                Level::WARN,
                client = %address,
                reason = why.label(),
                "HTTP connection refused: {}", self.places.advice(*why)
            );
        };
        Places::enter(&self.places, address).inspect_err(refused).ok()
    }
}

/// Errors of `accept` that concern one peer, which has left already.
fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests;
