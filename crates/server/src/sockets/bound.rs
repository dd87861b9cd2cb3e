//! Sockets that are bound to their addresses, and that the listener is to accept on once the rest of the server is there.
//!
//! What another process shares with this one never gets a connection before that: a start that fails would break the connection off.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use fanfare_config::ListenAddress;
use tokio::net::{TcpListener, TcpSocket};

use super::listening::{ListeningSocket, ListeningSockets, QUEUE};
use super::unix::UnplacedSocket;

/// How often another port is chosen, if one that the system has chosen is taken on the second address.
const MOST_CHOICES: usize = 16;

/// The sockets of one listener.
#[derive(Debug)]
pub struct BoundSockets {
    all: Vec<BoundSocket>,
    /// Whether another process listens on the same addresses before this one does, and after.
    overlap: bool,
}

/// One of them.
#[derive(Debug)]
enum BoundSocket {
    /// Nobody else has the address: connections wait in the queue during the start.
    Listening(ListeningSocket),
    /// Gets no connection before it listens.
    Tcp(TcpSocket),
    /// Gets no connection before it is at its path.
    Unix(UnplacedSocket),
}

impl BoundSockets {
    /// Sockets that were passed on, and listen.
    pub(super) fn inherited(all: Vec<ListeningSocket>) -> Self {
        Self { all: all.into_iter().map(BoundSocket::Listening).collect(), overlap: false }
    }

    /// Binds to an address; to `localhost`, in both families that the machine has. `overlap`: the address may be
    /// shared with another process of the same user that says so, too.
    ///
    /// # Errors
    /// The address that cannot be bound to, and why.
    pub async fn bind(address: ListenAddress, overlap: bool) -> Result<Self, (SocketAddr, io::Error)> {
        let mut left = MOST_CHOICES;
        loop {
            let first = address.first();
            let socket = BoundSocket::bind(first, overlap).await.map_err(|error| (first, error))?;
            let Some(mut second) = address.second() else { return Ok(Self { all: vec![socket], overlap }) };
            second.set_port(socket.port().map_err(|error| (first, error))?);
            match BoundSocket::bind(second, overlap).await {
                Ok(other) => return Ok(Self { all: vec![socket, other], overlap }),
                Err(error) if is_without_family(&error) => return Ok(Self { all: vec![socket], overlap }),
                Err(_) if address.port() == 0 && left > 0 => left -= 1,
                Err(error) => return Err((second, error)),
            }
        }
    }

    /// A Unix-domain socket as well, whose file has these permissions; replaces one that nobody answers on, or with `overlap` any.
    ///
    /// # Errors
    /// A process answers there, the file is no socket, or the system's.
    pub async fn bind_unix(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let socket = UnplacedSocket::make(path, mode, self.overlap).await?;
        self.all.push(if self.overlap {
            BoundSocket::Unix(socket)
        } else {
            BoundSocket::Listening(ListeningSocket::Unix(socket.place()?))
        });
        Ok(())
    }

    /// The address of the first socket of TCP, with the port that the system has chosen.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.all.iter().find_map(BoundSocket::address)
    }

    /// Takes connections from now on.
    ///
    /// # Errors
    /// The system's.
    pub fn listen(self) -> io::Result<ListeningSockets> {
        let all: io::Result<_> = self.all.into_iter().map(BoundSocket::listen).collect();
        Ok(ListeningSockets::of(all?, self.overlap))
    }
}

impl BoundSocket {
    async fn bind(address: SocketAddr, overlap: bool) -> io::Result<Self> {
        if !overlap {
            return Ok(Self::Listening(ListeningSocket::Tcp(TcpListener::bind(address).await?)));
        }
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        Ok(Self::Tcp(socket))
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Listening(ListeningSocket::Tcp(listener)) => listener.local_addr().ok(),
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Listening(ListeningSocket::Unix(_)) | Self::Unix(_) => None,
        }
    }

    fn port(&self) -> io::Result<u16> {
        self.address().map(|address| address.port()).ok_or_else(|| ErrorKind::AddrNotAvailable.into())
    }

    fn listen(self) -> io::Result<ListeningSocket> {
        Ok(match self {
            Self::Listening(socket) => socket,
            Self::Tcp(socket) => ListeningSocket::Tcp(socket.listen(QUEUE as u32)?),
            Self::Unix(socket) => ListeningSocket::Unix(socket.place()?),
        })
    }
}

/// Whether the machine has no address of this family.
fn is_without_family(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    error.kind() == ErrorKind::AddrNotAvailable || code == Some(rustix::io::Errno::AFNOSUPPORT)
}
