//! `fanfare env` and `fanfare laravel env`: lines to paste, without a running server.

use fanfare_config::Config;
use fanfare_config::certificate;

use crate::app_commands::{Done, open_apps};
use crate::command_line::LaravelEnv;
use crate::first_app::ShownApp;
use crate::laravel_lines::LaravelLines;
use crate::paste_lines::{Invocation, NO_APP, OverTls, PROXY, PasteLines, Ways};
use crate::start::StartError;

/// The lines of `fanfare env`; `creates` says whether the embedded database is made where there is none.
///
/// # Errors
/// The apps' database could not be opened.
pub async fn env(config: &Config, invocation: &Invocation, creates: bool) -> Result<Done, StartError> {
    let apps = open_apps(config, creates).await?;
    let Some(first) = ShownApp::find(config, &apps).await? else {
        return Ok(Done::looked(format!("{NO_APP}\n")));
    };
    let lines = PasteLines {
        app: &first.app,
        listen: config.listen.addr,
        over_tls: over_tls(config),
        path_prefix: &config.listen.path_prefix,
        show_secret: true,
        invocation,
    };
    Ok(if first.new { Done::wrote(lines.text(), config) } else { Done::looked(lines.text()) })
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
    let Ways { back_end: php, browser, needs_proxy } =
        Ways::to(&app, config.listen.addr, over_tls(config).as_ref());
    let note = if needs_proxy && asked.public.is_none() { format!("# {PROXY}\n") } else { String::new() };
    let lines = LaravelLines {
        secret: app.credentials.first().map_or("", |credential| credential.secret.expose()),
        app: &app,
        browser: asked.public.unwrap_or(browser),
        php,
        path_prefix: &config.listen.path_prefix,
    };
    let text = note + &lines.text(asked.driver);
    Ok(if is_new { Done::wrote(text, config) } else { Done::looked(text) })
}

/// The listener for TLS, if one is configured.
fn over_tls(config: &Config) -> Option<OverTls> {
    let tls = config.listen.tls.as_ref()?;
    Some(OverTls { listen: tls.addr, host: certificate::host_in(&tls.files.certificate) })
}
