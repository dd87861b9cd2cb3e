//! `fanfare env --laravel-echo-server`: what a server in the place of a laravel-echo-server needs of the application and its
//! pages.
//!
//! Mostly nothing, and that is said in so many words.

use std::fmt::Write as _;

use fanfare_config::{Config, LaravelEchoServer, ServerUrl};

use crate::paste_lines::{Invocation, OF_SERVER, url};

/// The lines for the pages and the application of a laravel-echo-server.
pub struct SocketIoLines<'a> {
    /// The server's configuration.
    pub config: &'a Config,
    /// What was taken from the laravel-echo-server.
    pub former: &'a LaravelEchoServer,
    /// Where clients connect.
    pub browser: ServerUrl,
    /// The command line that started the program.
    pub invocation: &'a Invocation,
}

impl SocketIoLines<'_> {
    /// All lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "\n# In place of the server of {}\n# Laravel's .env: nothing changes. {}\n# Pages: nothing changes, as long as the \
             host and the port that they connect to stay; else:\n",
            self.former.file.display(),
            self.broadcaster()
        );
        // Writing to a String cannot fail.
        let _ = write!(text, "\n// Browser: Laravel Echo with socket.io-client 2, 3 or 4\n{}", self.echo());
        let _ = write!(text, "\n# Is the server up?\ncurl {}/up\n", url(&self.browser));
        let doctor = self.invocation.command("doctor", &OF_SERVER);
        let _ = write!(text, "\n# Does something not arrive?\n{doctor}\n");
        text
    }

    /// How the application broadcasts.
    fn broadcaster(&self) -> String {
        let feed = &self.config.redis_feed;
        let Some(address) = &feed.address else {
            return "It broadcasts over the HTTP API, with the key of a client: no Redis is read.".to_owned();
        };
        let prefix = match feed.prefix.as_deref().unwrap_or_default() {
            "" => "no prefix".to_owned(),
            prefix => format!("the prefix {prefix:?}"),
        };
        format!(
            "It has BROADCAST_CONNECTION=redis (BROADCAST_DRIVER up to Laravel 10),\n# with the Redis {address} and \
             {prefix} (database.redis.options.prefix)."
        )
    }

    fn echo(&self) -> String {
        let ServerUrl { tls, port, .. } = &self.browser;
        let host = match tls {
            true => format!("'https://' + window.location.hostname + ':{port}'"),
            false => format!("window.location.hostname + ':{port}'"),
        };
        let path = match &*self.config.listen.path_prefix {
            "" => String::new(),
            prefix => format!("    path: '{prefix}/socket.io',\n"),
        };
        format!("window.Echo = new Echo({{\n    broadcaster: 'socket.io',\n    host: {host},\n{path}}});\n")
    }
}
