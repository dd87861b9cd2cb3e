//! The unit by which strangers are counted: their address, or their IPv6 network.

use std::net::{IpAddr, Ipv6Addr};

/// The network that an address counts in. A client with one IPv6 address has at least the 64 bits below.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}
