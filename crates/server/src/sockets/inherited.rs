//! Sockets that a service manager has opened and passed on (systemd's `LISTEN_FDS`), each for the listener of its name.
//!
//! Takes only what was passed to this very process, and closes nothing that was not.

use std::os::fd::AsFd;
use std::{env, io};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::bound::BoundSockets;
use super::listening::ListeningSocket;
use super::unix::UnixSocket;

/// The names of the listeners, as `FileDescriptorName=` gives them.
const NAMES: [&str; 3] = ["public", "tls", "admin"];

/// Most sockets that are passed on.
const MOST: usize = 1000;

/// The sockets of each listener, before they belong to a runtime.
#[derive(Debug, Default)]
pub struct Inherited {
    of: [Vec<Passed>; NAMES.len()],
}

/// A socket as it was passed.
#[derive(Debug)]
enum Passed {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// Why a passed socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotInherited {
    /// The name is no listener's.
    #[error("a socket named {0:?} was passed on: FileDescriptorName= has to be public, tls or admin")]
    UnknownName(String),
    /// The number of sockets is none.
    #[error("LISTEN_FDS is {0:?}, which is no number of sockets from 0 to {MOST}")]
    FaultyCount(String),
    /// Nobody can connect to the socket.
    #[error(
        "the socket passed on for {0} is no listening stream socket: it has to be ListenStream=, with Accept=no"
    )]
    NotListening(&'static str),
}

/// A listener that may be passed on.
#[derive(Clone, Copy, Debug)]
pub enum PassedFor {
    /// Of clients and back ends.
    Public,
    /// The same over TLS.
    Tls,
    /// Of operators.
    Admin,
}

impl Inherited {
    /// Takes the sockets that were passed to this process; none if none were. Sockets without names are for the public
    /// listener. Has to be called before there is another thread, because the variables are removed.
    ///
    /// # Errors
    /// A socket cannot be used.
    pub fn take() -> Result<Self, NotInherited> {
        let mut all = Self::default();
        let is_for_us = env::var("LISTEN_PID").is_ok_and(|id| id.parse() == Ok(std::process::id()));
        if !is_for_us {
            return Ok(all);
        }
        let count = env::var("LISTEN_FDS").unwrap_or_else(|_| "0".to_owned());
        if !count.parse::<usize>().is_ok_and(|count| count <= MOST) {
            return Err(NotInherited::FaultyCount(count));
        }
        let names = env::var("LISTEN_FDNAMES").ok();
        let mut names = names.as_deref().map(|names| names.split(':'));
        let mut passed = ListenFd::from_env();
        for index in 0..passed.len() {
            let name = names.as_mut().map_or(NAMES[0], |names| names.next().unwrap_or_default());
            let at = NAMES.iter().position(|known| *known == name);
            let at = at.ok_or_else(|| NotInherited::UnknownName(name.to_owned()))?;
            let socket = take_one(&mut passed, index).ok_or(NotInherited::NotListening(NAMES[at]))?;
            all.of[at].push(socket);
        }
        Ok(all)
    }

    /// The sockets of a listener; none if none were passed on.
    ///
    /// # Errors
    /// The system's.
    pub fn sockets_of(&mut self, listener: PassedFor) -> io::Result<Option<BoundSockets>> {
        let passed = std::mem::take(&mut self.of[listener as usize]);
        let all: Vec<ListeningSocket> =
            passed.into_iter().map(Passed::into_socket).collect::<Result<_, _>>()?;
        Ok((!all.is_empty()).then(|| BoundSockets::inherited(all)))
    }
}

/// The socket of this index; `None` if it is of another kind.
fn take_one(passed: &mut ListenFd, index: usize) -> Option<Passed> {
    let socket = match passed.take_tcp_listener(index) {
        Ok(listener) => Passed::Tcp(listener?),
        Err(_) => Passed::Unix(passed.take_unix_listener(index).ok()??),
    };
    let listens = match &socket {
        Passed::Tcp(listener) => socket_acceptconn(listener.as_fd()),
        Passed::Unix(listener) => socket_acceptconn(listener.as_fd()),
    };
    listens.is_ok_and(|listens| listens).then_some(socket)
}

impl Passed {
    fn into_socket(self) -> io::Result<ListeningSocket> {
        Ok(match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                ListeningSocket::Tcp(tokio::net::TcpListener::from_std(listener)?)
            }
            Self::Unix(listener) => ListeningSocket::Unix(UnixSocket::inherited(listener)?),
        })
    }
}
