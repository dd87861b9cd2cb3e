//! The sockets that one listener accepts on: those of an address, of both families for `localhost`.
//!
//! Knows nothing of who is served.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use fanfare_config::ListenAddress;
use tokio::net::{TcpListener, TcpStream};

/// How often another port is chosen, if one that the system has chosen is taken on the second address.
const MOST_CHOICES: usize = 16;

/// The sockets of one listener.
#[derive(Debug)]
pub struct ListeningSockets {
    all: Vec<TcpListener>,
    /// The socket that is looked at first, in turn.
    turn: usize,
}

impl From<TcpListener> for ListeningSockets {
    fn from(listener: TcpListener) -> Self {
        Self { all: vec![listener], turn: 0 }
    }
}

impl ListeningSockets {
    /// Listens on an address; on `localhost`, on those of both families that the machine has.
    ///
    /// # Errors
    /// The address that cannot be listened on, and why.
    pub async fn bind(address: ListenAddress) -> Result<Self, (SocketAddr, io::Error)> {
        let mut left = MOST_CHOICES;
        loop {
            let first = address.first();
            let listener = TcpListener::bind(first).await.map_err(|error| (first, error))?;
            let Some(mut second) = address.second() else { return Ok(listener.into()) };
            second.set_port(listener.local_addr().map_err(|error| (first, error))?.port());
            match TcpListener::bind(second).await {
                Ok(other) => return Ok(Self { all: vec![listener, other], turn: 0 }),
                Err(error) if is_without_family(&error) => return Ok(listener.into()),
                Err(_) if address.port() == 0 && left > 0 => left -= 1,
                Err(error) => return Err((second, error)),
            }
        }
    }

    /// The address of the first socket, with the port that the system has chosen.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.all.first()?.local_addr().ok()
    }

    /// The next connection of any socket, and the address that it comes from.
    ///
    /// # Errors
    /// The system's.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, IpAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Each socket is first in its turn, so that a flood on one keeps nobody from another.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, IpAddr)>> {
        let count = self.all.len();
        self.turn = (self.turn + 1) % count.max(1);
        for at in (self.turn..count).chain(0..self.turn) {
            if let Poll::Ready(accepted) = self.all[at].poll_accept(cx) {
                return Poll::Ready(accepted.map(|(stream, from)| (stream, from.ip().to_canonical())));
            }
        }
        Poll::Pending
    }
}

/// Whether the machine has no address of this family.
fn is_without_family(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    error.kind() == ErrorKind::AddrNotAvailable || code == Some(rustix::io::Errno::AFNOSUPPORT)
}
