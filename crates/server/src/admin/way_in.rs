//! How a request has reached the operators' listener: directly by a host, or through a proxy.
//!
//! A hint for the lines that are shown to who asks; must never decide what a request may do.

use std::net::IpAddr;

use hyper::header::{FORWARDED, HOST, HeaderMap, HeaderName};

use super::host;
use super::routes::{Action, Found};

/// What proxies add.
const OF_PROXIES: [HeaderName; 4] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// What browsers send over TLS and to loopback alone.
const OVER_TLS: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How a request has reached the operators' listener.
#[derive(Debug)]
pub(super) enum WayIn {
    /// By loopback, or by nothing that is a name for other machines.
    Near,
    /// By this host, directly.
    By(String),
    /// Through a proxy, whose name is for operators.
    Proxied,
}

impl WayIn {
    /// How a request with these headers came, if its answer depends on that.
    pub fn of(found: &Found, headers: &HeaderMap) -> Self {
        if found.action == Action::Connect { Self::by(headers) } else { Self::Near }
    }

    /// How a request with these headers came. Who adds a proxy's header deceives nobody else.
    fn by(headers: &HeaderMap) -> Self {
        let host = named_host(headers);
        // The operators' listener has no TLS: a proxy in front has.
        let is_over_tls = host.is_some() && headers.contains_key(OVER_TLS);
        if is_over_tls || OF_PROXIES.iter().any(|name| headers.contains_key(name)) {
            return Self::Proxied;
        }
        host.map_or(Self::Near, Self::By)
    }
}

/// The host that a request names, if other machines can reach the server by it.
fn named_host(headers: &HeaderMap) -> Option<String> {
    let host = host::without_port(headers.get(HOST)?.to_str().ok()?);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback() || address.is_unspecified(),
        Err(_) => host.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
    };
    (!is_loopback && !host.is_empty() && is_host(host)).then(|| host.to_owned())
}

/// Whether the text can be nothing but a host: lines with the text are pasted into programs.
pub(super) fn is_host(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b))
}
