//! The sockets that one listener accepts on: those of an address, of both families for `localhost`, and Unix-domain sockets.
//!
//! Knows nothing of who is served.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll, ready};

use fanfare_config::ListenAddress;
use fanfare_node::addresses::WITHOUT_ADDRESS;
use futures_util::FutureExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::unix::UnixSocket;

/// How often another port is chosen, if one that the system has chosen is taken on the second address.
const MOST_CHOICES: usize = 16;

/// Connections that the system keeps until they are accepted.
const QUEUE: u32 = 1024;

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

    /// Listens on an address; on `localhost`, on those of both families that the machine has. `overlap`: the address may be
    /// shared with another process of the same user that says so, too.
    ///
    /// # Errors
    /// The address that cannot be listened on, and why.
    pub async fn bind(address: ListenAddress, overlap: bool) -> Result<Self, (SocketAddr, io::Error)> {
        let mut left = MOST_CHOICES;
        loop {
            let first = address.first();
            let listener = listen(first, overlap).await.map_err(|error| (first, error))?;
            let Some(mut second) = address.second() else {
                return Ok(Self::of(vec![ListeningSocket::Tcp(listener)], overlap));
            };
            second.set_port(listener.local_addr().map_err(|error| (first, error))?.port());
            match listen(second, overlap).await {
                Ok(other) => {
                    let all = [listener, other].map(ListeningSocket::Tcp).into();
                    return Ok(Self::of(all, overlap));
                }
                Err(error) if is_without_family(&error) => {
                    return Ok(Self::of(vec![ListeningSocket::Tcp(listener)], overlap));
                }
                Err(_) if address.port() == 0 && left > 0 => left -= 1,
                Err(error) => return Err((second, error)),
            }
        }
    }

    /// Listens on a Unix-domain socket as well, whose file has these permissions; replaces one that nobody answers on, or with `overlap` any.
    ///
    /// # Errors
    /// A process answers there, the file is no socket, or the system's.
    pub fn bind_unix(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        self.all.push(ListeningSocket::Unix(UnixSocket::bind(path, mode, self.overlap)?));
        Ok(())
    }

    /// The address of the first socket of TCP, with the port that the system has chosen.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.all.iter().find_map(|socket| match socket {
            ListeningSocket::Tcp(listener) => listener.local_addr().ok(),
            ListeningSocket::Unix(_) => None,
        })
    }

    /// The next connection of any socket, and the address that it comes from; [`WITHOUT_ADDRESS`] over a Unix-domain socket.
    ///
    /// # Errors
    /// The system's.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, IpAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// A connection that the system has taken and would break off with the sockets; none where nobody takes over.
    pub fn left_in_queue(&mut self) -> Option<(TcpStream, IpAddr)> {
        if self.overlap { self.accept().now_or_never()?.ok() } else { None }
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

async fn listen(address: SocketAddr, overlap: bool) -> io::Result<TcpListener> {
    if !overlap {
        return TcpListener::bind(address).await;
    }
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Whether the machine has no address of this family.
fn is_without_family(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    error.kind() == ErrorKind::AddrNotAvailable || code == Some(rustix::io::Errno::AFNOSUPPORT)
}
