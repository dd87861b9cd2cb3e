//! Proxies' headers about the client: its address, and whether the client uses TLS.
//!
//! Believes only trusted proxies (`listen.trusted_proxies`, and every peer over a Unix-domain socket): anybody can write a header. A proxy that writes one
//! header lets a client's other headers pass, so that the most common header is read first.

mod element;

use std::net::{IpAddr, SocketAddr};

use fanfare_node::addresses::WITHOUT_ADDRESS;
use hyper::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;

use self::element::{Element, elements};
use crate::state::State;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const SSL: HeaderName = HeaderName::from_static("x-forwarded-ssl");

/// The client's address: the last in `X-Forwarded-For`, or else in `Forwarded`, that is not a trusted proxy's, if
/// the connection comes from a trusted proxy; else the connection's own.
#[must_use]
pub fn client_address(state: &State, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    behind(&state.node.config().listen.trusted_proxies, headers, peer)
}

fn behind(trusted: &[IpNet], headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let mut nearest = peer.to_canonical();
    if !is_trusted_peer(trusted, nearest) {
        // Nearly every connection: no header is looked for.
        return nearest;
    }
    let lists = texts(headers, FOR);
    if lists.is_empty() {
        return way_back(trusted, headers, nearest).0;
    }
    for hop in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        if !is_trusted_peer(trusted, nearest) {
            break;
        }
        // Entries beyond one that is no address come from nobody trusted.
        let Some(address) = address(hop.trim()) else { break };
        nearest = address;
    }
    nearest
}

/// Whether the client used TLS, according to a trusted proxy (WS-063): by `X-Forwarded-Proto`, or else by
/// `Forwarded`, or else by `X-Forwarded-Ssl`.
pub(crate) fn came_over_tls(state: &State, headers: &HeaderMap, peer: IpAddr) -> bool {
    over_tls(&state.node.config().listen.trusted_proxies, headers, peer)
}

fn over_tls(trusted: &[IpNet], headers: &HeaderMap, peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    if !is_trusted_peer(trusted, peer) {
        return false;
    }
    let is_secure = |scheme: &str| {
        let scheme = scheme.trim();
        scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
    };
    let first = |name: HeaderName| headers.get(name)?.to_str().ok()?.split(',').next();
    if let Some(scheme) = first(PROTO) {
        return is_secure(scheme);
    }
    match way_back(trusted, headers, peer).1 {
        Some(scheme) => is_secure(scheme),
        None => first(SSL).is_some_and(|switch| switch.trim().eq_ignore_ascii_case("on")),
    }
}

/// Follows `Forwarded` back from proxy to proxy as long as they are trusted: the address of the client, and the
/// scheme of the request to the farthest trusted proxy.
fn way_back<'a>(trusted: &[IpNet], headers: &'a HeaderMap, peer: IpAddr) -> (IpAddr, Option<&'a str>) {
    let all: Vec<Element<'a>> = texts(headers, FORWARDED).into_iter().flat_map(elements).collect();
    let (mut nearest, mut scheme) = (peer, None);
    for element in all.iter().rev() {
        if !is_trusted_peer(trusted, nearest) {
            break;
        }
        scheme = element.proto.or(scheme);
        let Some(address) = element.from.and_then(address) else { break };
        nearest = address;
    }
    (nearest, scheme)
}

/// The values of a header; a value that is no text is empty.
fn texts(headers: &HeaderMap, name: HeaderName) -> Vec<&str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect()
}

/// Whether a connection from this address is a trusted proxy's.
pub(crate) fn is_proxy(state: &State, peer: IpAddr) -> bool {
    is_trusted_peer(&state.node.config().listen.trusted_proxies, peer)
}

/// Who reaches a Unix-domain socket was let in by the permissions of its file.
fn is_trusted_peer(trusted: &[IpNet], address: IpAddr) -> bool {
    address == WITHOUT_ADDRESS || trusted.iter().any(|net| net.contains(&address))
}

/// An address in the proxies' notation, some with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    // No client has the unspecified address, which stands for a peer that is trusted.
    address.map(|address| address.to_canonical()).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn trusted() -> [IpNet; 2] {
        ["10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("a network"))
    }

    fn map(headers: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |text| HeaderValue::from_str(text).expect("a header");
        let mut map = HeaderMap::new();
        for (name, text) in headers {
            map.append(name, value(text));
        }
        map
    }

    /// The client's address for a connection from `peer` with these headers.
    fn client_of(peer: &str, headers: &[(HeaderName, &str)]) -> String {
        behind(&trusted(), &map(headers), peer.parse().expect("an address")).to_string()
    }

    fn client(peer: &str, headers: &[&str]) -> String {
        client_of(peer, &headers.iter().map(|text| (FOR, *text)).collect::<Vec<_>>())
    }

    /// Whether a connection of a trusted proxy with these headers counts as one over TLS.
    fn is_over_tls(headers: &[(HeaderName, &str)]) -> bool {
        over_tls(&trusted(), &map(headers), "10.0.0.1".parse().expect("an address"))
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
    fn a_peer_without_an_address_is_trusted_and_nobody_can_claim_to_be_one() {
        assert_eq!(client("0.0.0.0", &["198.51.100.7, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("0.0.0.0", &[]), "0.0.0.0");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 0.0.0.0"]), "10.0.0.1");
        assert_eq!(client("192.0.2.1", &["0.0.0.0"]), "192.0.2.1");
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

    #[test]
    fn forwarded_names_the_client_as_x_forwarded_for_does() {
        for (headers, expected) in [
            (&["for=203.0.113.9"][..], "203.0.113.9"),
            (&["for=198.51.100.7, for=203.0.113.9;proto=https, for=10.0.0.2"], "203.0.113.9"),
            (&["for=198.51.100.7", "For=\"203.0.113.9:4711\"", "for=10.0.0.2"], "203.0.113.9"),
            (&["for=\"[2001:db8::7]:4711\""], "2001:db8::7"),
            (&["for=\"[2001:db8::7]\";by=10.0.0.1"], "2001:db8::7"),
            (&["for=203.0.113.9, for=unknown, for=10.0.0.2"], "10.0.0.2"),
            (&["for=203.0.113.9, proto=https"], "10.0.0.1"),
            (&[""], "10.0.0.1"),
        ] {
            let headers: Vec<_> = headers.iter().map(|text| (FORWARDED, *text)).collect();
            assert_eq!(client_of("10.0.0.1", &headers), expected, "{headers:?}");
            assert_eq!(client_of("192.0.2.1", &headers), "192.0.2.1", "nobody trusts it");
        }
    }

    #[test]
    fn what_a_client_writes_beside_the_header_of_its_proxy_is_not_believed() {
        let both = [(FORWARDED, "for=198.51.100.7"), (FOR, "203.0.113.9")];
        assert_eq!(client_of("10.0.0.1", &both), "203.0.113.9");
        assert!(!is_over_tls(&[(PROTO, "http"), (FORWARDED, "proto=https"), (SSL, "on")]));
        assert!(!is_over_tls(&[(FORWARDED, "for=203.0.113.9;proto=http"), (SSL, "on")]));
    }

    #[test]
    fn the_client_is_over_tls_if_one_of_three_headers_says_so() {
        for (name, text) in [
            (PROTO, "https"),
            (PROTO, "wss, http"),
            (FORWARDED, "proto=https"),
            (FORWARDED, "for=203.0.113.9;Proto=\"HTTPS\""),
            (FORWARDED, "for=203.0.113.9;proto=wss, for=10.0.0.2;proto=http"),
            (SSL, "on"),
            (SSL, "On"),
        ] {
            assert!(is_over_tls(&[(name.clone(), text)]), "{name} {text}");
            let stranger = "192.0.2.1".parse().expect("an address");
            assert!(!over_tls(&trusted(), &map(&[(name, text)]), stranger), "nobody trusts it");
        }
        for (name, text) in [
            (PROTO, "http"),
            (FORWARDED, "proto=http"),
            (FORWARDED, "for=203.0.113.9"),
            (FORWARDED, "for=198.51.100.7;proto=https, for=203.0.113.9;proto=http"),
            (SSL, "off"),
        ] {
            assert!(!is_over_tls(&[(name.clone(), text)]), "{name} {text}");
        }
        assert!(!is_over_tls(&[]));
    }
}
