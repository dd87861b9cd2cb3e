//! How a server is reached: by back ends, and by browsers, which may have to take another way.

use std::net::SocketAddr;

use fanfare_config::ServerUrl;
use fanfare_protocol::app::App;

/// What stands in place of a proxy that nobody has named.
const SOME_PROXY: &str = "ws.example.com";

/// A listener for TLS.
#[derive(Clone, Debug)]
pub struct OverTls {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The name in its certificate, without which clients refuse it.
    pub host: Option<String>,
}

/// Where to connect to.
#[derive(Clone, Debug)]
pub struct Ways {
    /// For back ends.
    pub back_end: ServerUrl,
    /// For browsers.
    pub browser: ServerUrl,
    /// The browsers' way is that of a proxy whose name nobody has said.
    pub needs_proxy: bool,
}

impl Ways {
    /// The ways to an app's server: by its listener for TLS if there is one, by the name in the certificate. Browsers
    /// of an app that takes TLS alone need a proxy where there is none.
    #[must_use]
    pub fn to(app: &App, listen: SocketAddr, over_tls: Option<&OverTls>) -> Self {
        let back_end = match over_tls {
            Some(OverTls { listen, host }) => {
                let near = ServerUrl::near(*listen);
                ServerUrl { tls: true, host: host.clone().unwrap_or(near.host), port: near.port }
            }
            None => ServerUrl::near(listen),
        };
        let needs_proxy = app.force_tls && !back_end.tls;
        let browser = if needs_proxy {
            ServerUrl { tls: true, host: SOME_PROXY.to_owned(), port: 443 }
        } else {
            back_end.clone()
        };
        Self { back_end, browser, needs_proxy }
    }
}
