//! The lines that a newcomer pastes: a Laravel `.env`, pusher-js, Echo, a health check.
//!
//! Complete on purpose: `cluster`, `wsHost`, `wsPort`, `forceTLS` and `enabledTransports` are what
//! people forget, and pusher-js then talks to somebody else's servers.

use std::net::SocketAddr;

use fanfare_protocol::app::App;

use crate::laravel_lines::{Address, LaravelDriver, LaravelLines};

/// What stands in place of a secret that is not to be shown.
const HIDDEN: &str = "(hidden: fanfare env prints it)";

/// Lines for one app, with addresses that work from this machine.
#[derive(Debug)]
pub struct PasteLines<'a> {
    /// Whose credentials.
    pub app: &'a App,
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The configured path prefix.
    pub path_prefix: &'a str,
    /// Whether the secret is printed, too.
    pub show_secret: bool,
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
        let near = Address::near(self.listen);
        let (php, browser) = (near.clone(), near);
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
        format!(
            "  cluster: 'mt1',\n  wsHost: '{host}',\n  wsPort: {port},\n  wssPort: {port},\n{path}  \
             forceTLS: false,\n  enabledTransports: ['ws', 'wss'],\n",
            host = self.host(),
            port = self.listen.port(),
        )
    }

    fn health(&self) -> String {
        format!("http://{}:{}/up", self.host(), self.listen.port())
    }

    fn host(&self) -> String {
        Address::near(self.listen).host
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
        let text = PasteLines { app: &app(), listen, path_prefix: "/ws", show_secret: true }.text();
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
    fn a_secret_that_the_operator_has_already_is_not_repeated() {
        let listen = "127.0.0.1:6001".parse().expect("an address");
        let text = PasteLines { app: &app(), listen, path_prefix: "", show_secret: false }.text();
        assert!(
            !text.contains("s3cret") && text.contains("PUSHER_APP_SECRET=(hidden: fanfare env prints it)")
        );
    }
}
