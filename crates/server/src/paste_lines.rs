//! The lines that a newcomer pastes: a Laravel `.env`, pusher-js, Echo, a health check.
//!
//! Complete on purpose: `cluster`, `wsHost`, `wsPort`, `forceTLS` and `enabledTransports` are what
//! people forget, and pusher-js then talks to somebody else's servers.

use std::net::SocketAddr;

use fanfare_config::ServerUrl;
use fanfare_protocol::app::App;

use crate::laravel_lines::{LaravelDriver, LaravelLines};

/// What stands in place of a secret that is not to be shown.
const HIDDEN: &str = "(hidden: fanfare env prints it)";

/// What is said where no app is.
pub const NO_APP: &str = "There is no app yet, so that nobody can connect: `fanfare app create`, with the same --config \
                          and in the same environment, makes one while the server runs.";

/// Lines for one app, with addresses that work from this machine.
#[derive(Debug)]
pub struct PasteLines<'a> {
    /// Whose credentials.
    pub app: &'a App,
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where it listens for TLS, if it does: then the lines are for that.
    pub over_tls: Option<OverTls>,
    /// The configured path prefix.
    pub path_prefix: &'a str,
    /// Whether the secret is printed, too.
    pub show_secret: bool,
}

/// A listener for TLS.
#[derive(Clone, Debug)]
pub struct OverTls {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The name in its certificate, without which clients refuse it.
    pub host: Option<String>,
}

impl PasteLines<'_> {
    /// All of it, as text.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "\n# Laravel: .env\n{}\n# Browser: pusher-js\n{}\n# Browser: Laravel Echo (npm install laravel-echo pusher-js)\n{}\n# Is it up?\ncurl {}\n",
            self.laravel(),
            self.pusher_js(),
            self.echo(),
            self.health()
        )
    }

    fn laravel(&self) -> String {
        let (_, secret) = self.credential();
        let (php, browser) = (self.reached(), self.reached());
        let lines = LaravelLines { app: self.app, secret, php, browser, path_prefix: self.path_prefix };
        lines.dotenv(LaravelDriver::Pusher)
    }

    fn pusher_js(&self) -> String {
        format!(
            "const pusher = new Pusher('{}', {{\n{}}});\n\
             pusher.subscribe('my-channel').bind('my-event', (data) => console.log(data));\n",
            self.credential().0,
            self.options()
        )
    }

    fn echo(&self) -> String {
        format!(
            "import Echo from 'laravel-echo';\n\
             import Pusher from 'pusher-js';\n\
             window.Pusher = Pusher;\n\
             window.Echo = new Echo({{\n  broadcaster: 'pusher',\n  key: '{}',\n{}}});\n",
            self.credential().0,
            self.options()
        )
    }

    fn options(&self) -> String {
        let path = if self.path_prefix.is_empty() {
            String::new()
        } else {
            format!("  wsPath: '{}',\n", self.path_prefix)
        };
        let ServerUrl { tls, host, port } = self.reached();
        format!(
            "  cluster: 'mt1',\n  wsHost: '{host}',\n  wsPort: {port},\n  wssPort: {port},\n{path}  \
             forceTLS: {tls},\n  enabledTransports: ['ws', 'wss'],\n",
        )
    }

    fn health(&self) -> String {
        let ServerUrl { tls, host, port } = self.reached();
        format!("{}://{host}:{port}/up", if tls { "https" } else { "http" })
    }

    /// The listener that the lines are for, by the name in its certificate if it has one.
    fn reached(&self) -> ServerUrl {
        match &self.over_tls {
            Some(OverTls { listen, host }) => {
                let near = ServerUrl::near(*listen);
                ServerUrl { tls: true, host: host.clone().unwrap_or(near.host), port: near.port }
            }
            None => ServerUrl::near(self.listen),
        }
    }

    fn credential(&self) -> (&str, &str) {
        let credential = self.app.credentials.first();
        let key = credential.map_or("", |credential| credential.key.as_str());
        let secret = credential.map_or("", |credential| credential.secret.expose());
        (key, if self.show_secret { secret } else { HIDDEN })
    }
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::auth::{Credential, Secret};

    use super::*;

    fn app() -> App {
        let credential = Credential { key: "k1".into(), secret: Secret::new("s3cret") };
        App::new("7".into(), vec![credential])
    }

    #[test]
    fn the_lines_name_every_option_that_people_forget() {
        let listen = "0.0.0.0:6001".parse().expect("an address");
        let text =
            PasteLines { app: &app(), listen, over_tls: None, path_prefix: "/ws", show_secret: true }.text();
        for line in [
            "PUSHER_APP_ID=7",
            "PUSHER_APP_KEY=k1",
            "PUSHER_APP_SECRET=s3cret",
            "PUSHER_HOST=127.0.0.1",
            "PUSHER_PORT=6001",
            "PUSHER_SCHEME=http",
            "VITE_PUSHER_PORT=\"${PUSHER_PORT}\"",
            "  cluster: 'mt1',",
            "  wsHost: '127.0.0.1',",
            "  wsPort: 6001,",
            "  wsPath: '/ws',",
            "  forceTLS: false,",
            "  enabledTransports: ['ws', 'wss'],",
            "curl http://127.0.0.1:6001/up",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn with_tls_the_lines_are_for_the_name_in_the_certificate() {
        let listen = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let over_tls = |host: Option<&str>| {
            Some(OverTls { listen: listen("0.0.0.0:6443"), host: host.map(str::to_owned) })
        };
        let (app, listen) = (app(), listen("127.0.0.1:6001"));
        let lines =
            |over_tls| PasteLines { app: &app, listen, over_tls, path_prefix: "", show_secret: true }.text();
        let text = lines(over_tls(Some("ws.example.com")));
        for line in [
            "PUSHER_HOST=ws.example.com",
            "PUSHER_PORT=6443",
            "PUSHER_SCHEME=https",
            "  wsHost: 'ws.example.com',",
            "  wssPort: 6443,",
            "  forceTLS: true,",
            "curl https://ws.example.com:6443/up",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} in\n{text}");
        }
        assert!(lines(over_tls(None)).contains("curl https://127.0.0.1:6443/up"));
    }

    #[test]
    fn a_secret_that_the_operator_has_already_is_not_repeated() {
        let listen = "127.0.0.1:6001".parse().expect("an address");
        let text =
            PasteLines { app: &app(), listen, over_tls: None, path_prefix: "", show_secret: false }.text();
        assert!(
            !text.contains("s3cret") && text.contains("PUSHER_APP_SECRET=(hidden: fanfare env prints it)")
        );
    }
}
