//! The sockets that one listener accepts on: those of an address, of both families for `localhost`, and Unix-domain sockets.
//!
//! Knows nothing of who is served.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::task::{Context, Poll, ready};

use fanfare_node::addresses::WITHOUT_ADDRESS;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use super::unix::UnixSocket;

/// Connections that the system keeps for a socket until they are accepted.
pub(super) const QUEUE: usize = 1024;

/// The sockets of one listener.
#[derive(Debug)]
pub struct ListeningSockets {
    all: Vec<ListeningSocket>,
    /// The socket that is looked at first, in turn.
    turn: usize,
    /// Whether the next process listens on the same addresses while this one ends.
    overlap: bool,
}

/// One of them.
#[derive(Debug)]
pub(super) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

impl From<TcpListener> for ListeningSockets {
    fn from(listener: TcpListener) -> Self {
        Self::of(vec![ListeningSocket::Tcp(listener)], false)
    }
}

impl ListeningSockets {
    pub(super) const fn of(all: Vec<ListeningSocket>, overlap: bool) -> Self {
        Self { all, turn: 0, overlap }
    }

    /// The next connection of any socket, and the address that it comes from; [`WITHOUT_ADDRESS`] over a Unix-domain socket.
    ///
    /// # Errors
    /// The system's.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, IpAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Most connections that the system may have taken for all sockets.
    #[must_use]
    pub const fn most_in_queue(&self) -> usize {
        self.all.len() * (QUEUE + 1)
    }

    /// A connection that the system has taken and would break off with the sockets; none where nobody takes over.
    ///
    /// Asks the system itself: the runtime takes a socket for empty after a number of calls, and until it has heard of news.
    pub fn left_in_queue(&self) -> Option<io::Result<(TcpStream, IpAddr)>> {
        if !self.overlap {
            return None;
        }
        let is_empty =
            |found: &io::Result<_>| matches!(found, Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.all.iter().map(ListeningSocket::accept_now).find(|found| !is_empty(found))
    }

    /// Each socket is first in its turn, so that a flood on one keeps nobody from another.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, IpAddr)>> {
        let count = self.all.len();
        self.turn = (self.turn + 1) % count.max(1);
        for at in (self.turn..count).chain(0..self.turn) {
            if let Poll::Ready(accepted) = self.all[at].poll_accept(cx) {
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

impl ListeningSocket {
    /// As the system answers at once.
    fn accept_now(&self) -> io::Result<(TcpStream, IpAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (socket, from) = SockRef::from(listener).accept()?;
                socket.set_nonblocking(true)?;
                let address = from.as_socket().map_or(WITHOUT_ADDRESS, |from| from.ip().to_canonical());
                Ok((TcpStream::from_std(socket.into())?, address))
            }
            Self::Unix(socket) => Ok((socket.accept_now()?, WITHOUT_ADDRESS)),
        }
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, IpAddr)>> {
        match self {
            Self::Tcp(listener) => {
                let accepted = ready!(listener.poll_accept(cx));
                Poll::Ready(accepted.map(|(stream, from)| (stream, from.ip().to_canonical())))
            }
            Self::Unix(socket) => socket.poll_accept(cx).map_ok(|stream| (stream, WITHOUT_ADDRESS)),
        }
    }
}
