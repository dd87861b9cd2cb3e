//! What proxies say of the clients behind them: who they are, and whether they came over TLS.
//!
//! Believes only those that the operator trusts (`listen.trusted_proxies`): anybody can write a header.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::state::State;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The client's address: the last in `X-Forwarded-For` that is not a trusted proxy's, if the connection comes
/// from such a proxy; else the connection's own.
#[must_use]
pub fn client_address(state: &State, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    behind(&state.config.listen.trusted_proxies, headers, peer)
}

fn behind(trusted: &[IpNet], headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let mut nearest = peer.to_canonical();
    let lists: Vec<&str> =
        headers.get_all(FOR).iter().map(|list| list.to_str().unwrap_or_default()).collect();
    for hop in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        if !is_trusted(trusted, nearest) {
            break;
        }
        // What lies behind something that is no address was written by nobody who can be believed.
        let Some(address) = address(hop.trim()) else { break };
        nearest = address;
    }
    nearest
}

/// Whether the client itself used TLS, as a trusted proxy says (WS-063).
pub(super) fn came_over_tls(state: &State, headers: &HeaderMap, peer: IpAddr) -> bool {
    let scheme = headers.get(PROTO).and_then(|value| value.to_str().ok());
    is_trusted(&state.config.listen.trusted_proxies, peer.to_canonical())
        && scheme.and_then(|list| list.split(',').next()).is_some_and(|first| {
            let first = first.trim();
            first.eq_ignore_ascii_case("https") || first.eq_ignore_ascii_case("wss")
        })
}

fn is_trusted(trusted: &[IpNet], address: IpAddr) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// An address as proxies write it, some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    /// The client's address, when a connection from `peer` has these headers.
    fn client(peer: &str, headers: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("a network"));
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(FOR, HeaderValue::from_str(header).expect("a header"));
        }
        behind(&trusted, &map, peer.parse().expect("an address")).to_string()
    }

    #[test]
    fn a_client_that_nobody_trusts_cannot_say_who_it_is() {
        assert_eq!(client("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxys_is_the_clients() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.7", "203.0.113.9", "10.0.0.2"]), "203.0.113.9");
    }

    #[test]
    fn where_all_are_trusted_the_farthest_is_the_client() {
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn nothing_behind_what_is_no_address_is_believed() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &["203.0.113.9,"]), "10.0.0.1");
    }

    #[test]
    fn addresses_may_have_ports_and_come_in_both_families() {
        assert_eq!(client("::1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("::1", &["[2001:db8::7]:4711"]), "2001:db8::7");
        assert_eq!(client("::1", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:203.0.113.9"]), "203.0.113.9");
    }
}
