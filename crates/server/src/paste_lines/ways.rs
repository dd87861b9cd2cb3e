//! The addresses of a server: for back ends, and for browsers, which may need another one.

use std::net::SocketAddr;

use fanfare_config::ServerUrl;
use fanfare_protocol::app::App;

/// Printed above lines with a proxy's placeholder, as a comment.
pub const PROXY: &str = "This app takes TLS only (force_tls), and there is no [tls] here: put in the host and port of the proxy \
                     that does TLS.";

/// The placeholder of a proxy without a known name.
pub(crate) const SOME_PROXY: &str = "ws.example.com";

/// A listener for TLS.
#[derive(Clone, Debug)]
pub struct OverTls {
    /// The address that the server listens on.
    pub listen: SocketAddr,
    /// The name in its certificate; clients refuse another name.
    pub host: Option<String>,
}

impl OverTls {
    /// The listener's URL, by the name in the certificate if there is one.
    #[must_use]
    pub fn url(&self) -> ServerUrl {
        let near = ServerUrl::near(self.listen);
        ServerUrl { tls: true, host: self.host.clone().unwrap_or(near.host), port: near.port }
    }
}

/// The addresses to connect to.
#[derive(Clone, Debug)]
pub struct Ways {
    /// For back ends.
    pub back_end: ServerUrl,
    /// For browsers.
    pub browser: ServerUrl,
    /// The browsers' address is that of a proxy with an unknown name.
    pub needs_proxy: bool,
}

impl Ways {
    /// One address for all.
    #[must_use]
    pub(crate) fn through(way: ServerUrl) -> Self {
        Self { back_end: way.clone(), browser: way, needs_proxy: false }
    }

    /// The addresses of an app's server: by its TLS listener if there is one, with the name in the certificate.
    /// Browsers of an app that allows TLS alone need a proxy where there is no such listener.
    #[must_use]
    pub fn to(app: &App, listen: SocketAddr, over_tls: Option<&OverTls>) -> Self {
        let back_end = over_tls.map_or_else(|| ServerUrl::near(listen), OverTls::url);
        let needs_proxy = app.force_tls && !back_end.tls;
        let browser = if needs_proxy {
            ServerUrl { tls: true, host: SOME_PROXY.to_owned(), port: 443 }
        } else {
            back_end.clone()
        };
        Self { back_end, browser, needs_proxy }
    }
}
