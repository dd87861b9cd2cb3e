//! `fanfare health`: whether the server that a configuration describes is alive, or ready for more.
//!
//! Connects as any other client does, over plain HTTP on this machine. Never looks at the process, and needs no shell.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fanfare_config::{ListenAddress, ListenSection};
use fanfare_protocol::close::shortened;

use crate::plain::plain;

/// Most bytes read of an answer.
const MOST: u64 = 8 * 1024;

/// Longest repeated part of an answer, in bytes: a stranger at this address may send a page.
const MOST_REPEATED: usize = 500;

/// Why the health check failed.
#[derive(Debug, thiserror::Error)]
pub enum NotWell {
    /// The port is chosen by the system, so that the configuration does not name it.
    #[error("{0} is port 0, which the system chooses: name the port by --listen or --admin-listen")]
    AnyPort(&'static str),
    /// No connection, or no answer in time.
    #[error("http://{at}{path}: {reason}")]
    Silent {
        /// The address tried.
        at: SocketAddr,
        /// The path requested.
        path: &'static str,
        /// The system's error.
        reason: io::Error,
    },
    /// The server answers that it is not well, or another server answers.
    #[error("http://{at}{path} is answered {answer}")]
    Refused {
        /// The address asked.
        at: SocketAddr,
        /// The path requested.
        path: &'static str,
        /// The status line of the answer, and its body.
        answer: String,
    },
}

/// Requests `/up` of the public listener, or `/ready` of the operators' listener; returns the answer as a line.
///
/// # Errors
/// The answer is not 200, or does not come within `timeout`.
pub fn ask(listen: &ListenSection, is_for_ready: bool, timeout: Duration) -> Result<String, NotWell> {
    let operators = ("listen.admin_addr", listen.admin_addr);
    let (path, (setting, address)) = match (is_for_ready, listen.addr.port()) {
        (true, _) => ("/ready", operators),
        // A server for TLS alone may leave its plain port to the system; the operators' listener answers the same
        // request.
        (false, 0) => ("/up", operators),
        (false, _) => ("/up", ("listen.addr", listen.addr)),
    };
    if address.port() == 0 {
        return Err(NotWell::AnyPort(setting));
    }
    let deadline = Instant::now() + timeout;
    let mut places = near(address);
    let mut at = places.remove(0);
    let opening = |at: SocketAddr| if address == listen.addr { listen.opening(at.ip()) } else { "" };
    let mut answer = exchange(at, opening(at), path, deadline);
    for other in places {
        if answer.is_err() {
            (at, answer) = (other, exchange(other, opening(other), path, deadline));
        }
    }
    let answer = answer.map_err(|reason| NotWell::Silent { at, path, reason })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    let status = status.split_once(' ').map_or("by something that is no HTTP", |(_, status)| status);
    let is_ours = if is_for_ready { body.starts_with("ready") } else { body.trim() == r#"{"health":"OK"}"# };
    let told = format!("{} ({})", shortened(status, MOST_REPEATED), shortened(body.trim(), MOST_REPEATED));
    let told = plain(&told);
    if status.starts_with("200") && is_ours {
        Ok(format!("http://{at}{path} is answered {told}"))
    } else {
        Err(NotWell::Refused { at, path, answer: told })
    }
}

/// The addresses that reach a listener from this machine; "everywhere" is not an address to connect to.
fn near(listen: ListenAddress) -> Vec<SocketAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let hosts = match listen.first().ip() {
        _ if listen.second().is_some() => loopback.to_vec(),
        ip if !ip.is_unspecified() => vec![ip],
        IpAddr::V4(_) => loopback[..1].to_vec(),
        IpAddr::V6(_) => loopback.to_vec(),
    };
    hosts.into_iter().map(|host| SocketAddr::new(host, listen.port())).collect()
}

/// Sends one request behind an opening; returns the answer, cut at the bound.
fn exchange(at: SocketAddr, opening: &str, path: &str, deadline: Instant) -> io::Result<String> {
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
        } else {
            Ok(left)
        }
    };
    let mut stream = TcpStream::connect_timeout(&at, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    write!(stream, "{opening}GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    let mut stream = stream.take(MOST);
    loop {
        stream.get_ref().set_read_timeout(Some(left()?))?;
        let mut piece = [0; 1024];
        match stream.read(&mut piece) {
            Ok(0) => return Ok(String::from_utf8_lossy(&answer).into_owned()),
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(left()?),
            Err(error) => return Err(error),
        }
    }
}
