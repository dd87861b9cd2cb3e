//! What strangers are counted by: their address, or of IPv6 their network.

use std::net::{IpAddr, Ipv6Addr};

/// What an address is counted with. A client that has one address of IPv6 has at least the 64 bits below it.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}
