//! Which addresses connections may reach: any, or those of the public internet alone.
//!
//! Names are checked by the addresses that they resolve to, at the moment of connecting and in the very answer
//! that is connected to, so that a name cannot change in between.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::lookups::look_up;

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reach {
    /// All addresses.
    #[default]
    Anywhere,
    /// No address of this machine, of a private network, or of any other special use.
    PublicOnly,
}

/// An address that may not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a public address, and apps.allow_private is off")]
pub struct NotPublic(pub IpAddr);

/// Why no address is left to connect to.
#[derive(Debug, thiserror::Error)]
pub enum NoAddress {
    /// The name has addresses, but none that may be connected to.
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    /// The name does not resolve.
    #[error(transparent)]
    Unknown(#[from] io::Error),
}

impl Reach {
    /// The addresses of a host that may be connected to, in the system's order.
    ///
    /// # Errors
    /// No address may be connected to, or the name does not resolve.
    pub async fn resolve(self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NoAddress> {
        let (mut allowed, mut refused) = (Vec::new(), None);
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => Arc::new([SocketAddr::new(address, port)]),
            Err(_) => look_up(host).await?,
        };
        for address in &*addresses {
            match self.allow(address.ip()) {
                Ok(()) => allowed.push(with_port(*address, port)),
                Err(fault) => refused = Some(fault),
            }
        }
        match refused {
            Some(fault) if allowed.is_empty() => Err(fault.into()),
            _ => Ok(allowed),
        }
    }

    /// Refuses a URL whose host is an address that may not be connected to; names are checked when they
    /// are resolved.
    pub(crate) fn check(self, uri: &Uri) -> Result<(), NotPublic> {
        let host = uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse().map_or(Ok(()), |address| self.allow(address))
    }

    fn allow(self, address: IpAddr) -> Result<(), NotPublic> {
        if self == Self::Anywhere || is_public(address) { Ok(()) } else { Err(NotPublic(address)) }
    }
}

const fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// The resolver for hyper.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(pub Reach);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NoAddress;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoAddress>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAddress>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0;
        // hyper puts in the port.
        Box::pin(async move { Ok(reach.resolve(name.as_str(), 0).await?.into_iter()) })
    }
}

/// Whether an address belongs to the public internet, by the registries of special-use addresses.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(within) => is_public_v4(within),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || matches!((a, b, c), (0 | 240.., ..) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // All space given out for use between networks is within 2000::/3.
    match address.segments() {
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [first, ..] => (0x2000..0x4000).contains(&first) && !(0x3ff0..).contains(&first),
    }
}

/// The IPv4 address that a gateway, or the system itself, makes of this address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => last(high, low),
        [0x2002, high, low, ..] => last(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_special_use_are_told_from_public_ones() {
        let public = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "223.255.255.1", "2606:4700::1111"];
        let public_within = ["::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1", "2001:4860::8888"];
        for address in public.iter().chain(&public_within) {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let special = [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "fec0::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "100::1",
        ];
        for address in special {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
