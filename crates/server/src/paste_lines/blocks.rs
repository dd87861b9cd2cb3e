//! The lines for each kind of program, the same on the first run, in `fanfare env` and in the console.

use fanfare_config::ServerUrl;
use fanfare_protocol::app::App;

use super::ways::{PROXY, Ways};
use crate::laravel_lines::{LaravelDriver, LaravelLines, transports};

/// Lines for one app, by the kind of program that they are for.
pub(crate) struct PasteBlocks<'a> {
    /// The app whose credentials are printed.
    pub app: &'a App,
    /// The configured path prefix.
    pub path_prefix: &'a str,
    /// Whether the HTTP fallback is served.
    pub fallback: bool,
    /// The secret, or its placeholder.
    pub secret: &'a str,
}

impl PasteBlocks<'_> {
    /// The `.env` of a Laravel application.
    pub fn laravel(&self, ways: &Ways, driver: LaravelDriver) -> String {
        let Ways { back_end: php, browser, needs_proxy } = ways.clone();
        let lines = LaravelLines {
            app: self.app,
            secret: self.secret,
            php,
            browser,
            path_prefix: self.path_prefix,
            fallback: self.fallback,
        };
        let note = if needs_proxy { format!("# {PROXY}\n") } else { String::new() };
        note + &lines.dotenv(driver)
    }

    /// A page with pusher-js.
    pub fn pusher_js(&self, ways: &Ways) -> String {
        format!(
            "const pusher = new Pusher('{}', {{\n{}}});\n\
             pusher.subscribe('my-channel').bind('my-event', (data) => console.log(data));\n",
            self.key(),
            self.options(ways)
        )
    }

    /// A page with Laravel Echo.
    pub fn echo(&self, ways: &Ways) -> String {
        format!(
            "import Echo from 'laravel-echo';\n\
             import Pusher from 'pusher-js';\n\
             window.Pusher = Pusher;\n\
             window.Echo = new Echo({{\n  broadcaster: 'pusher',\n  key: '{}',\n{}}});\n",
            self.key(),
            self.options(ways)
        )
    }

    fn options(&self, ways: &Ways) -> String {
        let path = if self.path_prefix.is_empty() {
            String::new()
        } else {
            format!("  wsPath: '{}',\n", self.path_prefix)
        };
        let note = if ways.needs_proxy { format!("  // {PROXY}\n") } else { String::new() };
        let ServerUrl { tls, host, port } = &ways.browser;
        let (host, port) = (format!("'{host}'"), port.to_string());
        let transports = transports(self.fallback, &host, &port, self.path_prefix);
        let transports: String = transports.iter().map(|option| format!("  {option},\n")).collect();
        format!(
            "{note}  cluster: 'mt1',\n  wsHost: {host},\n  wsPort: {port},\n  wssPort: {port},\n{path}{transports}  \
             forceTLS: {tls},\n",
        )
    }

    /// A back end with the SDK for Node, which has no path prefix.
    pub fn back_end(&self, way: &ServerUrl) -> String {
        let (key, secret) = (self.key(), self.secret);
        let ServerUrl { tls, host, port } = way;
        format!(
            "const Channels = require('pusher');\n\
             const channels = new Channels({{\n  appId: '{}',\n  key: '{key}',\n  secret: '{secret}',\n  \
             host: '{host}',\n  port: '{port}',\n  useTLS: {tls},\n}});\n\
             channels.trigger('my-channel', 'my-event', {{ hello: 'world' }});\n",
            self.app.id
        )
    }

    fn key(&self) -> &str {
        self.app.credentials.first().map_or("", |credential| credential.key.as_str())
    }
}
