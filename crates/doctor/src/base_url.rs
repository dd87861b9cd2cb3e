//! The URL of a server, with the path prefix.
//!
//! Sends no request.

use std::net::SocketAddr;

use fanfare_config::{ListenSection, ServerUrl};
use fanfare_laravel::dotenv::Project;
use hyper::Uri;

/// A server, and the prefix of its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Empty, or begins with a slash and ends without one.
    pub(super) prefix: String,
    /// What connections begin with, before TLS and the first request; usually nothing.
    pub(super) opening: &'static str,
}

impl BaseUrl {
    /// Reads `ws://host:port/prefix`, or the same with `wss`, `http`, `https`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let ServerUrl { tls, host, port } = ServerUrl::of(&uri)?;
        // A pasted URL may include the path that pusher-js or the SDK appends to the prefix.
        let path = uri.path().split("/app/").next().unwrap_or_default();
        Some(Self { tls, host, port, prefix: path.trim_end_matches('/').to_owned(), opening: "" })
    }

    /// From the variables `REVERB_…` or `PUSHER_…`, or their copies for browsers.
    pub(super) fn of(project: &Project, family: &str, prefix: &str) -> Option<Self> {
        let target = project.application.target(family)?;
        let tls = target.scheme != "http";
        Some(Self {
            tls,
            host: target.host.value,
            port: target.port.0,
            prefix: prefix.to_owned(),
            opening: "",
        })
    }

    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The URL with the scheme `http` or `ws`, or the same scheme with TLS.
    pub(super) fn url(&self, scheme: &str) -> String {
        let tls = if self.tls { "s" } else { "" };
        format!("{scheme}{tls}://{}{}", self.authority(), self.prefix)
    }

    /// The path that a client with this key connects to.
    pub(super) fn path_of(&self, key: &str) -> String {
        format!("{}/app/{key}", self.prefix)
    }

    pub(super) fn prefix_shown(&self) -> &str {
        if self.prefix.is_empty() { "/" } else { &self.prefix }
    }

    /// This machine's own listener, as a connection of the machine itself reaches it.
    pub(super) fn own(listen: &ListenSection, listening: SocketAddr) -> Self {
        let address = ServerUrl::near(listening);
        let opening = address.ip().map_or("", |ip| listen.opening(ip));
        let ServerUrl { tls, host, port } = address;
        Self { tls, host, port, prefix: listen.path_prefix.clone(), opening }
    }

    /// Whether the server is on this machine.
    pub(super) fn is_near(&self) -> bool {
        let ip = self.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        self.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }
}
