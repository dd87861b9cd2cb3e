//! Runs `fanfare reload`: has a running server read its settings again, and prints what it has taken over, what needs a restart, or
//! the faults.
//!
//! Asks the operators' listener with a token made for this request and revoked at its end. Never prints the token.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use fanfare_apps::{Apps, Auditor, NewToken, Scope, TokenRecord};
use fanfare_config::Config;
use fanfare_outgoing::{Bounds, Client, Response, Trust};
use fanfare_protocol::auth::Secret;
use http_body_util::Full;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request};
use serde_json::Value;

use crate::app_commands::{CommandError, Done, open_apps};
use crate::command_line::ReloadCommand;
use crate::console_command::{NO_NEW_DATABASE, operators_url};
use crate::plain::plain;
use crate::token_json;

/// How long the token is good, in seconds, should the command have no time to revoke the token.
const LIFE: i64 = 60;

/// Bounds of the request: the server waits ten seconds for a reload at most.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(15), bytes: 16 << 20 };

/// Where a server without a database gets its signal.
const BY_SIGNAL: &str = "a server whose apps are all in its configuration has no tokens: send it SIGHUP (systemctl reload fanfare, \
                         docker kill --signal HUP), and its log says what was taken over";

/// Runs the command.
///
/// # Errors
/// There is no database with tokens, the server cannot be reached, or has refused.
pub async fn run(config: &Config, command: &ReloadCommand) -> Result<Done, CommandError> {
    if command.place.create_database {
        return Err(CommandError::Options(vec![NO_NEW_DATABASE.to_owned()]));
    }
    if config.database().is_none() {
        return Err(CommandError::Options(vec![BY_SIGNAL.to_owned()]));
    }
    let apps = open_apps(config, false).await?;
    let (record, token) = make_token(&apps).await?;
    let url = command.url.clone().unwrap_or_else(|| operators_url(config));
    let answer = ask(url.trim_end_matches('/'), &token).await;
    let revoked = apps.revoke_token(record.id).await;
    apps.audit(&token_json::revoked(record.id, Auditor::command())).await;
    let answer = answer?;
    revoked?;
    Ok(Done::looked(if command.place.json { format!("{answer:#}\n") } else { told(&answer) }))
}

/// A token for this request alone.
async fn make_token(apps: &Apps) -> Result<(TokenRecord, Secret), CommandError> {
    let new = NewToken {
        name: "fanfare reload".to_owned(),
        scopes: BTreeSet::from([Scope::Operate]),
        apps: None,
        seconds: Some(LIFE),
        made_by: None,
    };
    let (record, token) = apps.create_token(&new).await?;
    apps.audit(&token_json::made(&record, Auditor::command())).await;
    Ok((record, token))
}

/// Asks the server, and reads what has come of the reload.
async fn ask(url: &str, token: &Secret) -> Result<Value, CommandError> {
    let away = |error: String| {
        CommandError::ServerAway(format!(
            "{url}: {error} (does the server run? listen.admin_addr and --url say where its operators' listener is)"
        ))
    };
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{url}/v1/reload"))
        .header(AUTHORIZATION, format!("Bearer {}", token.expose()))
        .body(Full::<Bytes>::default())
        .map_err(|error| away(error.to_string()))?;
    let sent = Client::new(&Trust::public()).send(request, BOUNDS).await;
    let Response { status, body, .. } = sent.map_err(|error| away(error.to_string()))?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    match status.as_u16() {
        200 if answer["taken_over"].is_array() => Ok(answer),
        422 => Err(CommandError::Refused(faults(&answer))),
        200 => Err(CommandError::ServerAway(format!("{url} answers 200, but not as Fanfare does"))),
        status => {
            let said = plain(answer["detail"].as_str().unwrap_or("without a reason"));
            Err(CommandError::ServerAway(format!("{url} has refused with {status}: {said}")))
        }
    }
}

/// The faults as a start prints them, one a line.
fn faults(answer: &Value) -> String {
    let mut lines: Vec<String> =
        texts(&answer["faults"]).map(|fault| format!("fault: {}", plain(fault))).collect();
    lines.push("the server has taken over nothing: every setting stays as it was".to_owned());
    lines.join("\n")
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// What was taken over, and what needs a restart, a line each.
fn told(answer: &Value) -> String {
    let mut text = String::new();
    for (heading, list) in [("Taken over", "taken_over"), ("Needs a restart", "needs_restart")] {
        let changes = answer[list].as_array().map_or(&[][..], Vec::as_slice);
        if !changes.is_empty() {
            text.push_str(heading);
            text.push_str(":\n");
        }
        for change in changes {
            text.push_str(&line(change));
        }
    }
    if text.is_empty() { "Nothing has changed.\n".to_owned() } else { text }
}

/// One setting, with its values where these are no secrets.
fn line(change: &Value) -> String {
    let text = |name: &str| change[name].as_str().map(plain);
    let key = text("key").unwrap_or_default();
    match (text("app"), text("old"), text("new")) {
        (Some(app), ..) => format!("  {key}: app {app} {}\n", text("change").unwrap_or_default()),
        (None, Some(old), Some(new)) => format!("  {key}: {} → {}\n", quoted(&old), quoted(&new)),
        _ => format!("  {key}\n"),
    }
}

/// A value that is empty is seen as such.
fn quoted(value: &str) -> &str {
    if value.is_empty() { "\"\"" } else { value }
}
