//! How HTTP connections are served, by the public listeners and the operators' alike: accept, hold to bounds of
//! number and time, answer requests, and never stop over one bad peer.
//!
//! What is answered belongs to the [`Site`] behind a listener. Per-request work stays tiny: no task, no lock of
//! all connections, no timer.

mod activity;
mod closed;
mod date;
mod exchange;
mod first_bytes;
mod network;
mod places;
mod request_body;
mod respond;
mod serve;
mod site;
mod stream;

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tracing::Level;

use crate::http::Peer;
use crate::log::limited::{Line, limited};

pub use closed::{Closed, Listener};
pub use network::network;
pub use places::{ConnectionBounds, Place, Places};
pub use request_body::RequestBody;
pub use site::{Listening, Site};
pub use stream::{Rewound, Watched};

/// Most bytes that the system keeps of a connection beyond what the peer is ready for.
///
/// Without a bound the system would copy megabytes for each reader that stalls, and the memory of a copy is held
/// until all that was copied beside it has been read. For HTTP and for the WebSockets that come of HTTP, whose outbox
/// is shared with others and costs less.
const UNSENT: u32 = 64 * 1024;

/// How long accepting rests when no file descriptor is left.
const REST: Duration = Duration::from_millis(50);

impl<A: Site> Listening<A> {
    /// Accepts until `over`, then waits for the requests that are under way.
    pub async fn run(self, listener: TcpListener, over: impl Future<Output = ()>) {
        let listening = Arc::new(self);
        let mut over = pin!(over);
        // Nothing is ever sent: the channel closes when the last connection has dropped its end.
        let (under_way, mut all_done) = mpsc::channel::<Infallible>(1);
        let mut out_of_descriptors = false;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut over => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    out_of_descriptors = false;
                    listening.admit(stream, address.ip().to_canonical(), &under_way);
                    if listening.places.is_full() {
                        // The connection that was closed to make room gets a turn to end.
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
        drop(listener);
        listening.places.end();
        drop((listening, under_way));
        let _ = all_done.recv().await;
    }

    /// Serves a newcomer in a task of its own, which counts as under way until it ends; or closes it, if there is
    /// no place.
    fn admit(self: &Arc<Self>, stream: TcpStream, address: IpAddr, under_way: &mpsc::Sender<Infallible>) {
        let place = match Places::enter(&self.places, address) {
            Ok(place) => place,
            Err(why) => {
                limited!(
                    Line::HttpConnection,
                    target: "fanfare::http",
                    Level::WARN,
                    client = %address,
                    reason = why.label(),
                    "HTTP connection refused: {}", self.places.advice(why)
                );
                return;
            }
        };
        let socket = SockRef::from(&stream);
        // Small frames are to leave at once. A socket that refuses an option still works.
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
        let peer = Peer { address, over_tls: self.tls.is_some() };
        let stream = Watched::new(stream, place);
        let serving = serve::connection(Arc::clone(self), stream, peer, under_way.clone());
        tokio::spawn(serving);
    }
}

/// Errors of `accept` that are the peer's, who has left already.
fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests;
