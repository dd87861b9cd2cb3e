//! Output of a ready server: a log line for programs, the ready line and lines to paste for people.

use std::io::{self, Write as _};

use fanfare_config::LaravelEchoServer;

use super::Server;
use crate::command_line::VERSION;
use crate::console::PLACE;
use crate::console_command::reached_by;
use crate::descriptors::Division;
use crate::first_app::ShownApp;
use crate::paste_lines::{Invocation, NO_APP, PasteLines};

impl Server {
    /// Logs the parts that run, their addresses and limits, and the absence of apps.
    pub(super) fn log_ready(&self) {
        let Server { state, listening, over_tls, admin_listening, .. } = self;
        let config = state.node.config();
        tracing::info!(
            target: "fanfare",
            version = VERSION,
            listen = %listening,
            tls = over_tls.as_ref().map(|tls| tracing::field::display(tls.listen)),
            unix = (!config.listen.unix_path.as_os_str().is_empty()).then(|| config.listen.unix_path.display().to_string()),
            admin = %admin_listening,
            console = self.has_console().then(|| format!("http://{}{PLACE}", reached_by(*admin_listening))),
            database = config.database().map(|database| database.place()),
            configured_apps = config.fixed_apps().len(),
            "ready"
        );
        log_limits(&self.division);
        for warning in &config.warnings {
            tracing::warn!(target: "fanfare", "{warning}");
        }
        if self.has_no_app {
            tracing::warn!(target: "fanfare", "{NO_APP}");
        }
    }

    /// What the server does, as `systemctl status` shows it.
    pub(super) fn serving(&self) -> String {
        let Server { listening, over_tls, admin_listening: admin, .. } = self;
        let tls = over_tls.as_ref().map_or_else(String::new, |tls| format!(" and https://{}", tls.listen));
        format!("Serving http://{listening}{tls}; operators at http://{admin}")
    }

    /// Prints the ready line, and lines to paste (the contract of the first line is in docs/configuration.md).
    pub(super) fn print_ready(&self, invocation: Invocation) {
        let Server { state, listening, over_tls, admin_listening: admin, first, .. } = self;
        let tls = over_tls.as_ref().map_or_else(String::new, |tls| format!(", https://{}", tls.listen));
        let mut text = format!("Fanfare is ready: http://{listening}{tls} (admin http://{admin})\n");
        let config = state.node.config();
        if config.console.enabled {
            text.push_str(&self.console(&invocation));
        }
        text.push_str(&format!("Metrics: http://{}/metrics, for Prometheus\n", reached_by(*admin)));
        if let Some(laravel) = &config.laravel {
            text.push_str(&laravel.text());
        }
        let former = config.laravel_echo_server.as_ref();
        text.push_str(&former.map_or_else(String::new, LaravelEchoServer::text));
        text.push_str(&self.socket_io());
        match first {
            // Its pages have all that they need.
            Some(_) if former.is_some_and(|former| former.makes_app) => {}
            Some(ShownApp { app, embedded, new }) => {
                // Standard output often ends in a log: a secret is printed when new, or to a terminal.
                let show_secret = *embedded && (*new || rustix::termios::isatty(io::stdout()));
                let fanfare_config::ListenSection { path_prefix, fallback, .. } = &config.listen;
                // The configuration does not hold a port that the system has chosen.
                let is_chosen = state.node.config().listen.addr.port() == 0;
                let invocation = &invocation.with("--listen", is_chosen.then(|| listening.to_string()));
                let (listen, over_tls) = (*listening, over_tls.clone());
                let lines = PasteLines {
                    app,
                    listen,
                    over_tls,
                    path_prefix,
                    fallback: *fallback,
                    show_secret,
                    invocation,
                };
                text.push_str(&lines.text());
                if !show_secret {
                    text.push_str(
                        "\n(`fanfare env` with the same options prints these lines with the secret.)\n",
                    );
                }
            }
            None if self.has_no_app => {
                text.push('\n');
                text.push_str(NO_APP);
                text.push('\n');
            }
            None => {}
        }
        if listening.ip().is_loopback() && over_tls.as_ref().is_none_or(|tls| tls.listen.ip().is_loopback()) {
            let port = listening.port();
            text.push_str(&format!(
                "\nOnly this machine can connect; `--listen 0.0.0.0:{port}` lets others in.\n"
            ));
        }
        let mut out = io::stdout().lock();
        // A closed standard output does not stop the server.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

impl Server {
    /// Whether anybody can log in to the console.
    fn has_console(&self) -> bool {
        self.state.node.config().console.enabled && self.state.node.apps.has_database()
    }

    /// Where the console is, and the command that opens it (CON-006).
    fn console(&self, invocation: &Invocation) -> String {
        let Server { state, admin_listening, .. } = self;
        if !self.has_console() {
            return "Console: off without a database for its logins: set apps.database (FANFARE__APPS__DATABASE), \
                    such as to sqlite\n"
                .to_owned();
        }
        let base = format!("http://{}", reached_by(*admin_listening));
        // The command reads the configuration, not the server's command line.
        let is_elsewhere =
            invocation.has("--admin-listen") || state.node.config().listen.admin_addr.port() == 0;
        let invocation = invocation.clone().with("--url", is_elsewhere.then(|| base.clone()));
        let command = invocation.command("console", &["--config", "--data-dir", "--url"]);
        format!("Console: {base}{PLACE} (`{command}` prints a link that logs in)\n")
    }

    /// Where Socket.IO is spoken, and what that opens (SIO-081).
    fn socket_io(&self) -> String {
        let Server { state, listening, over_tls, .. } = self;
        let config = state.node.config();
        let Some(app) = config.socketio.app.as_ref().filter(|_| config.socketio.enabled) else {
            return String::new();
        };
        let tls = over_tls.as_ref().map(|tls| tls.listen);
        let (scheme, address) = tls.map_or(("http", *listening), |address| ("https", address));
        let prefix = &config.listen.path_prefix;
        format!(
            "\nSocket.IO: {scheme}://{address}{prefix}/socket.io/ is the app {app}; anyone who reaches that address may listen \
             to its public channels without a key.\n"
        )
    }
}

fn log_limits(division: &Division) {
    let Division { limit, websockets, http, .. } = *division;
    tracing::info!(
        target: "fanfare",
        file_descriptors = limit,
        connections = websockets,
        http_connections = http,
        "limits"
    );
    if division.needed() > limit {
        tracing::warn!(
            target: "fanfare",
            "limits.connections is {websockets} and limits.http_connections {http}, but only {limit} file \
             descriptors are allowed: raise the hard limit (LimitNOFILE= with systemd, --ulimit nofile= with Docker)"
        );
    }
}
