//! `fanfare env` and `fanfare laravel env`: lines to paste, without a running server.

use fanfare_config::certificate;
use fanfare_config::{Config, LaravelEchoServer, TlsSection};

use crate::app_commands::{Done, open_apps};
use crate::command_line::LaravelEnv;
use crate::first_app::ShownApp;
use crate::laravel_lines::LaravelLines;
use crate::paste_lines::{Invocation, NO_APP, OverTls, PROXY, PasteLines, Ways};
use crate::socket_io_lines::SocketIoLines;
use crate::start::StartError;

/// Printed between the lines for pages with Socket.IO and those for all others.
const BESIDE: &str =
    "\n# For pages and back ends that move to Pusher's protocol, one by one, of the same app:\n";

/// The lines of `fanfare env`; `creates` says whether the embedded database is made where there is none.
///
/// # Errors
/// The apps' database could not be opened.
pub async fn env(config: &Config, invocation: &Invocation, creates: bool) -> Result<Done, StartError> {
    let apps = open_apps(config, creates).await?;
    let Some(first) = ShownApp::find(config, &apps).await? else {
        return Ok(Done::looked(format!("{NO_APP}\n")));
    };
    let mut text = String::new();
    if let Some(former) = &config.laravel_echo_server {
        let browser = Ways::to(&first.app, config.listen.addr.first(), over_tls(config).as_ref()).browser;
        text.push_str(&SocketIoLines { config, former, browser, invocation }.text());
        text.push_str(BESIDE);
        if former.has_random_secret {
            text.push_str(&format!("# none, because {}\n", LaravelEchoServer::RANDOM_SECRET));
            return Ok(Done::looked(text));
        }
    }
    let lines = PasteLines {
        app: &first.app,
        listen: config.listen.addr.first(),
        over_tls: over_tls(config),
        path_prefix: &config.listen.path_prefix,
        fallback: config.listen.fallback,
        show_secret: true,
        invocation,
    };
    text.push_str(&lines.text());
    Ok(if first.new { Done::wrote(text, config) } else { Done::looked(text) })
}

/// The lines of `fanfare laravel env`.
///
/// # Errors
/// The apps' database could not be opened, or there is no such app.
pub async fn laravel_env(config: &Config, asked: LaravelEnv) -> Result<Done, StartError> {
    let apps = open_apps(config, asked.lines.create_database).await?;
    let (app, is_new) = match &asked.app {
        Some(id) => (apps.by_id(id).await?, false),
        None => match ShownApp::find(config, &apps).await? {
            Some(first) => (Some(first.app), first.new),
            None => (None, false),
        },
    };
    let app = app.ok_or(StartError::NoApp)?;
    if config.laravel_echo_server.as_ref().is_some_and(|former| former.has_random_secret) {
        return Err(StartError::RandomSecret);
    }
    let Ways { back_end: php, browser, needs_proxy } =
        Ways::to(&app, config.listen.addr.first(), over_tls(config).as_ref());
    let note = if needs_proxy && asked.public.is_none() { format!("# {PROXY}\n") } else { String::new() };
    let lines = LaravelLines {
        secret: app.credentials.first().map_or("", |credential| credential.secret.expose()),
        app: &app,
        browser: asked.public.unwrap_or(browser),
        php,
        path_prefix: &config.listen.path_prefix,
        fallback: config.listen.fallback,
    };
    let text = note + &lines.text(asked.driver);
    Ok(if is_new { Done::wrote(text, config) } else { Done::looked(text) })
}

/// The first name of a certificate that clients can connect to.
fn host_of(tls: &TlsSection) -> Option<String> {
    let in_file = tls.files.iter().find_map(|files| certificate::host_in(&files.certificate));
    in_file.or_else(|| tls.acme.as_ref()?.domains.first().cloned())
}

/// The listener for TLS, if one is configured.
fn over_tls(config: &Config) -> Option<OverTls> {
    let tls = config.listen.tls.as_ref()?;
    Some(OverTls { listen: tls.addr.first(), host: host_of(tls) })
}
