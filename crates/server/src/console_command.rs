//! Runs `fanfare console`: makes a code that logs a browser in, and prints the link (CON-006).
//!
//! Works on the database directly. The code is printed once, and stands behind `#`, which browsers do not send.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use fanfare_apps::{Auditor, NewToken, Scope, SessionTimes};
use fanfare_config::Config;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app_commands::{CommandError, Done, open_apps};
use crate::command_line::ConsoleCommand;
use crate::console::PLACE;
use crate::token_json;

/// Longest wait for the server's listener to accept.
const MOST_WAIT: Duration = Duration::from_secs(1);

/// Why a command does not make the database that its token is for.
pub(crate) const NO_NEW_DATABASE: &str =
    "--create-database is not for this command: the token has to be in the database of a server that runs";

/// Runs the command; returns the link.
///
/// # Errors
/// The options have faults, the console is switched off, or the database cannot be opened.
pub async fn run(config: &Config, command: ConsoleCommand) -> Result<Done, CommandError> {
    let ConsoleCommand { place, name, scope, app, url } = command;
    if !config.console.enabled {
        let sentence = "the console is switched off (console.enabled)".to_owned();
        return Err(CommandError::Options(vec![sentence]));
    }
    if place.create_database {
        return Err(CommandError::Options(vec![NO_NEW_DATABASE.to_owned()]));
    }
    let apps = open_apps(config, false).await?;
    let scopes = if scope.is_empty() { Scope::ALL.to_vec() } else { scope };
    let bound_to = (!app.is_empty()).then(|| app.into_iter().collect());
    let scopes = scopes.into_iter().collect();
    let new = NewToken { name, scopes, apps: bound_to, seconds: None, made_by: None };
    let times = SessionTimes { life: config.console.session_seconds, idle: config.console.idle_seconds };
    let (record, code) = apps.make_code(&new, times).await?;
    apps.audit(&token_json::made(&record, Auditor::command())).await;
    let unanswered = if url.is_none() { unanswered(config).await } else { None };
    let base = url.unwrap_or_else(|| operators_url(config));
    let link = format!("{}{PLACE}#code={}", base.trim_end_matches('/'), code.expose());
    let text = if place.json {
        format!("{:#}\n", json!({ "url": link, "expires_in_seconds": 300, "warning": unanswered }))
    } else {
        let warning = unanswered.map_or_else(String::new, |warning| format!("\n{warning}\n"));
        format!("{link}\n\nThe link logs in once, within five minutes.\n{warning}")
    };
    Ok(Done::wrote(text, config))
}

/// Says so if nobody listens where the configuration has the operators' listener.
async fn unanswered(config: &Config) -> Option<String> {
    let address = reached_by(config.listen.admin_addr.first());
    let answers = timeout(MOST_WAIT, TcpStream::connect(address)).await.is_ok_and(|stream| stream.is_ok());
    (!answers).then(|| {
        format!(
            "Nobody listens on {address}. Start the server; if it listens elsewhere (--admin-listen), say where by --url."
        )
    })
}

/// The URL by which this machine reaches the operators' listener.
pub(crate) fn operators_url(config: &Config) -> String {
    format!("http://{}", reached_by(config.listen.admin_addr.first()))
}

/// The address by which this machine reaches a listener: a listener on all addresses is on loopback too.
pub(crate) fn reached_by(mut listener: SocketAddr) -> SocketAddr {
    match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => listener.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => listener.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listener
}
