//! The first hop: resolves a name to addresses, and connects to one.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::base_url::BaseUrl;
use super::bounds::PATIENCE;
use super::hop::{Complaint, complain};
use super::wording::Wording;

/// A byte stream in both directions.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Io for S {}

/// A connection, and its address.
pub(super) async fn connect(place: &BaseUrl, wording: Wording) -> Result<(String, TcpStream), Complaint> {
    let BaseUrl { host, port, .. } = place;
    let unknown = || {
        complain(
            format!("the name {host} does not resolve"),
            "See whether it is spelled right and has a DNS record (dig NAME). The name of a Docker service \
             resolves in its network only: browsers need another.",
        )
    };
    let addresses = match timeout(PATIENCE, lookup_host((host.trim_matches(['[', ']']), *port))).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(_)) => return unknown(),
        Err(_) => return complain(format!("the name server does not answer for {host}"), "See to the DNS."),
    };
    let mut last = None;
    for address in addresses {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(mut stream)) => {
                // The next read or write reports a broken connection.
                let _ = stream.write_all(place.opening.as_bytes()).await;
                return Ok((format!("{address} accepts connections"), stream));
            }
            Ok(Err(error)) => last = Some((address, error)),
            Err(_) => last = Some((address, io::Error::from(ErrorKind::TimedOut))),
        }
    }
    let Some((address, error)) = last else { return unknown() };
    if error.kind() == ErrorKind::ConnectionRefused {
        let mend = if address.ip().is_loopback() {
            wording.nothing_here().to_owned()
        } else {
            format!(
                "Start the server or proxy. If it runs, it listens on another port, or on 127.0.0.1 alone, where \
                 other machines and containers do not get: fanfare serve --listen 0.0.0.0:{port}"
            )
        };
        return complain(format!("{address} refuses connections: nothing listens there"), mend);
    }
    complain(
        format!("{address} does not answer ({error})"),
        format!(
            "See whether a firewall or security group lets port {port} through, and whether the address is right."
        ),
    )
}
