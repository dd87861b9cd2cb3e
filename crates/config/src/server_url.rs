//! The URL of a server: scheme, host and port.
//!
//! Contains no path; callers keep a path beside the URL.

use std::net::{IpAddr, SocketAddr};

use http::Uri;

/// The URL of a server, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// `https` and `wss`.
    pub tls: bool,
    /// A name or an address; an IPv6 address stands in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl ServerUrl {
    /// A listener's address that this machine can connect to; the unspecified address becomes loopback.
    #[must_use]
    pub fn near(listen: SocketAddr) -> Self {
        let host = match listen.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self { tls: false, host, port: listen.port() }
    }

    /// Reads `https://host`, with a port or without; `wss` and `ws` mean the same as `https` and `http`.
    ///
    /// # Errors
    /// The expected form, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            "must be a URL such as https://ws.example.com or http://10.0.0.5:6001, without a path".to_owned()
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        Self::of(&uri).filter(|_| is_bare).ok_or_else(wrong)
    }

    /// The server of a URL with any path; `None` for a scheme other than of HTTP and WebSockets.
    #[must_use]
    pub fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?.to_owned();
        Some(Self { tls, host, port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }) })
    }

    /// The address, where the host is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// `https` or `http`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}
