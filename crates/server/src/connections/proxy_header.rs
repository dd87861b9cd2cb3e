//! The header of the PROXY protocol, versions 1 and 2: its bytes as they come, and what they say of the client.
//!
//! Takes no byte beyond the header off the socket, and keeps no more than the longest header. Decides nothing about trust.

use std::io::{self, ErrorKind};
use std::net::IpAddr;

use ppp::{v1, v2};
use tokio::net::TcpStream;

/// The start of version 1; no HTTP method has this name.
pub(super) const V1: &[u8] = b"PROXY ";

/// The start of version 2.
pub(super) const V2: &[u8] = v2::PROTOCOL_PREFIX;

/// The longest header of version 1, by the specification.
const MOST_OF_V1: usize = 107;

/// Bytes of version 2 before those whose number the header gives.
const FIXED_OF_V2: usize = 16;

/// Most bytes behind those: addresses take 216 at most, the rest are vectors (TLV) about the connection. The specification
/// allows 65535, and advises senders to stay within one packet.
const MOST_OF_V2: usize = FIXED_OF_V2 + 4096;

/// Version 2 and the command LOCAL: the proxy's own connection, such as a health check.
const LOCAL: u8 = 0x20;

/// The type of the vector about the client's TLS, and its bit that says that the client used TLS.
const SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 1;

/// What a header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The client's address; none for the proxy's own connection, and where the proxy knows none.
    pub client: Option<IpAddr>,
    /// Whether the client spoke TLS to the proxy.
    pub over_tls: bool,
}

/// Why there is no header that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderFault {
    /// The connection begins with something else.
    #[error("the connection does not begin with one")]
    Missing,
    /// The header breaks the rules of its version.
    #[error("it breaks the rules of the protocol")]
    Malformed,
    /// The header is longer than is read.
    #[error("it is longer than {MOST_OF_V1} bytes in version 1, or {MOST_OF_V2} in version 2")]
    TooLong,
    /// The connection ended without a byte, as a health check of TCP does.
    #[error("the connection ended without a byte")]
    Silent,
    /// The connection ended before.
    #[error("the connection ended before its end")]
    Ended,
}

/// Reads a header off the socket, and no byte more.
pub(super) async fn read(tcp: &TcpStream) -> Result<Told, HeaderFault> {
    let mut header = Vec::with_capacity(MOST_OF_V1);
    // Shorter than any header.
    fill(tcp, &mut header, 1).await.map_err(|_| HeaderFault::Silent)?;
    fill(tcp, &mut header, V2.len()).await?;
    if header == V2 {
        fill(tcp, &mut header, FIXED_OF_V2).await?;
        let whole = FIXED_OF_V2 + usize::from(u16::from_be_bytes([header[14], header[15]]));
        if whole > MOST_OF_V2 {
            return Err(HeaderFault::TooLong);
        }
        fill(tcp, &mut header, whole).await?;
    } else if header.starts_with(V1) {
        while header.last() != Some(&b'\n') {
            let next = line(tcp, MOST_OF_V1 - header.len()).await?;
            let whole = header.len() + next;
            fill(tcp, &mut header, whole).await?;
        }
    } else {
        return Err(HeaderFault::Missing);
    }
    understand(&header)
}

/// Reads until `header` has `whole` bytes.
async fn fill(tcp: &TcpStream, header: &mut Vec<u8>, whole: usize) -> Result<(), HeaderFault> {
    let mut at = header.len();
    header.resize(whole.max(at), 0);
    while at < whole {
        match unless_blocked(tcp.readable().await.and_then(|()| tcp.try_read(&mut header[at..]))) {
            Ok(Some(0)) | Err(_) => return Err(HeaderFault::Ended),
            Ok(count) => at += count.unwrap_or(0),
        }
    }
    Ok(())
}

/// How many of the next bytes belong to the line, at most `most`: those to its end, or all that are there.
async fn line(tcp: &TcpStream, most: usize) -> Result<usize, HeaderFault> {
    let mut next = [0; MOST_OF_V1];
    if most == 0 {
        return Err(HeaderFault::TooLong);
    }
    match tcp.peek(&mut next[..most]).await {
        Ok(0) | Err(_) => Err(HeaderFault::Ended),
        Ok(count) => Ok(next[..count].iter().position(|byte| *byte == b'\n').map_or(count, |at| at + 1)),
    }
}

fn unless_blocked(read: io::Result<usize>) -> io::Result<Option<usize>> {
    match read {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        read => read.map(Some),
    }
}

/// What a whole header says.
pub(super) fn understand(header: &[u8]) -> Result<Told, HeaderFault> {
    let told = if header.starts_with(V2) { understand_v2(header) } else { understand_v1(header) };
    // No connection comes from such an address.
    told.filter(|told| told.client.is_none_or(|client| !client.is_unspecified()))
        .ok_or(HeaderFault::Malformed)
}

fn understand_v1(header: &[u8]) -> Option<Told> {
    let parsed = v1::Header::try_from(header).ok().filter(|parsed| parsed.header.len() == header.len())?;
    let client = match parsed.addresses {
        v1::Addresses::Tcp4(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Tcp6(addresses) => Some(IpAddr::from(addresses.source_address).to_canonical()),
        v1::Addresses::Unknown => None,
    };
    Some(Told { client, over_tls: false })
}

fn understand_v2(header: &[u8]) -> Option<Told> {
    // All that follows is to be ignored, legal or not.
    if header.get(V2.len()) == Some(&LOCAL) {
        return Some(Told::default());
    }
    let parsed = v2::Header::try_from(header).ok()?;
    if parsed.protocol == v2::Protocol::Datagram {
        return None;
    }
    let client = match parsed.addresses {
        v2::Addresses::IPv4(addresses) => Some(addresses.source_address.into()),
        v2::Addresses::IPv6(addresses) => Some(IpAddr::from(addresses.source_address).to_canonical()),
        v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
    };
    let over_tls = parsed
        .tlvs()
        .flatten()
        .any(|vector| vector.kind == SSL && vector.value.first().is_some_and(|bits| bits & CLIENT_SSL != 0));
    Some(Told { client, over_tls })
}

#[cfg(test)]
mod tests;
