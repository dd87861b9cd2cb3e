//! The host check of the operators' listener: addresses and known names are allowed.
//!
//! A stranger's page can point its own name at this machine, so that a browser lets the page read the answers
//! (DNS rebinding). The browser then sends that name in `Host`. An address cannot be pointed elsewhere, so
//! every address is allowed: orchestrators use the addresses of their containers.

use std::net::IpAddr;

use hyper::Request;
use hyper::header::HOST;

use super::problem::Problem;
use crate::http::host;

/// What load balancers and orchestrators ask, some with an empty `Host`.
const PROBES: [&str; 4] = ["/up", "/live", "/ready", "/metrics"];

/// Allows a request whose `Host` is an address, `localhost`, or one of these names; a request without the header, as HTTP/1.0 allows, which
/// no browser sends; and a probe with an empty one.
///
/// # Errors
/// The header is faulty, or names another host.
pub(super) fn check<B>(request: &Request<B>, names: &[&[String]]) -> Result<(), Problem> {
    let host = host::of(request).map_err(|_| Problem::FaultyHost)?;
    let is_probe = PROBES.contains(&request.uri().path());
    let is_unnamed = host.is_empty() && (is_probe || !request.headers().contains_key(HOST));
    if is_unnamed || is_ours(host, names) { Ok(()) } else { Err(Problem::ForeignHost(host.to_owned())) }
}

fn is_ours(host: &str, names: &[&[String]]) -> bool {
    let name = without_port(host);
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let name = name.strip_suffix('.').unwrap_or(name);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().flat_map(|names| names.iter()).any(|known| known.eq_ignore_ascii_case(name))
}

/// A host without its port.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_known_names_are_ours_whatever_the_port() {
        let names = ["fanfare.internal".to_owned()];
        for host in [
            "127.0.0.1:9600",
            "127.0.0.1",
            "10.1.2.3:9600",
            "[::1]:9600",
            "[::1]",
            "[fd00::7]:1",
            "localhost",
            "LocalHost:9600",
            "localhost.:9600",
            "fanfare.internal",
            "Fanfare.Internal:9600",
        ] {
            assert!(is_ours(host, &[&names]), "{host}");
        }
        for host in [
            "evil.test",
            "evil.test:9600",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "evil.test.fanfare.internal",
            "internal",
            "127.0.0.1:x",
            "[::1",
            "",
            ":9600",
        ] {
            assert!(!is_ours(host, &[&names]), "{host}");
        }
    }
}
