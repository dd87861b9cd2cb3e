//! The lines for a newcomer to paste: a page with pusher-js or Echo, a back end, a Laravel `.env`, and the commands to
//! test them.
//!
//! Complete on purpose: people forget `cluster`, `wsHost`, `wsPort`, `forceTLS` and `httpHost`, and
//! pusher-js then connects to other servers. Each block can be pasted with its heading.

mod blocks;
mod invocation;
mod ways;

use std::net::SocketAddr;

use fanfare_config::ServerUrl;
use fanfare_protocol::app::App;

use crate::laravel_lines::LaravelDriver;

pub(crate) use blocks::PasteBlocks;
pub use invocation::Invocation;
pub(crate) use ways::SOME_PROXY;
pub use ways::{OverTls, PROXY, Ways};

/// The placeholder of a hidden secret.
const HIDDEN: &str = "(hidden: fanfare env prints it)";

/// Printed in place of the lines where no app exists.
pub const NO_APP: &str = "There is no app yet, so that nobody can connect: `fanfare app create`, with the same --config \
                          and in the same environment, makes one while the server runs.";

/// Options that tell `fanfare send` and `fanfare doctor` the server.
pub(crate) const OF_SERVER: [&str; 5] =
    ["--config", "--laravel", "--laravel-echo-server", "--data-dir", "--listen"];

/// Lines for one app, with addresses that work from this machine.
#[derive(Debug)]
pub struct PasteLines<'a> {
    /// The app whose credentials are printed.
    pub app: &'a App,
    /// The address that the server listens on.
    pub listen: SocketAddr,
    /// The TLS listener, if there is one: then the lines use TLS.
    pub over_tls: Option<OverTls>,
    /// The configured path prefix.
    pub path_prefix: &'a str,
    /// Whether the HTTP fallback is served.
    pub fallback: bool,
    /// Whether the secret is printed.
    pub show_secret: bool,
    /// The command line that started the program.
    pub invocation: &'a Invocation,
}

impl PasteLines<'_> {
    /// All lines, as text.
    #[must_use]
    pub fn text(&self) -> String {
        let ways = Ways::to(self.app, self.listen, self.over_tls.as_ref());
        let secret = self.app.credentials.first().map_or("", |credential| credential.secret.expose());
        let blocks_of = PasteBlocks {
            app: self.app,
            path_prefix: self.path_prefix,
            fallback: self.fallback,
            secret: if self.show_secret { secret } else { HIDDEN },
        };
        let mut blocks = vec![
            ("# Laravel's .env, for the driver pusher".to_owned(), blocks_of.laravel(&ways, LaravelDriver::Pusher)),
            (
                "# Laravel's .env, for the driver reverb, which Laravel 11 and newer install".to_owned(),
                blocks_of.laravel(&ways, LaravelDriver::Reverb),
            ),
            (
                "// Browser: pusher-js, by <script src=\"https://js.pusher.com/8.4.0/pusher.min.js\"></script>, or by\n\
                 // `npm install pusher-js` and: import Pusher from 'pusher-js';"
                    .to_owned(),
                blocks_of.pusher_js(&ways),
            ),
            (
                "// Browser: Laravel Echo (npm install laravel-echo pusher-js)".to_owned(),
                blocks_of.echo(&ways),
            ),
        ];
        // The SDK for Node has no path prefix.
        if self.path_prefix.is_empty() {
            let heading = "// Back end: Pusher's SDK for Node (npm install pusher); those for other languages take the same";
            blocks.push((heading.to_owned(), blocks_of.back_end(&ways.back_end)));
        }
        blocks.push(("# A test event, which the page above logs".to_owned(), self.test_event()));
        blocks.push(("# Is the server up?".to_owned(), format!("curl {}/up\n", url(&ways.back_end))));
        let doctor = self.invocation.command("doctor", &OF_SERVER);
        blocks.push(("# Does something not arrive?".to_owned(), format!("{doctor}\n")));
        blocks.iter().map(|(heading, body)| format!("\n{heading}\n{body}")).collect()
    }

    fn test_event(&self) -> String {
        let command = self.invocation.command("send", &OF_SERVER);
        format!("{command} my-channel my-event '{{\"hello\":\"world\"}}'\n")
    }
}

pub(crate) fn url(way: &ServerUrl) -> String {
    format!("{}://{}:{}", way.scheme(), way.host, way.port)
}

#[cfg(test)]
mod tests {
    use fanfare_protocol::auth::{Credential, Secret};

    use super::*;

    fn app() -> App {
        let credential = Credential { key: "k1".into(), secret: Secret::new("s3cret") };
        App::new("7".into(), vec![credential])
    }

    fn lines(
        app: &App,
        listen: SocketAddr,
        over_tls: Option<OverTls>,
        path_prefix: &str,
        show_secret: bool,
    ) -> String {
        let invocation = &Invocation::of(None, &fanfare_config::Sources::default());
        PasteLines { app, listen, over_tls, path_prefix, fallback: true, show_secret, invocation }.text()
    }

    #[test]
    fn the_lines_name_every_option_that_people_forget() {
        let listen = "0.0.0.0:6001".parse().expect("an address");
        let text = lines(&app(), listen, None, "/ws", true);
        for line in [
            "PUSHER_APP_ID=7",
            "PUSHER_APP_KEY=k1",
            "PUSHER_APP_SECRET=s3cret",
            "PUSHER_HOST=127.0.0.1",
            "PUSHER_PORT=6001",
            "PUSHER_SCHEME=http",
            "VITE_PUSHER_PORT=\"${PUSHER_PORT}\"",
            "BROADCAST_CONNECTION=reverb",
            "REVERB_APP_KEY=k1",
            "REVERB_PORT=6001",
            "VITE_REVERB_PORT=\"${REVERB_PORT}\"",
            "  cluster: 'mt1',",
            "  wsHost: '127.0.0.1',",
            "  wsPort: 6001,",
            "  wsPath: '/ws',",
            "  forceTLS: false,",
            "  httpHost: '127.0.0.1',",
            "  httpPort: 6001,",
            "  httpsPort: 6001,",
            "  httpPath: '/ws/pusher',",
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
        let text = lines(&app, listen, over_tls(Some("ws.example.com")), "", true);
        for line in [
            "PUSHER_HOST=ws.example.com",
            "PUSHER_PORT=6443",
            "PUSHER_SCHEME=https",
            "  wsHost: 'ws.example.com',",
            "  wssPort: 6443,",
            "  httpHost: 'ws.example.com',",
            "  httpsPort: 6443,",
            "  forceTLS: true,",
            "curl https://ws.example.com:6443/up",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} in\n{text}");
        }
        assert!(lines(&app, listen, over_tls(None), "", true).contains("curl https://127.0.0.1:6443/up"));
    }

    #[test]
    fn an_app_that_takes_tls_alone_gets_lines_for_a_proxy_where_the_server_has_no_tls() {
        let listen = "127.0.0.1:6001".parse().expect("an address");
        let text = lines(&App { force_tls: true, ..app() }, listen, None, "", true);
        for line in [
            "PUSHER_SCHEME=http",
            "VITE_PUSHER_SCHEME=https",
            "  wsHost: 'ws.example.com',",
            "  wssPort: 443,",
            "  forceTLS: true,",
            &format!("  // {PROXY}"),
            &format!("# {PROXY}"),
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} in\n{text}");
        }
        assert!(!text.contains("forceTLS: false"));
    }

    #[test]
    fn a_secret_that_the_operator_has_already_is_not_repeated() {
        let listen = "127.0.0.1:6001".parse().expect("an address");
        let text = lines(&app(), listen, None, "", false);
        assert!(
            !text.contains("s3cret") && text.contains("PUSHER_APP_SECRET=(hidden: fanfare env prints it)")
        );
    }
}
